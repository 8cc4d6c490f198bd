"""Many waiting runs: how exactly they go on, what a claim costs beside them, and how much memory they take."""

import asyncio
import gc
import resource
import statistics
import sys
import time
from typing import Any

from sqlalchemy import func, select

from benchmarks.engine.application import CHUNK, SIGNAL, storage
from benchmarks.peers import ground
from pulse import Action, Delay, Engine, Signal, Workflow, WorkflowContext
from pulse.engine.store.forms.values import moment_of

ACCURACY_BAR_MS, ACCURACY_GOAL_MS = 250, 50
MEMORY_BAR_MB = 200
SPREAD_S = 5.0
LONG_AGO = Signal(tenant_id="other", source="bench", type="bench.wait", payload={"n": 1})


def steps_of(delay_s: float) -> tuple[Delay | Action, ...]:
    return (Delay("pause", seconds=delay_s), Action("arrive"))


async def accuracy(url: str, waiting: int, delay_s: float) -> dict[str, Any]:
    """How long after its due time the step behind a delay is begun, while `waiting` runs wait."""
    arrived = asyncio.Event()
    left = waiting
    engine = Engine(url, concurrency=200)

    async def arrive(_context: WorkflowContext) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            arrived.set()

    engine.register_action("arrive", arrive)
    await engine.migrate()
    await engine.create_workflow(Workflow(SIGNAL.tenant_id, "wait", SIGNAL.type, steps_of(delay_s)))
    async with engine:
        # Spread over some seconds, so that they are due one after another.
        pause = SPREAD_S / (waiting / 100)
        for _ in range(waiting // 100):
            began = time.perf_counter()
            await engine.emit_many([SIGNAL] * 100)
            await asyncio.sleep(max(0.0, pause - (time.perf_counter() - began)))
        await arrived.wait()
        late = await lateness(engine)
    return {"p50Ms": round(late[len(late) // 2], 1), "p99Ms": round(late[int(len(late) * 0.99)], 1), "runs": len(late)}


async def lateness(engine: Engine) -> list[float]:
    """Of each run the milliseconds from the end of its delay to the start of the next step, rising."""
    steps = engine.plant.store.ground.tables.steps
    before, after = steps.alias("before"), steps.alias("after")
    pairs = select(before.c.scheduled_for, after.c.started_at).join(after, after.c.run_id == before.c.run_id)
    chosen = pairs.where(before.c.step_name == "pause", after.c.step_name == "arrive")
    async with engine.plant.store.database.read() as connection:
        rows = [(moment_of(row[0]), moment_of(row[1])) for row in await connection.execute(chosen)]
    return sorted((begun - due).total_seconds() * 1000 for due, begun in rows if due is not None and begun is not None)


async def claim_cost(url: str, waiting: int) -> dict[str, Any]:
    """How long a claim takes, with nothing else in the tables and with so many waiting runs; and the memory."""
    engine = Engine(url, concurrency=200)
    engine.register_action("arrive", lambda _context: None)
    await engine.migrate()
    await engine.create_workflow(Workflow(SIGNAL.tenant_id, "now", SIGNAL.type, (Action("arrive"),)))
    await engine.create_workflow(Workflow(LONG_AGO.tenant_id, "wait", LONG_AGO.type, steps_of(86_400)))
    empty = await claims(engine)
    gc.collect()
    before = resident_mb()
    async with engine:
        for _ in range(waiting // CHUNK):
            await engine.emit_many([LONG_AGO] * CHUNK)
        while (found := await at_rest(engine)) < waiting:
            print(f"  {found:,} of {waiting:,} wait", file=sys.stderr)
            await asyncio.sleep(2)
        memory = resident_mb()
    engine = Engine(url, concurrency=200)
    full = await claims(engine)
    await engine.stop()
    return {
        "claimMsEmpty": round(empty, 2),
        "claimMsWaiting": round(full, 2),
        "ratio": round(full / empty, 2),
        "memoryMb": round(memory),
        "memoryBeforeMb": round(before),
        "waiting": waiting,
    }


async def at_rest(engine: Engine) -> int:
    runs = engine.plant.store.ground.tables.runs
    async with engine.plant.store.database.read() as connection:
        return await connection.scalar(select(func.count()).where(runs.c.state == "waiting")) or 0


async def claims(engine: Engine) -> float:
    """The median time of claiming one run, in milliseconds."""
    times = []
    for _ in range(50):
        await engine.emit(SIGNAL)
        began = time.perf_counter()
        works = await engine.plant.store.queue.claim(1)
        times.append((time.perf_counter() - began) * 1000)
        assert len(works) == 1
        await engine.cancel_run(works[0].id)
    return statistics.median(times)


def resident_mb() -> float:
    """The largest this process has been."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def figures(waiting: int, many: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    databases: tuple[ground.Database, ...] = ("sqlite", "postgresql")
    for database in databases:
        with storage(database) as url:
            exact = asyncio.run(accuracy(url, waiting, 20.0))
        found[f"delay, {database}, {waiting:,} waiting"] = {**exact, "bar": ACCURACY_BAR_MS, "goal": ACCURACY_GOAL_MS}
        with storage(database) as url:
            found[f"claim, {database}, {many:,} waiting"] = asyncio.run(claim_cost(url, many))
    return found
