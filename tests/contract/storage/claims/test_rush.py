"""Many workers at once, on real connections: no row comes to two of them, none is left, and lanes keep their order."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable

from pulse.storage.claims import Claimed
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.storage.claims.tasks import Task, Tasks, lane

WORKERS = 8
Work = Callable[[Tasks, Claimed], Awaitable[None]]


async def work_off(tasks: Tasks, owner: str, batch: int, work: Work) -> None:
    """Claims and works until nothing is left that is ready, running or blocked."""
    claims = tasks.claims(owner)
    while set(map(str, (await tasks.states()).values())) != {"done"}:
        for row in await claims.claim(batch):
            await work(tasks, row)


async def finish(tasks: Tasks, row: Claimed) -> None:
    assert await tasks.finish(row) == {row.id}


async def test_no_row_comes_to_two_workers(tasks: Tasks, open_database: OpenDatabase, clock: SetClock) -> None:
    await tasks.add(*(Task(f"t{n:04d}", tenant=f"org{n % 3}") for n in range(240)))
    places = [tasks, tasks.seen_by(open_database(clock=clock))]
    taken: Counter[str] = Counter()

    async def note(where: Tasks, row: Claimed) -> None:
        taken[row.id] += 1
        await finish(where, row)

    await asyncio.gather(*(work_off(places[n % 2], f"w{n}", 7, note) for n in range(WORKERS)))
    assert set(taken.values()) == {1}
    assert len(taken) == 240
    assert {row.epoch for row in (await tasks.rows()).values()} == {1}


async def test_claims_at_the_same_moment_share_no_row(
    tasks: Tasks, open_database: OpenDatabase, clock: SetClock
) -> None:
    await tasks.add(*(Task(f"t{n:04d}") for n in range(160)))
    places = [tasks, tasks.seen_by(open_database(clock=clock))]
    for _ in range(5):
        batches = await asyncio.gather(*(places[n % 2].claims(f"w{n}").claim(20) for n in range(WORKERS)))
        seen = [row.id for batch in batches for row in batch]
        assert len(set(seen)) == len(seen)
        # Whoever found rows locked by the others may have come away with less, but not all of them did.
        assert seen
        rows = await tasks.rows()
        for n, batch in enumerate(batches):
            assert all((rows[row.id].owner, rows[row.id].epoch) == (f"w{n}", row.epoch) for row in batch)
        await tasks.claims("w").release(list(itertools.chain(*batches)))


async def test_lanes_keep_their_order_while_rows_join_and_leave(
    tasks: Tasks, open_database: OpenDatabase, clock: SetClock
) -> None:
    names = ["x", "y", "z"]
    other = tasks.seen_by(open_database(clock=clock))
    for name in names:
        await tasks.add(*lane(f"{name}00", name=name))
    ran: dict[str, list[str]] = {name: [] for name in names}
    running: Counter[str] = Counter()

    async def run(where: Tasks, row: Claimed) -> None:
        name = row.id[0]
        running[name] += 1
        assert running[name] == 1
        ran[name].append(row.id)
        await where.states()
        assert running[name] == 1
        # It counts as over before its finish is known to the others, never after.
        running[name] -= 1
        await finish(where, row)

    async def join(name: str) -> None:
        for n in range(1, 15):
            await other.add(*lane(f"{name}{n:02d}", name=name))

    async with asyncio.timeout(30):
        await asyncio.gather(
            *(join(name) for name in names),
            *(work_off(other if n % 2 else tasks, f"w{n}", 3, run) for n in range(4)),
        )
        await work_off(tasks, "last", 3, run)
    assert ran == {name: [f"{name}{n:02d}" for n in range(15)] for name in names}
