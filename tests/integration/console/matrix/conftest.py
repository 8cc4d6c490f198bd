"""An installation of the matrix's own, where passwords cost little, and how much of it is asked."""

from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from tests.integration.console.matrix.matrix import Matrix, matrix
from tests.integration.receiver.installation import Installation, installed

SAMPLE = 1_000


@pytest.fixture(scope="session")
async def crowd(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Nobody else's rows are in it, so that whatever changes was changed by who asks here."""
    async with installed(tmp_path_factory.mktemp("matrix") / "data") as installation:
        make_passwords_cheap(installation)
        yield installation


def make_passwords_cheap(installation: Installation) -> None:
    installation.parts.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1 << 10)


@pytest.fixture
async def asked(crowd: Installation) -> Matrix:
    return await matrix(crowd)


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> int | None:
    """How many requests of the matrix are made; None: all."""
    return None if request.config.getoption("--matrix") == "full" else SAMPLE
