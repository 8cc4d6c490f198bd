"""A whole installation, whose admin API is its own face, and an environment of it that is the assistant's."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.effects.world.sub_workflows import SubWorkflows
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Tenant as Place
from tests.integration.effects.functions.bench import Bench
from tests.integration.receiver.installation import Installation, Tenant


@pytest.fixture(scope="module")
async def pulse(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Its admin API is its own face, asked without a server."""
    data = OpenData(load_settings(tmp_path_factory.mktemp("pulse") / "data"), url="http://pulse.test")
    await data.prepare()
    data.parts.admin.app = data.app()
    transport = httpx2.ASGITransport(data.parts.admin.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(base_url="http://pulse.test", transport=transport) as client:
        yield Installation(data, client)
    await data.close()


@pytest.fixture
async def ours(pulse: Installation) -> Tenant:
    return await pulse.tenant("Ours")


@pytest.fixture
def assistant(pulse: Installation, sandbox: DenoSandbox, ours: Tenant) -> Bench:
    """Scripts of our environment, which is the assistant's own."""
    parts = pulse.parts
    sub_workflows = SubWorkflows(parts.catalog, parts.links, parts.intake, parts.clock, 1_000_000)
    home = (ours.organization_id, ours.environment_id)
    tenant = Place(ours.organization_id, ours.environment_id)
    return Bench(sandbox, tenant=tenant).reaching(admin=parts.admin, assistant_home=home, sub_workflows=sub_workflows)
