"""A database with the engine's tables, and a stage on it for each case."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from pulse import Engine
from pulse.testing import FakeClock
from tests.contract.conftest import drop_tables, sqlite_threads, sqlite_threads_ended
from tests.contract.engine.crashes.stage import Stage

NewStage = Callable[..., Stage]
MEMORY = Path("/dev/shm")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """As everywhere, save that SQLite's file is in memory where it can be: no power is cut here."""
    if request.param == "postgresql":
        yield str(request.getfixturevalue("postgres_url"))
        return
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as folder:
        yield f"sqlite+aiosqlite:///{folder}/pulse.db"


@pytest.fixture
async def new_stage(database_url: str, prefix: str) -> AsyncIterator[NewStage]:
    """Makes stages, each for a tenant of its own; one clock runs through all of them."""
    others, clock, numbers = sqlite_threads(), FakeClock(), count(1)
    # Connections that outlive the engines of a test: to make some for each would take most of its time.
    shared = create_async_engine(database_url, pool_size=10, max_overflow=0)
    url = database_url if database_url.startswith("sqlite") else shared
    hand = Engine(url, table_prefix=prefix, clock=clock)
    await hand.migrate()

    def make(*, takes: bool = False) -> Stage:
        return Stage(url, prefix, clock, hand, f"t{next(numbers)}", takes)

    yield make
    await hand.stop()
    await shared.dispose()
    await sqlite_threads_ended(others)
    if database_url.startswith("postgresql"):
        await drop_tables(database_url, prefix)
