"""Engines against the model; and, as controls, engines that break a promise."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import create_async_engine

from pulse import Engine
from pulse.storage.claims import Claims
from pulse.testing import FakeClock
from tests.contract.conftest import drop_tables, sqlite_threads, sqlite_threads_ended
from tests.contract.engine.machine.machine import EngineMachine, World, the_workflow

EXAMPLES = {"share": 10, "quick": 60, "full": 400}
SETTINGS = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)


@pytest.fixture
def world(database_url: str, prefix: str) -> Iterator[World]:
    others, clock = sqlite_threads(), FakeClock()
    with asyncio.Runner() as runner:
        shared = create_async_engine(database_url, pool_size=10, max_overflow=0)
        url: Any = database_url if database_url.startswith("sqlite") else shared
        hand = Engine(url, table_prefix=prefix, clock=clock, keep_runs=None)
        runner.run(hand.migrate())
        runner.run(hand.create_workflow(the_workflow()))
        yield World(runner, url, prefix, clock, hand)
        runner.run(hand.stop())
        runner.run(shared.dispose())
        runner.run(sqlite_threads_ended(others))
        if database_url.startswith("postgresql"):
            runner.run(drop_tables(database_url, prefix))


def run(world: World, how: settings) -> None:
    class Machine(EngineMachine):
        def __init__(self) -> None:
            super().__init__(world)

    run_state_machine_as_test(Machine, settings=how)


@pytest.mark.timeout(1_200)
def test_engines_do_as_the_model_does(world: World, chaos: str) -> None:
    run(world, settings(SETTINGS, max_examples=EXAMPLES[chaos]))


def test_a_fence_that_does_not_look_at_the_epoch_is_caught(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines do the same by hand: an engine stands still, another takes its run, and the first goes on."""
    assert one_stands_still(world) == []
    end = Claims.end

    def anybodys(
        self: Claims, connection: Connection, rows: Iterable[Sequence[Any]], columns: Sequence[str]
    ) -> set[str]:
        c, given = self._table.c, list(rows)
        found = connection.execute(select(c.id, c.epoch).where(c.id.in_([row[0] for row in given])))
        epochs = {row.id: row.epoch for row in found}
        return end(self, connection, [(row[0], epochs[row[0]], *row[2:]) for row in given], columns)

    monkeypatch.setattr(Claims, "end", anybodys)
    assert one_stands_still(world) == ["the database is not as the model"]


def one_stands_still(world: World) -> list[str]:
    """What is found."""
    machine = EngineMachine(world)
    machine.emit()
    machine.claim(0)
    machine.stand_still_until_another_has_it_all(0)
    machine.a_call_ends(place=0, well=True, first=True)
    try:
        machine.the_database_is_as_the_model()
    except AssertionError:
        return ["the database is not as the model"]
    finally:
        machine.clear()
    return []
