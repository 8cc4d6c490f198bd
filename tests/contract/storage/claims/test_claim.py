"""What is claimed, in which order, and whose turn it is."""

import pytest
from sqlalchemy import select
from sqlalchemy.schema import DropIndex

from pulse.storage.claims import LEASE_MS, Claimed
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.storage.claims.tasks import Task, Tasks


async def turns(tasks: Tasks, count: int, limit: int = 2) -> list[str]:
    """Whose rows come, claim after claim of one worker."""
    claims = tasks.claims("w1")
    batches = [await claims.claim(limit) for _ in range(count)]
    assert all(len({row.tenant for row in batch}) == 1 for batch in batches)
    return [batch[0].tenant for batch in batches]


def many(tenant: str, count: int) -> list[Task]:
    return [Task(f"{tenant}{n:05d}", tenant) for n in range(count)]


async def test_nothing_to_claim(tasks: Tasks) -> None:
    assert await tasks.claims("w1").claim(10) == []
    assert await tasks.claims("w1").claim_suspect() is None


async def test_a_claim_says_who_holds_the_row_until_when(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"), Task("t2", due_at=1))
    assert await tasks.claims("w1").claim(10) == [Claimed("t1", "a", 1), Claimed("t2", "a", 1)]
    for row in (await tasks.rows()).values():
        assert (row.state, row.owner, row.epoch) == ("running", "w1", 1)
        assert (row.lease_until, row.deaths, row.lone_deaths, row.alone) == (clock.ms + LEASE_MS, 0, 0, False)


async def test_the_lease_follows_the_databases_own_time(open_database: OpenDatabase) -> None:
    tasks = await Tasks.create(open_database())
    await tasks.add(Task("t1"))
    await tasks.claims("w1").claim(1)
    async with tasks.database.read() as connection:
        now = await connection.scalar(select(tasks.database.now()))
    assert isinstance(now, int)
    assert now + LEASE_MS - 10_000 < (await tasks.rows())["t1"].lease_until <= now + LEASE_MS
    assert await tasks.claims("w1").sweep() == 0


async def test_what_is_running_is_not_claimed_again(tasks: Tasks) -> None:
    await tasks.add(Task("t1"))
    assert await tasks.claims("w1").claim(10) != []
    assert await tasks.claims("w1").claim(10) == []
    assert await tasks.claims("w2").claim(10) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_at_most_so_many(tasks: Tasks, limit: int) -> None:
    await tasks.add(*many("a", 7))
    claims = tasks.claims("w1")
    sizes = [len(await claims.claim(limit)) for _ in range(8)]
    assert sum(sizes) == 7
    assert max(sizes) == min(limit, 7)


async def test_rows_come_when_they_are_due(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1", due_at=clock.ms + 1), Task("t2", due_at=clock.ms), Task("t3", due_at=clock.ms + 2))
    claims = tasks.claims("w1")
    assert [row.id for row in await claims.claim(10)] == ["t2"]
    assert await claims.claim(10) == []
    clock.ms += 1
    assert [row.id for row in await claims.claim(10)] == ["t1"]
    clock.ms += 1
    assert [row.id for row in await claims.claim(10)] == ["t3"]


@pytest.mark.parametrize("indexed", [True, False])
async def test_the_oldest_come_first(tasks: Tasks, indexed: bool) -> None:
    """By what the query says, not only by the order in which an index happens to be read."""
    if not indexed:
        async with tasks.database.write() as connection:
            for index in tasks.table.indexes:
                await connection.execute(DropIndex(index))
    await tasks.add(Task("t1", due_at=30), Task("t2", due_at=10), Task("t3", due_at=20), Task("t4", due_at=10))
    claims = tasks.claims("w1")
    assert [[row.id for row in await claims.claim(1)] for _ in range(4)] == [["t2"], ["t4"], ["t3"], ["t1"]]


async def test_rows_of_a_claim_are_in_the_order_of_their_ids(tasks: Tasks) -> None:
    await tasks.add(*(Task(f"t{n}", due_at=100 - n) for n in range(10)))
    assert [row.id for row in await tasks.claims("w1").claim(10)] == [f"t{n}" for n in range(10)]


async def test_a_tenant_with_very_many_rows_costs_another_one_batch(tasks: Tasks) -> None:
    await tasks.add(*many("m", 1_000))
    claims = tasks.claims("w1")
    for other in ("a", "z"):
        await claims.claim(50)
        await tasks.add(Task(f"{other}1", other))
        next_two = [await claims.claim(50) for _ in range(2)]
        assert other in {batch[0].tenant for batch in next_two}


async def test_tenants_take_turns(tasks: Tasks) -> None:
    names = ["a", "b", "c", "org_z"]
    for name in names:
        await tasks.add(*many(name, 9))
    assert await turns(tasks, 12) == names * 3


async def test_every_tenant_has_its_turn_whatever_its_name(tasks: Tasks) -> None:
    names = ["B", "a", "A", "_", "é", "e", "日本", "a b", "a'b", "%", "0", "~", "10", "9"]
    for name in names:
        await tasks.add(*many(name, 4))
    seen = await turns(tasks, 2 * len(names))
    assert sorted(seen[: len(names)]) == sorted(names)
    assert seen[len(names) :] == seen[: len(names)]


async def test_a_tenant_with_nothing_due_is_passed_over(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(*many("a", 3), *(Task(f"b{n}", "b", due_at=clock.ms + 9) for n in range(3)), *many("c", 3))
    assert await turns(tasks, 4, limit=1) == ["a", "c", "a", "c"]


async def test_one_statement_carries_as_many_as_there_are(tasks: Tasks) -> None:
    """1,203 rows: more than the chunk that a statement is cut into, and no multiple of it."""
    await tasks.add(*many("a", 1_203))
    claims = tasks.claims("w1")
    claimed = await claims.claim(2_000)
    held = [(row.id, row.epoch) for row in claimed]
    assert len(held) == 1_203
    assert len(await claims.renew(held)) == 1_203
    async with tasks.database.write() as connection:
        assert await connection.run_sync(claims.fence, held) == {key for key, _ in held}
    await claims.release(claimed[:1_001])
    assert len(await claims.claim(2_000)) == 1_001
    assert len(await tasks.finish(*claimed)) == 202
