"""An organization with a default model and another one, for each test."""

from collections.abc import AsyncIterator

import pytest

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.sandbox.port import Tenant
from tests.integration.effects.functions.bench import Bench
from tests.integration.effects.functions.models.offices import Office
from tests.integration.egress.servers import HOME


@pytest.fixture(scope="module")
async def data(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenData]:
    opened = OpenData(load_settings(tmp_path_factory.mktemp("pulse") / "data", EGRESS_ALLOW=HOME))
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
async def office(data: OpenData) -> Office:
    """A new organization, with a default model and another one."""
    organization = await data.parts.tenancy.create_organization(f"Office {data.parts.ids.new('test')}")
    place = await data.parts.tenancy.create_environment(organization.id, "production")
    office = Office(data.parts, Tenant(organization.id, place.id))
    await office.configuration("Usual", is_default=True)
    await office.configuration("Large", definition_id="mock/mock-large")
    return office


@pytest.fixture
def scripts(bench: Bench, office: Office) -> Bench:
    return office.reached_by(bench)
