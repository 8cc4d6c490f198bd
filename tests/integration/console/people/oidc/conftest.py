"""One installation with an identity provider for all tests here; before each, the provider is honest again."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete

from pulse.tenancy.people.oidc.provider import Provider
from pulse.tenancy.tables import tenancy_tables
from tests.integration.console.people.oidc.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, issuing
from tests.integration.console.people.oidc.visitors import Office
from tests.integration.receiver.installation import Installation, installed


@pytest.fixture(scope="session")
def provider() -> Iterator[Issuer]:
    with issuing("http://pulse.test/api/session/oidc/callback") as issuer:
        yield issuer


@pytest.fixture(scope="session")
async def building(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, provider: Issuer
) -> AsyncIterator[Installation]:
    settings = {
        "PULSE_OIDC_ISSUER": provider.url,
        "PULSE_OIDC_CLIENT_ID": CLIENT_ID,
        "PULSE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "PULSE_OIDC_NAME": "Example",
        "EGRESS_ALLOW": "127.0.0.1",
    }
    async with installed(tmp_path_factory.mktemp("oidc") / "data", **settings) as installation:
        installation.parts.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1 << 10)
        yield installation


@pytest.fixture
async def office(building: Installation, provider: Issuer) -> Office:
    """The installation and its provider, as if nobody had been there before."""
    provider.reset()
    parts, oidc = building.parts, building.parts.oidc
    assert oidc is not None
    # What it knew of the provider is forgotten.
    client = replace(oidc._provider.client, creates_users=False)
    oidc._provider = Provider(client, parts.outside.egress, parts.clock)
    failures = tenancy_tables(parts.database.prefix).sign_in_failures
    async with parts.database.write() as connection:
        await connection.execute(delete(failures))
    return Office(building, provider)
