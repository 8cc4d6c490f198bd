"""Claims against the model; and, as a control, claims whose fence does not look at the epoch."""

import asyncio
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection, select

from pulse.storage.claims import RUNNING, Claims
from pulse.storage.database import Database
from tests.contract.conftest import SetClock, drop_tables, sqlite_threads, sqlite_threads_ended
from tests.contract.storage.claims.machine import ClaimsMachine, World
from tests.contract.storage.claims.tasks import Tasks

SETTINGS = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)


@pytest.fixture
def world(database_url: str, prefix: str) -> Iterator[World]:
    others, clock = sqlite_threads(), SetClock()
    database = Database(database_url, prefix=prefix, clock=clock)
    with asyncio.Runner() as runner:
        yield World(runner, runner.run(Tasks.create(database)), clock)
        runner.run(database.close())
        runner.run(sqlite_threads_ended(others))
        if database.dialect == "postgresql":
            runner.run(drop_tables(database_url, prefix))


class WithoutEpochs(Claims):
    """Lets through whoever names a row that is running, whichever epoch he has."""

    def fence(self, connection: Connection, held: Iterable[tuple[str, int]]) -> set[str]:
        c = self._table.c
        named = [key for key, _ in held]
        return set(connection.scalars(select(c.id).where(c.id.in_(named), c.state == RUNNING)))


def run(world: World, how: settings) -> None:
    class Machine(ClaimsMachine):
        def __init__(self) -> None:
            super().__init__(world)

    run_state_machine_as_test(Machine, settings=how)


@pytest.mark.timeout(180)
def test_claims_do_as_the_model_does(world: World) -> None:
    run(world, SETTINGS)


@pytest.mark.timeout(180)
def test_a_fence_that_does_not_look_at_the_epoch_is_caught(world: World) -> None:
    world.kind = WithoutEpochs
    with pytest.raises(AssertionError):
        run(world, settings(SETTINGS, max_examples=200, phases=[Phase.generate], database=None))
