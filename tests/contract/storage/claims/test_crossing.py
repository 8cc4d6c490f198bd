"""Where two transactions meet at a lane: nobody is overlooked when one leaves while another joins.

Only PostgreSQL lets two of them write at the same time. Each meeting is tried at its worst point, with the lock on the
lane and, as a control, without: without it a row is stranded, or a lane has two heads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import Connection, text

from pulse.storage.claims import Claimed
from pulse.storage.database import Database
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.storage.claims.tasks import Pause, Task, Tasks, at_once, lane

Work = Coroutine[Any, Any, None]


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def other(tasks: Tasks, open_database: OpenDatabase, clock: SetClock) -> Tasks:
    """The same tasks, seen by another process."""
    return tasks.seen_by(open_database(clock=clock))


async def meet(database: Database, first: Callable[[Pause], Work], second: Callable[[], Work]) -> bool:
    """The first stands still in its middle until the second is over or waits; whether the second had to wait."""
    in_the_middle = asyncio.Event()
    go_on = asyncio.Event()

    async def pause() -> None:
        in_the_middle.set()
        await go_on.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(first(pause))
        await in_the_middle.wait()
        two = group.create_task(second())
        waits = False
        while not (two.done() or waits):
            waits = await somebody_waits(database)
        go_on.set()
    return waits


async def somebody_waits(database: Database) -> bool:
    """Whether a transaction waits for another one: for a lane, or for a row."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with database.read() as connection:
        return bool(await connection.scalar(text(query)))


async def join(tasks: Tasks, key: str, *, lock: bool, pause: Pause = at_once) -> None:
    async with tasks.database.write() as connection:
        await tasks.join(connection, lane(key), lock=lock, pause=pause)


async def leave(tasks: Tasks, row: Claimed, *, lock: bool, pause: Pause = at_once) -> None:
    async with tasks.database.write() as connection:
        await tasks.leave(connection, [row], lock=lock, pause=pause)


@pytest.mark.parametrize(("lock", "then"), [(True, "ready"), (False, "blocked")], ids=["locked", "unlocked-strands-it"])
async def test_one_leaves_while_another_is_about_to_join(tasks: Tasks, other: Tasks, lock: bool, then: str) -> None:
    """The joiner has seen the lane occupied and has not yet written its row."""
    await tasks.add(*lane("t1"))
    (head,) = await tasks.claims("w1").claim(1)
    waited = await meet(
        tasks.database,
        lambda pause: join(tasks, "t2", lock=lock, pause=pause),
        lambda: leave(other, head, lock=lock),
    )
    assert await tasks.states() == {"t1": "done", "t2": then}
    assert waited == lock


@pytest.mark.parametrize(("lock", "then"), [(True, "ready"), (False, "blocked")], ids=["locked", "unlocked-strands-it"])
async def test_one_joins_while_another_is_about_to_leave(tasks: Tasks, other: Tasks, lock: bool, then: str) -> None:
    """The leaver has looked for somebody to promote and has not yet committed."""
    await tasks.add(*lane("t1"))
    (head,) = await tasks.claims("w1").claim(1)
    waited = await meet(
        tasks.database,
        lambda pause: leave(tasks, head, lock=lock, pause=pause),
        lambda: join(other, "t2", lock=lock),
    )
    assert await tasks.states() == {"t1": "done", "t2": then}
    assert waited == lock


@pytest.mark.parametrize(("lock", "then"), [(True, "blocked"), (False, "ready")], ids=["locked", "unlocked-two-heads"])
async def test_two_join_an_empty_lane(tasks: Tasks, other: Tasks, lock: bool, then: str) -> None:
    waited = await meet(
        tasks.database,
        lambda pause: join(tasks, "t1", lock=lock, pause=pause),
        lambda: join(other, "t2", lock=lock),
    )
    assert await tasks.states() == {"t1": "ready", "t2": then}
    assert waited == lock


