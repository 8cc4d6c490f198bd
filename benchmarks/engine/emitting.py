"""What `emit` costs beside one single-row commit on the same database: one caller after another, and 64 at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text

from benchmarks.engine.application import SIGNAL, counted, storage
from benchmarks.peers import ground

CALLERS = 64
BARS = {"one after another": (0.2, 0.4), "64 at once": (4, 8)}


async def measured(url: str, seconds: float) -> dict[str, float]:
    """Calls a second."""
    async with counted(url, 3) as application:
        database = application.engine.plant.store.database

        async def commit() -> None:
            await database.transact(lambda connection: connection.execute(text("INSERT INTO single (n) VALUES (1)")))

        async def emit() -> None:
            await application.engine.emit(SIGNAL)

        place = "INTEGER PRIMARY KEY" if database.dialect == "sqlite" else "BIGSERIAL PRIMARY KEY"
        async with database.write() as connection:
            await connection.execute(text(f"CREATE TABLE single (id {place}, n INTEGER)"))
        return {
            "commit": await rate(commit, 1, seconds),
            "one after another": await rate(emit, 1, seconds),
            "64 at once": await rate(emit, CALLERS, seconds),
        }


async def rate(call: Callable[[], Awaitable[None]], callers: int, seconds: float) -> float:
    for _ in range(20):
        await call()
    done = 0
    end = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / seconds


def figures(seconds: float) -> dict[str, Any]:
    """For both databases, the calls a second and their ratio to the single commit."""
    found: dict[str, Any] = {}
    databases: tuple[ground.Database, ...] = ("sqlite", "postgresql")
    for database in databases:
        with storage(database) as url:
            rates = asyncio.run(measured(url, seconds))
        for name, (bar, goal) in BARS.items():
            found[f"emit, {database}, {name}"] = {
                "perSecond": round(rates[name], 1),
                "commitsPerSecond": round(rates["commit"], 1),
                "ratio": round(rates[name] / rates["commit"], 2),
                "bar": bar,
                "goal": goal,
            }
    return found
