"""Workers claim, finish, freeze, come back, die and are replaced, in any order; the model says what must come of it."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pulse.storage.claims import LEASE_MS, Claimed, Claims
from tests.contract.conftest import SetClock
from tests.contract.storage.claims.model import Model
from tests.contract.storage.claims.tasks import Task, Tasks

T = TypeVar("T")
PLACES = 3
places = st.integers(0, PLACES - 1)


@dataclass
class World:
    """A database with an empty table of tasks, and an event loop to reach it from outside of one."""

    runner: asyncio.Runner
    tasks: Tasks
    clock: SetClock
    kind: type[Claims] = Claims

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@dataclass
class Worker:
    """One start of a process. What it believes to hold may long be somebody else's: then it was frozen."""

    claims: Claims
    owner: str
    believes: list[Claimed] = field(default_factory=list)

    def pairs(self) -> list[tuple[str, int]]:
        return [(row.id, row.epoch) for row in self.believes]


class ClaimsMachine(RuleBasedStateMachine):
    """Every operation is done to the database and to the model, and both must answer the same and end up the same."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Model(world.clock.ms)
        self.starts = 0
        self.added = 0
        self.granted: dict[str, int] = {}
        self.finished: set[str] = set()
        self.workers = [self._start() for _ in range(PLACES)]

    def _start(self) -> Worker:
        self.starts += 1
        owner = f"w{self.starts}"
        return Worker(self.world.tasks.claims(owner, self.world.kind), owner)

    @initialize(count=st.integers(1, 5))
    def some_are_there(self, count: int) -> None:
        for n in range(count):
            self.add("ab"[n // 3], ["x", None][n % 2], 0)

    @rule(tenant=st.sampled_from("ab"), lane=st.sampled_from([None, "x", "y"]), wait=st.sampled_from([0, 0, 5_000]))
    def add(self, tenant: str, lane: str | None, wait: int) -> None:
        self.added += 1
        task = Task(f"t{self.added:04d}", tenant, lane, self.model.now + wait)
        self.model.add(task)
        self.world.do(self.world.tasks.add(task))

    @rule(place=places, limit=st.integers(1, 3))
    def claim(self, place: int, limit: int) -> None:
        worker = self.workers[place]
        self._granted(worker, self.world.do(worker.claims.claim(limit)), self.model.claim(worker.owner, limit))

    @rule(place=places)
    def claim_suspect(self, place: int) -> None:
        worker = self.workers[place]
        suspect = self.world.do(worker.claims.claim_suspect())
        self._granted(worker, [suspect] if suspect else [], self.model.claim_suspect(worker.owner))

    def _granted(self, worker: Worker, rows: list[Claimed], wanted: list[Claimed]) -> None:
        assert rows == wanted
        for row in rows:
            assert row.epoch > self.granted.get(row.id, 0), "an epoch was given out twice"
            self.granted[row.id] = row.epoch
        worker.believes += rows

    @rule(place=places, which=st.sampled_from(["all", "all", "first", "last"]))
    def finish(self, place: int, which: str) -> None:
        worker = self.workers[place]
        chosen = {"all": slice(None), "first": slice(1), "last": slice(-1, None)}[which]
        rows = worker.believes[chosen]
        self._finish(worker, rows)
        worker.believes = [row for row in worker.believes if row not in rows]

    @rule(frozen=places, beside=st.integers(1, PLACES - 1))
    def freeze_until_another_has_taken_it_all(self, frozen: int, beside: int) -> None:
        other = (frozen + beside) % PLACES
        self.time_passes_and_all_that_was_running_is_swept(other)
        self.claim(other, 3)
        self.claim_suspect(other)

    def _finish(self, worker: Worker, rows: list[Claimed]) -> None:
        pairs = [(row.id, row.epoch) for row in rows]
        ended = self.world.do(self._leave(rows, worker.owner))
        assert ended == self.model.finish(pairs, worker.owner)
        assert not ended & self.finished, "a row was finished twice"
        assert all(self.granted[key] in {epoch for other, epoch in pairs if other == key} for key in ended)
        self.finished |= ended

    async def _leave(self, rows: list[Claimed], result: str) -> set[str]:
        async with self.world.tasks.database.write() as connection:
            return await self.world.tasks.leave(connection, rows, result=result, kind=self.world.kind)

    @rule(place=places, wrong=st.sampled_from([-1, 1, 2]))
    def write_with_an_epoch_that_was_never_its_own(self, place: int, wrong: int) -> None:
        rows = [Claimed(row.id, row.tenant, row.epoch + wrong) for row in self.workers[place].believes]
        current = {(row.id, row.epoch) for worker in self.workers for row in worker.believes}
        forged = [row for row in rows if (row.id, row.epoch) not in current]
        assert self.world.do(self._leave(forged, "forged")) == set()

    @rule(place=places)
    def finish_and_fail_before_the_commit(self, place: int) -> None:
        rows = self.workers[place].believes

        async def half_done() -> None:
            async with self.world.tasks.database.write() as connection:
                await self.world.tasks.leave(connection, rows, result="lost", kind=self.world.kind)
                raise ZeroDivisionError

        with contextlib.suppress(ZeroDivisionError):
            self.world.do(half_done())

    @rule(place=places, delay_ms=st.sampled_from([0, 0, 3_000]))
    def release(self, place: int, delay_ms: int) -> None:
        worker = self.workers[place]
        self.model.release(worker.pairs(), delay_ms)
        self.world.do(worker.claims.release(worker.believes, delay_ms))
        worker.believes = []

    @rule(place=places)
    def renew(self, place: int) -> None:
        pairs = self.workers[place].pairs()
        assert len(self.world.do(self.workers[place].claims.renew(pairs))) == self.model.renew(pairs)

    @rule(ms=st.sampled_from([1, 2_500, LEASE_MS - 1, LEASE_MS, LEASE_MS + 1]))
    def wait(self, ms: int) -> None:
        self.world.clock.ms += ms
        self.model.now += ms

    @rule(place=places)
    def sweep(self, place: int) -> None:
        assert self.world.do(self.workers[place].claims.sweep()) == self.model.sweep()

    @rule(place=places)
    def time_passes_and_all_that_was_running_is_swept(self, place: int) -> None:
        self.wait(LEASE_MS + 1)
        self.sweep(place)

    @rule(place=places)
    def take_over(self, place: int) -> None:
        worker = self.workers[place]
        assert self.world.do(worker.claims.take_over()) == self.model.take_over(worker.owner)

    @rule(place=places)
    def die_and_start_again(self, place: int) -> None:
        self.workers[place] = self._start()

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        stored = self.world.do(self.world.tasks.rows())
        columns = ("state", "due_at", "epoch", "owner", "lease_until", "deaths", "lone_deaths", "alone", "result")
        found = {key: tuple(row._mapping[column] for column in columns) for key, row in stored.items()}
        assert found == {key: row.as_stored() for key, row in self.model.rows.items()}

    @invariant()
    def of_a_lane_only_the_first_is_ready_or_running(self) -> None:
        for row in self.model.rows.values():
            lane = [other for other in self.model.lane_of(row.task) if other.unfinished]
            states = [other.state for other in sorted(lane, key=lambda other: other.task.id)]
            assert set(states[1:]) <= {"blocked"}
            assert "blocked" not in states[:1]

    def teardown(self) -> None:
        try:
            self.everything_can_still_be_finished()
        finally:
            self.world.do(self.world.tasks.clear())

    def everything_can_still_be_finished(self) -> None:
        """Nothing is lost or stranded: once time has passed and a sweep, one worker alone can finish all there is."""
        self.wait(LEASE_MS + 5_001)
        self.sweep(0)
        worker = self._start()
        self.workers.append(worker)
        for _ in range(2 * len(self.model.rows)):
            self.claim(-1, 3)
            if not worker.believes:
                self.claim_suspect(-1)
            self._finish(worker, worker.believes)
            worker.believes = []
        self.the_database_is_as_the_model()
        assert {row.state for row in self.model.rows.values()} <= {"done"}
