"""A database with the engine's tables, worker processes on it, and the test's own engine, which drives nothing.

The test is a process of its own: what it was told is durable (a promise) is what the workers must bring to an end.
"""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, func, select

from pulse import Action, Delay, Emit, Engine, Parallel, RetryPolicy, Signal, Workflow
from tests.chaos.engines.checker import Rows
from tests.chaos.engines.ledger import Call, read_calls
from tests.chaos.engines.process import Worker
from tests.chaos.rig.until import until

T = TypeVar("T")
TENANT, PREFIX = "chaos", "engine_"
LEASE_MS = 3_000
DRAIN_S = 90.0
TWICE = RetryPolicy(max_attempts=3, backoff_ms=100)


def act(name: str, retry_policy: RetryPolicy | None = None, **config: Any) -> Action:
    return Action(name, handler="act", retry_policy=retry_policy, config=config)


_SHIP = Parallel("both", branches=((act("c"), Delay("short", ms=20), act("d")), (act("e"),)))
WORKFLOWS = (
    Workflow(TENANT, "order", "order", (act("a"), act("b", TWICE, fails=1), Delay("pause", ms=50), _SHIP, act("f"))),
    Workflow(TENANT, "family", "family", (act("a"), Emit("order", wait=True), act("z"))),
    Workflow(TENANT, "slow", "slow", (act("a"), act("b", takes_s=0.5), act("c"))),
    Workflow(TENANT, "lane", "lane", (act("a"), act("b")), concurrency=2),
)


@dataclass
class Site:
    """Where engines run. `runner` keeps the loop of the test's own engine."""

    url: str
    folder: Path
    lease_ms: int = LEASE_MS
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    workers: list[Worker] = field(default_factory=list)
    promises: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self.url, table_prefix=PREFIX)
        self.ledger = self.folder / "calls.jsonl"
        self.do(self._prepare())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _prepare(self) -> None:
        await self.engine.migrate()
        for workflow in WORKFLOWS:
            await self.engine.create_workflow(workflow)

    def worker(self) -> Worker:
        """One more place for a worker; all have the same configuration."""
        log = self.folder / f"worker{len(self.workers)}.log"
        self.workers.append(Worker([self.url, PREFIX, str(self.ledger), str(self.lease_ms)], log))
        return self.workers[-1]

    def emit(self, *kinds: str) -> list[str]:
        """Emits signals of these kinds; the ids of the triggers, which are promises from now on."""
        signals = [
            Signal(TENANT, "test", kind, idempotency_key=f"p{len(self.promises)}-{n}") for n, kind in enumerate(kinds)
        ]
        ids = [trigger.id for trigger in self.do(self.engine.emit_many(signals))]
        self.promises += ids
        return ids

    # ---- looking ---------------------------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        return read_calls(self.ledger)

    def wait_for_more_calls(self, count: int, seconds: float = 60) -> None:
        """Returns when handlers were called so many times more, or when there is nothing left to call them for."""
        wanted = len(self.calls()) + count
        until(lambda: len(self.calls()) >= wanted or not self.unfinished(), seconds, f"{count} more calls")

    def unfinished(self) -> int:
        """How many runs have not ended."""
        return self.do(self._count(self._runs.c.state != "done"))

    def held(self) -> int:
        """How many runs are under a lease."""
        return self.do(self._count(self._runs.c.state == "running"))

    def kill_in_the_middle(self, *workers: Worker) -> Worker:
        """Kill -9 on the first that is found to hold runs, which another must recover then."""
        turns = itertools.cycle(workers)

        def caught() -> Worker | None:
            worker = next(turns)
            worker.freeze()
            held = self._runs.c.owner.startswith(f"{worker.pid}-") & (self._runs.c.state == "running")
            if self.do(self._count(held)):
                return worker
            worker.thaw()
            if not self.unfinished():
                self.emit("slow")
            return None

        found = until(caught, 30, "one of them holds runs")
        assert found is not None
        found.kill()
        return found

    def deaths(self) -> int:
        """How many runs there are whose holder died."""
        return self.do(self._count(self._runs.c.deaths > 0))

    @property
    def _runs(self) -> Table:
        return self.engine.plant.store.ground.tables.runs

    async def _count(self, which: ColumnElement[bool]) -> int:
        async with self.engine.plant.store.database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(self._runs).where(which)) or 0)

    def drain(self, seconds: float = DRAIN_S) -> None:
        until(lambda: self.unfinished() == 0, seconds, "every run has ended", every=0.1)

    def rows(self) -> Rows:
        """All that is stored, table by table."""

        async def read() -> Rows:
            tables = self.engine.plant.store.ground.tables
            wanted = {"runs": tables.runs, "steps": tables.steps, "waits": tables.waits}
            async with self.engine.plant.store.database.read() as connection:
                return {name: (await connection.execute(select(table))).all() for name, table in wanted.items()}

        return self.do(read())

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.do(self.engine.stop())
        self.runner.close()
