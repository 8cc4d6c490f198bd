"""Lanes: one after another, by id, and only the head of a lane is ever ready."""

from collections.abc import Awaitable

import pytest
from sqlalchemy import text

from pulse.storage.claims import LEASE_MS, Claimed
from tests.contract.conftest import SetClock
from tests.contract.storage.claims.tasks import Task, Tasks, lane


async def ids(claiming: Awaitable[list[Claimed]]) -> list[str]:
    return [row.id for row in await claiming]


async def test_only_the_head_of_a_lane_is_ready(tasks: Tasks) -> None:
    await tasks.add(*lane("t1", "t2", "t3"), *lane("t4", "t5", name="y"), Task("t6"))
    await tasks.add(*lane("t7"), *lane("u1", tenant="b"))
    assert await tasks.states() == {
        "t1": "ready", "t2": "blocked", "t3": "blocked", "t4": "ready", "t5": "blocked", "t6": "ready",
        "t7": "blocked", "u1": "ready",
    }  # fmt: skip
    assert await ids(tasks.claims("w1").claim(10)) == ["t1", "t4", "t6"]


async def test_rows_of_a_lane_run_one_after_another_by_id(tasks: Tasks) -> None:
    await tasks.add(*lane("t2"))
    await tasks.add(*lane("t4"))
    await tasks.add(*lane("t3", "t1"))
    ran = []
    while claimed := await tasks.claims("w1").claim(10):
        (row,) = claimed
        assert await tasks.claims("w2").claim(10) == []
        assert await tasks.finish(row) == {row.id}
        ran.append(row.id)
    # t2 was there before t1 came.
    assert ran == ["t2", "t1", "t3", "t4"]


async def test_a_tenants_lane_is_not_another_tenants(tasks: Tasks) -> None:
    await tasks.add(*lane("t1", "t2"), *lane("u1", "u2", tenant="b"))
    (first,) = await tasks.claims("w1").claim(10)
    await tasks.finish(first)
    assert await tasks.states() == {"t1": "done", "t2": "ready", "u1": "ready", "u2": "blocked"}


async def test_promoting_leaves_alone_what_is_not_blocked(tasks: Tasks) -> None:
    await tasks.add(*lane("t1", "t2"), *lane("t3", name="y"), Task("t4"))
    before = await tasks.rows()
    async with tasks.database.write() as connection:
        await connection.run_sync(tasks.claims("w1").promote, [("a", "x"), ("a", "y"), ("a", "none"), ("b", "x")])
        await connection.run_sync(tasks.claims("w1").promote, [])
    assert await tasks.rows() == before


async def test_a_held_head_holds_its_lane(tasks: Tasks) -> None:
    await tasks.add(*lane("t1", "t2"))
    async with tasks.database.write() as connection:
        await connection.execute(text(f"UPDATE \"{tasks.table.name}\" SET state = 'held' WHERE id = 't1'"))  # noqa: S608
        await connection.run_sync(tasks.claims("w1").promote, [("a", "x")])
        assert await connection.run_sync(tasks.claims("w1").occupied, [("a", "x"), ("a", "y")]) == {("a", "x")}
    assert await tasks.states() == {"t1": "held", "t2": "blocked"}


async def test_a_swept_or_released_head_stays_the_head(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(*lane("t1", "t2"))
    await tasks.claims("w1").claim(10)
    clock.ms += LEASE_MS + 1
    assert await tasks.claims("w2").sweep() == 1
    again = await tasks.claims("w2").claim(10)
    assert [row.id for row in again] == ["t1"]
    await tasks.claims("w2").release(again)
    assert await tasks.states() == {"t1": "ready", "t2": "blocked"}


async def test_a_finish_that_is_rolled_back_promotes_nobody(tasks: Tasks) -> None:
    await tasks.add(*lane("t1", "t2"))
    (row,) = await tasks.claims("w1").claim(10)
    with pytest.raises(ZeroDivisionError):
        async with tasks.database.write() as connection:
            await tasks.leave(connection, [row])
            raise ZeroDivisionError
    assert await tasks.states() == {"t1": "running", "t2": "blocked"}


async def test_more_lanes_than_one_statement_carries(tasks: Tasks) -> None:
    heads = [Task(f"h{n:04d}", lane=f"l{n}") for n in range(1_201)]
    await tasks.add(*heads, *(Task(f"i{n:04d}", lane=f"l{n}") for n in range(1_201)))
    claimed = await tasks.claims("w1").claim(2_000)
    assert len(claimed) == 1_201
    assert len(await tasks.finish(*claimed)) == 1_201
    assert {row.id for row in await tasks.claims("w1").claim(2_000)} == {f"i{n:04d}" for n in range(1_201)}
