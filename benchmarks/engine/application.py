"""The application that is measured: one workflow of trivial action steps, on a database of its own."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvloop

from benchmarks.peers import ground
from pulse import Action, Engine, RunCompleteEvent, Signal, Workflow

SIGNAL = Signal(tenant_id="acme", source="bench", type="bench.run", payload={"n": 1, "text": "x" * 100})
IN_FLIGHT = 400
WARM_UP_S = 2.0
CHUNK = 500


@contextmanager
def storage(database: ground.Database) -> Iterator[str]:
    """The address of an empty database with durable commits."""
    if database == "postgresql":
        with ground.postgres("pulse") as url:
            yield url.replace("postgresql://", "postgresql+asyncpg://")
    else:
        with tempfile.TemporaryDirectory(prefix="pulse-bench-") as where:
            yield f"sqlite+aiosqlite:///{where}/pulse.db"


class Counted:
    """An engine whose ended runs are counted."""

    def __init__(self, url: str, steps: int, concurrency: int = IN_FLIGHT) -> None:
        self.ended = 0
        self.wanted: int | None = None
        self.all_ended = asyncio.Event()
        self.slots = asyncio.Semaphore(IN_FLIGHT)
        self.engine = Engine(url, concurrency=concurrency, on_run_complete=self._ended, keep_runs=None)
        self.steps = [f"step_{number}" for number in range(steps)]
        for name in self.steps:
            self.engine.register_action(name, self._step)

    @staticmethod
    async def _step(_context: object) -> dict[str, Any]:
        return {"done": True}

    def _ended(self, event: RunCompleteEvent) -> None:
        assert event.status == "completed", event.run.error_message
        self.ended += 1
        self.slots.release()
        if self.wanted is not None and self.ended >= self.wanted:
            self.all_ended.set()

    async def prepare(self) -> None:
        await self.engine.migrate()
        steps = [Action(name) for name in self.steps]
        await self.engine.create_workflow(Workflow(SIGNAL.tenant_id, "bench", SIGNAL.type, tuple(steps)))

    async def until(self, ended: int) -> None:
        """Returns when so many runs have ended in all."""
        self.all_ended.clear()
        self.wanted = ended
        if self.ended < ended:
            await self.all_ended.wait()


@asynccontextmanager
async def counted(url: str, steps: int) -> AsyncIterator[Counted]:
    application = Counted(url, steps)
    await application.prepare()
    try:
        yield application
    finally:
        await application.engine.stop()


async def live(url: str, steps: int, seconds: float) -> dict[str, Any]:
    """One producer emits while the runs are driven, with at most IN_FLIGHT unfinished; counted after a warm-up."""
    async with counted(url, steps) as application:
        await application.engine.start()
        emitted = 0
        emitting: set[asyncio.Task[Any]] = set()
        began, before, cpu = time.perf_counter(), 0, 0.0
        warm = False
        while time.perf_counter() - began < seconds or not warm:
            if not warm and time.perf_counter() - began >= WARM_UP_S:
                warm, began, before, cpu = True, time.perf_counter(), application.ended, time.process_time()
            await application.slots.acquire()
            task = asyncio.create_task(application.engine.emit(SIGNAL))
            emitting.add(task)
            task.add_done_callback(emitting.discard)
            emitted += 1
        took, runs, cpu = time.perf_counter() - began, application.ended - before, time.process_time() - cpu
        await application.until(emitted)
    return {"runs": runs, "seconds": took, "total": emitted, "cpuMicrosecondsARun": round(cpu / runs * 1e6)}


async def burndown(url: str, steps: int, runs: int) -> dict[str, Any]:
    """The runs are emitted first, and then driven."""
    async with counted(url, steps) as application:
        for start in range(0, runs, CHUNK):
            await application.engine.emit_many([SIGNAL] * min(CHUNK, runs - start))
        began, cpu = time.perf_counter(), time.process_time()
        await application.engine.start()
        await application.until(runs)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"runs": runs, "seconds": took, "total": runs, "cpuMicrosecondsARun": round(cpu / runs * 1e6)}


def main() -> None:
    """`python -m benchmarks.engine.application '{"url": …, "shape": …, "steps": …, "seconds": …, "runs": …}'`"""
    wanted = json.loads(sys.argv[1])
    if wanted["shape"] == "live":
        work = live(wanted["url"], wanted["steps"], wanted["seconds"])
    else:
        work = burndown(wanted["url"], wanted["steps"], wanted["runs"])
    print(json.dumps({**uvloop.run(work), "settings": {"inFlight": IN_FLIGHT}}))


if __name__ == "__main__":
    main()
