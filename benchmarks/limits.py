"""What counting costs a message: intake with the limit check, beside the same intake without it, on both databases.

Batches form as they do under load: so many senders at once share each transaction. PostgreSQL is the server of
PULSE_BENCH_POSTGRES (default: the one on 127.0.0.1:5432), in a database of its own; without one it is left out.
"""

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import Connection

from benchmarks.report import Series, options, publish
from benchmarks.workload import MESSAGE
from pulse.billing.meter import Meter
from pulse.billing.store import BillingStore
from pulse.billing.tables import BRANCH as BILLING
from pulse.billing.tables import billing_tables
from pulse.core.clock import SystemClock
from pulse.core.ids import Ids
from pulse.messages.allowance import Allowance, Refusal
from pulse.messages.intake import Intake
from pulse.messages.records import NewMessage
from pulse.messages.tables import BRANCH as MESSAGES
from pulse.messages.tables import message_tables
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.migrations import migrate

SENDERS = 256
BAR_US = 50
POSTGRES = os.environ.get("PULSE_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


class Unasked(Allowance):
    """Lets everything in, and counts nothing."""

    def refusals(self, _connection: Connection, _messages: Sequence[NewMessage]) -> dict[str, Refusal]:
        return {}


async def measure(url: str, rounds: int, seconds: float) -> tuple[Series, Series]:
    """Microseconds that a message takes, without and with the limit check; the two take turns."""
    database, clock = Database(url), SystemClock()
    await migrate(database, [MESSAGES, BILLING])
    billing, messages = billing_tables(database.prefix), message_tables(database.prefix)
    meter, ids = Meter(database, billing, clock), Ids(clock)
    await BillingStore(database, billing, clock).configure("org", 10**12, "hard_limit")
    try:
        taken: dict[type[Allowance], list[float]] = {Unasked: [], Allowance: []}
        for number in range(2 * rounds + 2):
            kind = (Unasked, Allowance)[number % 2]
            claims, committer = Claims(database, messages.messages, owner=f"bench-{number}"), Committer(database)
            allowance = kind(meter, messages)
            intake = Intake(database, messages, committer, claims, allowance, lambda _id: None)
            took = await _round(intake, ids, clock, seconds)
            # The first of each only warms up.
            taken[kind].extend([took] if number > 1 else [])
        return Series(taken[Unasked]), Series(taken[Allowance])
    finally:
        await database.close()


async def _round(intake: Intake, ids: Ids, clock: SystemClock, seconds: float) -> float:
    count, began = 0, time.perf_counter()

    async def sender() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            count += 1
            await intake.accept(NewMessage(ids.new("msg"), "org", "env", "order", MESSAGE, clock.now_ms()))

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return (time.perf_counter() - began) / count * 1e6


@asynccontextmanager
async def postgres() -> AsyncIterator[str | None]:
    """A database for this run alone; None where no server answers."""
    name = f"pulse_bench_{secrets.token_hex(4)}"
    try:
        server = await asyncpg.connect(POSTGRES)
    except OSError:
        yield None
        return
    try:
        await server.execute(f'CREATE DATABASE "{name}"')
        yield POSTGRES.rpartition("/")[0] + f"/{name}"
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await server.close()


async def run(rounds: int, seconds: float) -> dict[str, tuple[Series, Series]]:
    with tempfile.TemporaryDirectory() as folder:
        found = {"SQLite": await measure(f"sqlite+aiosqlite:///{Path(folder) / 'pulse.db'}", rounds, seconds)}
    async with postgres() as url:
        if url is not None:
            found["PostgreSQL"] = await measure(url, rounds, seconds)
    return found


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each round takes")
    given = parser.parse_args()
    rows, figures = [], {}
    for name, (without, counted) in asyncio.run(run(given.rounds, given.seconds)).items():
        cost = counted.median - without.median
        verdict = f"{cost:.1f} µs a message (bar {BAR_US} µs)"
        rows.append((f"{name}: the limit check", verdict))
        rows.append((f"{name}: intake without and with it", f"{without.median:.0f} and {counted.median:.0f} µs"))
        figures[name.lower()] = {"costUs": round(cost, 1), "without": without.rounded(), "with": counted.rounded()}
    publish("limits", rows, {**figures, "barUs": BAR_US}, as_json=given.json)


if __name__ == "__main__":
    main()