async def test_other_lanes_do_not_wait(tasks: Tasks, other: Tasks) -> None:
    assert not await meet(
        tasks.database,
        lambda pause: join(tasks, "t1", lock=True, pause=pause),
        lambda: other.add(*lane("t2", name="y"), *lane("u1", tenant="b"), Task("t3")),
    )
    assert set((await tasks.states()).values()) == {"ready"}


async def test_lanes_are_locked_in_one_order_whoever_names_them(tasks: Tasks, other: Tasks) -> None:
    """Two that want the same lanes, named in opposite orders, wait for each other in turn and not in a circle."""
    names = [f"l{n}" for n in range(20)]
    forwards = [Task(f"t{name}", lane=name) for name in names]
    backwards = [Task(f"u{name}", lane=name) for name in reversed(names)]
    for _ in range(5):
        await asyncio.gather(tasks.add(*forwards), other.add(*backwards))
        states = list((await tasks.states()).values())
        assert (states.count("ready"), states.count("blocked")) == (20, 20)
        await tasks.clear()


# The other meetings are about one row: a fence, a sweep, a claim.


async def swept(tasks: Tasks, wanted: int) -> None:
    assert await tasks.claims("sweeper").sweep() == wanted


async def test_a_sweep_passes_over_a_row_whose_holder_is_just_writing(
    tasks: Tasks, other: Tasks, clock: SetClock
) -> None:
    """And is not held up by it: a holder may stand still in the middle of its transaction for as long as it likes."""
    await tasks.add(Task("t1"), Task("t2"))
    one, two = await tasks.claims("w1").claim(2)
    clock.ms += 60_000
    assert not await meet(
        tasks.database,
        lambda pause: leave(tasks, one, lock=True, pause=pause),
        lambda: swept(other, 1),
    )
    assert await tasks.states() == {"t1": "done", "t2": "ready"}
    assert await tasks.finish(two) == set()


async def test_a_row_whose_holder_gave_up_in_the_middle_is_swept_next_time(
    tasks: Tasks, other: Tasks, clock: SetClock
) -> None:
    await tasks.add(Task("t1"))
    (row,) = await tasks.claims("w1").claim(1)
    clock.ms += 60_000
    with pytest.raises(ZeroDivisionError):
        async with tasks.database.write() as connection:
            await tasks.leave(connection, [row])
            async with asyncio.timeout(10):
                await swept(other, 0)
            raise ZeroDivisionError
    await swept(other, 1)


async def test_a_holder_that_comes_during_a_sweep_finds_its_lease_gone(
    tasks: Tasks, other: Tasks, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tasks.add(Task("t1"))
    (row,) = await tasks.claims("w1").claim(1)
    clock.ms += 60_000

    async def sweep(pause: Pause) -> None:
        monkeypatch.setattr(tasks.database, "transact", pausing_before_commit(tasks.database, pause))
        await swept(tasks, 1)

    assert await meet(other.database, sweep, lambda: leave(other, row, lock=True))
    assert await other.states() == {"t1": "ready"}


async def test_two_sweeps_at_once_count_one_death(
    tasks: Tasks, other: Tasks, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tasks.add(Task("t1"))
    await tasks.claims("w1").claim(1)
    clock.ms += 60_000

    async def sweep(pause: Pause) -> None:
        monkeypatch.setattr(tasks.database, "transact", pausing_before_commit(tasks.database, pause))
        await swept(tasks, 1)

    await meet(other.database, sweep, lambda: swept(other, 0))
    assert (await other.rows())["t1"].deaths == 1


def pausing_before_commit(database: Database, pause: Pause) -> Callable[[Callable[[Connection], int]], Awaitable[int]]:
    async def pausing(work: Callable[[Connection], int]) -> int:
        async with database.write() as connection:
            answer = await connection.run_sync(work)
            await pause()
        return answer

    return pausing
