"""Engines claim runs, call handlers that end well or badly, stand still, die and come again; people cancel, retry and
replay; signals come, time passes. The model says what must come of it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import delete, select

from pulse import Action, Engine, RetryPolicy, Signal, Wait, Workflow
from pulse.engine.errors import IllegalTransition
from pulse.engine.store.held import Held
from pulse.storage.claims import LEASE_MS
from pulse.testing import FakeClock
from tests.contract.engine.machine.model import PAUSE_MS, WAIT_MS, Model, ModelRun
from tests.contract.engine.machine.places import Place

T = TypeVar("T")
PLACES = 2
# No operation takes as long; one that does hangs.
LONGEST_S = 20.0
TENANT = "t"
TWICE = RetryPolicy(max_attempts=2, backoff_ms=PAUSE_MS, jitter=False)
STEPS = (Action("a", retry_policy=TWICE), Wait("w", "go", timeout_ms=WAIT_MS, on_timeout="skip"), Action("b"))
places = st.integers(0, PLACES - 1)
which = st.integers(0, 3)


@dataclass
class World:
    """A database, a clock, an event loop to reach them from outside of one, and an engine that drives nothing."""

    runner: asyncio.Runner
    url: Any
    prefix: str
    clock: FakeClock
    hand: Engine

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(asyncio.wait_for(work, LONGEST_S))


class EngineMachine(RuleBasedStateMachine):
    """Every operation is done to engines and to the model, and both must end up the same."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Model(world.clock.now_ms())
        self.triggers: dict[str, str] = {}
        self.places = [self._start() for _ in range(PLACES)]

    def _start(self) -> Place:
        world = self.world
        return Place(Engine(world.url, table_prefix=world.prefix, clock=world.clock, keep_runs=None, grace_s=0))

    def _run(self, which: int) -> ModelRun | None:
        """One of the last few runs."""
        last = list(self.model.runs.values())[-4:]
        return last[which % len(last)] if last else None

    # ---- signals ---------------------------------------------------------------------------------------------

    @rule()
    def emit(self) -> None:
        hand = self.world.hand
        trigger = self.world.do(hand.emit(Signal(TENANT, "test", "start")))
        (run,) = self.world.do(hand.get_runs_by_trigger(trigger.id))
        self.triggers[run.id] = trigger.id
        self.model.emit(run.id)

    @rule()
    def go(self) -> None:
        self.world.do(self.world.hand.emit(Signal(TENANT, "test", "go")))
        self.model.go()

    @rule(which=which)
    def replay(self, which: int) -> None:
        of = self._run(which)
        if of is None:
            return
        (run,) = self.world.do(self.world.hand.replay(self.triggers[of.id]))
        self.triggers[run.id] = self.triggers[of.id]
        self.model.replay(run.id)

    # ---- driving ---------------------------------------------------------------------------------------------

    @rule(place=places)
    def heartbeat(self, place: int) -> None:
        here = self.places[place]
        self.model.renew(here.believes, here.owner)
        self.world.do(here.heartbeat())
        held = [run_id for run_id, epoch in here.believes if self.model.runs[run_id].is_held_by(here.owner, epoch)]
        assert held == list(here.gates), "it calls a handler of a run that it was told it had lost"

    @rule(place=places)
    def claim(self, place: int) -> None:
        self.heartbeat(place)
        here = self.places[place]
        works = self.world.do(here.engine.plant.store.queue.claim(1))
        self._claimed(here, works, self.model.claim(here.owner))

    @rule(place=places)
    def claim_suspect(self, place: int) -> None:
        self.heartbeat(place)
        here = self.places[place]
        if here.gates:
            return
        suspect = self.world.do(here.engine.plant.store.queue.claim_suspect())
        self._claimed(here, [suspect] if suspect else [], self.model.claim(here.owner, suspects=True))

    def _claimed(self, here: Place, works: list[Held], wanted: ModelRun | None) -> None:
        assert [work.id for work in works] == ([wanted.id] if wanted else []), self.model
        for work in works:
            self.world.do(here.take(work))

    @rule(place=places, well=st.sampled_from([True, True, False]), first=st.booleans())
    def a_call_ends(self, place: int, well: bool, first: bool) -> None:
        here = self.places[place]
        if here.believes:
            run_id, epoch = here.believes[0 if first else -1]
            (self.model.succeed if well else self.model.fail)(run_id, here.owner, epoch)
            self.world.do(here.end_call(run_id, well=well))

    @rule(place=places)
    def die_and_start_again(self, place: int) -> None:
        self._replace(place)

    @rule(place=places)
    def stop_and_start_again(self, place: int) -> None:
        here = self.places[place]
        self.model.hand_back(here.believes, here.owner)
        self.world.do(here.engine.plant.worker.stop())
        self._replace(place)

    def _replace(self, place: int) -> None:
        self.world.do(_bury(self.places[place]))
        self.places[place] = self._start()

    # ---- time ------------------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, PAUSE_MS, WAIT_MS - 1, WAIT_MS, LEASE_MS, LEASE_MS + 1]))
    def time_passes(self, ms: int) -> None:
        self.world.clock.advance(ms=ms)
        self.model.now += ms

    @rule()
    def wake(self) -> None:
        self.model.wake()
        self.world.do(self.world.hand.plant.store.queue.wake())

    @rule()
    def sweep(self) -> None:
        assert self.world.do(self.world.hand.plant.store.queue.sweep()) == self.model.sweep()

    @rule()
    def all_leases_end(self) -> None:
        self.time_passes(LEASE_MS + 1)
        self.sweep()

    @rule(place=places)
    def stand_still_until_another_has_it_all(self, place: int) -> None:
        self.all_leases_end()
        self.claim((place + 1) % PLACES)
        self.claim_suspect((place + 1) % PLACES)

    # ---- people ----------------------------------------------------------------------------------------------

    @rule(which=which)
    def cancel(self, which: int) -> None:
        run = self._run(which)
        if run is not None:
            wanted = self.model.cancel(run)
            assert self.world.do(_possible(self.world.hand.cancel_run(run.id))) == wanted

    @rule(which=which)
    def retry(self, which: int) -> None:
        run = self._run(which)
        if run is not None:
            wanted = self.model.retry(run)
            assert self.world.do(_possible(self.world.hand.retry_run(run.id))) == wanted

    # ---- what must be ----------------------------------------------------------------------------------------

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        assert self.world.do(self._stored()) == {run.id: run.as_stored() for run in self.model.runs.values()}

    async def _stored(self) -> dict[str, tuple[object, ...]]:
        store = self.world.hand.plant.store
        runs, steps = store.ground.tables.runs, store.ground.tables.steps
        async with store.database.read() as connection:
            rows = (await connection.execute(select(runs))).all()
            found = (await connection.execute(select(steps).order_by(steps.c.path))).all()
        of: dict[str, dict[str, tuple[str, int]]] = {row.id: {} for row in rows}
        for step in found:
            of[step.run_id][step.step_name] = (step.status, step.attempt)
        return {row.id: _as_stored(row, of[row.id]) for row in rows}

    def teardown(self) -> None:
        try:
            self.everything_can_still_be_ended()
        finally:
            self.clear()

    def everything_can_still_be_ended(self) -> None:
        """Nothing is lost or stuck: once time has passed and a sweep, one engine alone can end all there is."""
        for _ in range(6 * len(self.model.runs)):
            self.time_passes(LEASE_MS + 1)
            self.sweep()
            self.wake()
            self.claim(0)
            self.claim_suspect(0)
            while self.places[0].gates:
                self.a_call_ends(place=0, well=True, first=True)
        self.the_database_is_as_the_model()
        assert {run.state for run in self.model.runs.values()} <= {"done"}

    def clear(self) -> None:
        """Nothing of it is left."""
        self.world.do(self._clear())

    async def _clear(self) -> None:
        for place in self.places:
            await _bury(place)
        tables = self.world.hand.plant.store.ground.tables
        async with self.world.hand.plant.store.database.write() as connection:
            for table in (tables.waits, tables.logs, tables.steps, tables.runs, tables.triggers):
                await connection.execute(delete(table))


async def _bury(place: Place) -> None:
    await place.engine.plant.worker.lease_lost()
    await place.engine.stop()


async def _possible(work: Coroutine[Any, Any, Any]) -> bool:
    try:
        await work
    except IllegalTransition:
        return False
    return True


def _as_stored(row: Any, steps: dict[str, tuple[str, int]]) -> tuple[object, ...]:
    held = row.owner if row.state == "running" else None
    counts = (row.deaths, row.lone_deaths, row.alone) if row.state != "done" else None
    return (row.status, row.state, row.epoch, row.attempt, held, counts, steps)


def the_workflow() -> Workflow:
    return Workflow(TENANT, "main", "start", STEPS)
