"""A long history: throughput with a million finished runs in the tables, beside empty ones."""

import asyncio
import statistics
import time
from typing import Any

from sqlalchemy import String, cast, insert, literal, select, text, true

from benchmarks.engine.application import SIGNAL, Counted, storage
from benchmarks.peers import ground

BAR = 0.9


async def rate(application: Counted, runs: int) -> float:
    """Runs a second of a backlog, in tables as they are."""
    before = application.ended
    for start in range(0, runs, 500):
        await application.engine.emit_many([SIGNAL] * min(500, runs - start))
    began = time.perf_counter()
    application.engine.plant.worker.hint()
    await application.until(before + runs)
    return runs / (time.perf_counter() - began)


async def filled(application: Counted, finished: int) -> None:
    """Copies a finished run, with its trigger and steps, until there are so many."""
    database = application.engine.plant.store.database
    tables = application.engine.plant.store.ground.tables
    runs = tables.runs.c
    one = select(runs.id).order_by(runs.id).limit(1).scalar_subquery()
    trigger = select(runs.trigger_id).order_by(runs.id).limit(1).scalar_subquery()
    for table, renamed, which in (
        (tables.triggers, {"id"}, tables.triggers.c.id == trigger),
        (tables.runs, {"id", "trigger_id"}, runs.id == one),
        (tables.steps, {"id", "run_id"}, tables.steps.c.run_id == one),
    ):
        numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
        numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < finished))
        number = cast(numbers.c.n, String)
        values = [column + "-" + number if column.name in renamed else column for column in table.c]
        copies = select(*values).select_from(table.join(numbers, true())).where(which)
        async with database.write() as connection:
            await connection.execute(insert(table).from_select(list(table.c.keys()), copies))
    if database.dialect == "postgresql":
        async with database.raw_writer() as connection:
            await connection.execute(text("VACUUM ANALYZE"))


async def measured(url: str, finished: int, rounds: int, runs: int) -> dict[str, Any]:
    application = Counted(url, 3)
    await application.prepare()
    async with application.engine:
        await rate(application, runs)
        empty = [await rate(application, runs) for _ in range(rounds)]
        await filled(application, finished)
        await rate(application, runs)
        full = [await rate(application, runs) for _ in range(rounds)]
    ratio = statistics.median(full) / statistics.median(empty)
    return {
        "emptyRunsPerSecond": round(statistics.median(empty), 1),
        "runsPerSecond": round(statistics.median(full), 1),
        "finished": finished,
        "ratio": round(ratio, 2),
        "bar": BAR,
        "goal": 1.0,
    }


def figures(finished: int, rounds: int, runs: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    databases: tuple[ground.Database, ...] = ("sqlite", "postgresql")
    for database in databases:
        with storage(database) as url:
            found[f"history, {database}, {finished:,} finished runs"] = asyncio.run(
                measured(url, finished, rounds, runs)
            )
    return found
