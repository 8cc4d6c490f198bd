"""One installation for all tests of a process, a new tenant in it for each; and one that a test may break."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.receiver.installation import Installation, Tenant, installed


@pytest.fixture(scope="session")
async def pulse(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Shared: whoever looks at it must look at their own tenant only."""
    async with installed(tmp_path_factory.mktemp("pulse") / "data") as installation:
        yield installation


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation that nobody else uses."""
    async with installed(tmp_path / "data") as installation:
        yield installation


@pytest.fixture
async def acme(pulse: Installation) -> Tenant:
    """A tenant that nobody else uses."""
    return await pulse.tenant()
