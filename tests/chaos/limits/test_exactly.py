"""Exactly as many messages are evaluated as the limit says: in many processes that die, each delivery many times."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from functools import partial

import pytest
from sqlalchemy import select

from pulse.billing.records import OveragePolicy
from pulse.billing.store import BillingStore
from pulse.billing.tables import BRANCH as BILLING
from pulse.billing.tables import billing_tables
from pulse.core.clock import SystemClock
from pulse.messages.tables import BRANCH as MESSAGES
from pulse.messages.tables import message_tables
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from tests.chaos.limits.sender import ORGANIZATION
from tests.chaos.rig.until import until
from tests.warm.start import Popen

PROCESSES = 4
ENDS: dict[OveragePolicy, str] = {"hard_limit": "ignore", "hold": "held"}
SIZES = {"share": (300, 6), "quick": (1_000, 20), "full": (5_000, 100)}


async def prepared(url: str, limit: int, policy: OveragePolicy) -> None:
    database = Database(url)
    await migrate(database, [MESSAGES, BILLING])
    store = BillingStore(database, billing_tables(database.prefix), SystemClock())
    await store.configure(ORGANIZATION, limit, policy)
    await database.close()


async def state(url: str) -> tuple[Counter[str], int, int, int]:
    """How many messages are in which state; how many results there are, how many keys, and how many were counted."""
    database = Database(url)
    messages, billing = message_tables(database.prefix), billing_tables(database.prefix)
    async with database.read() as connection:
        states = Counter((await connection.execute(select(messages.messages.c.state))).scalars())
        results = len((await connection.execute(select(messages.results.c.id))).all())
        keys = len((await connection.execute(select(messages.keys.c.key))).all())
    counted = (await BillingStore(database, billing, SystemClock()).usage(ORGANIZATION)).count
    await database.close()
    return states, results, keys, counted


@pytest.mark.timeout(600)
@pytest.mark.parametrize("policy", ["hard_limit", "hold"])
def test_processes_that_die_count_each_delivery_once(
    postgres_url: str, seed: int, chaos: str, policy: OveragePolicy
) -> None:
    count, kills = SIZES[chaos]
    limit, chance = count * 2 // 3, random.Random(seed)
    asyncio.run(prepared(postgres_url, limit, policy))

    def started() -> "subprocess.Popen[str]":
        arguments = [postgres_url, str(count), str(chance.randrange(1 << 30))]
        command = [sys.executable, "-m", "tests.chaos.limits.sender", *arguments]
        return Popen(command, stdout=subprocess.PIPE, text=True)

    running = [started() for _ in range(PROCESSES)]
    try:
        for _ in range(kills):
            before = sum(asyncio.run(state(postgres_url))[0].values())
            until(partial(moved, postgres_url, before, count), 60, "messages come", every=0.01)
            victim = chance.randrange(PROCESSES)
            running[victim].kill()
            running[victim].communicate(timeout=10)
            running[victim] = started()
        for process in running:
            assert process.communicate(timeout=120)[0].endswith("through\n")
            assert process.returncode == 0
    finally:
        for process in running:
            process.kill()
            process.communicate(timeout=10)
    states, results, keys, counted = asyncio.run(state(postgres_url))
    end = ENDS[policy]
    assert (keys, sum(states.values()), counted) == (count, count, limit)
    assert states[end] == count - limit, states
    assert results == (count - limit if policy == "hard_limit" else 0)


def moved(url: str, before: int, count: int) -> bool:
    """Whether more has come since; at the end nothing more comes."""
    now = sum(asyncio.run(state(url))[0].values())
    return now > before or now == count
