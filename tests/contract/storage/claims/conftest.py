"""An empty table of tasks, whose leases follow a clock that the test moves."""

import pytest

from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.storage.claims.tasks import Tasks


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def tasks(open_database: OpenDatabase, clock: SetClock) -> Tasks:
    return await Tasks.create(open_database(clock=clock))
