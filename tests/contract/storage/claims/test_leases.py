"""Who holds a row: nobody writes with a lease that has passed on, and a death is counted where it belongs."""

from sqlalchemy import insert

from pulse.storage.claims import LEASE_MS, SUSPECT_AFTER, Claimed, Claims
from tests.contract.conftest import SetClock
from tests.contract.storage.claims.tasks import Task, Tasks


async def claimed(claims: Claims) -> Claimed:
    (row,) = await claims.claim(1)
    return row


async def expire(tasks: Tasks, clock: SetClock) -> int:
    clock.ms += LEASE_MS + 1
    return await tasks.claims("sweeper").sweep()


async def fenced(tasks: Tasks, *held: tuple[str, int]) -> set[str]:
    async with tasks.database.write() as connection:
        return await connection.run_sync(tasks.claims("w1").fence, held)


async def test_the_holder_may_write(tasks: Tasks) -> None:
    await tasks.add(Task("t1"), Task("t2"))
    first = await claimed(tasks.claims("w1"))
    assert await fenced(tasks, (first.id, first.epoch)) == {"t1"}
    assert await tasks.finish(first, result="mine") == {"t1"}
    assert (await tasks.rows())["t1"].result == "mine"


async def test_another_epoch_may_not(tasks: Tasks) -> None:
    await tasks.add(Task("t1"))
    row = await claimed(tasks.claims("w1"))
    for epoch in (row.epoch - 1, row.epoch + 1, 0, -1):
        assert await fenced(tasks, (row.id, epoch)) == set()
    assert await fenced(tasks, ("t2", row.epoch)) == set()
    assert await fenced(tasks) == set()


async def test_one_that_may_not_takes_no_other_with_it(tasks: Tasks) -> None:
    await tasks.add(Task("t1"), Task("t2"), Task("t3"))
    rows = await tasks.claims("w1").claim(3)
    held = [(row.id, row.epoch + (row.id == "t2")) for row in rows]
    assert await fenced(tasks, *held, held[0]) == {"t1", "t3"}


async def test_what_is_finished_is_not_finished_again(tasks: Tasks) -> None:
    await tasks.add(Task("t1"))
    row = await claimed(tasks.claims("w1"))
    assert await tasks.finish(row, result="first") == {"t1"}
    assert await tasks.finish(row, result="second") == set()
    assert (await tasks.rows())["t1"].result == "first"


async def test_after_a_sweep_the_old_holder_writes_nothing(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    old = await claimed(tasks.claims("w1"))
    assert await expire(tasks, clock) == 1
    assert await tasks.finish(old) == set()
    new = await claimed(tasks.claims("w2"))
    assert new.epoch == old.epoch + 1
    assert await tasks.finish(old, result="old") == set()
    assert await tasks.finish(new, result="new") == {"t1"}
    assert (await tasks.rows())["t1"].result == "new"


async def test_after_a_takeover_the_old_holder_writes_nothing(tasks: Tasks) -> None:
    await tasks.add(Task("t1"), Task("t2"))
    old = await claimed(tasks.claims("w1"))
    mine = await claimed(tasks.claims("w2"))
    assert await tasks.claims("w2").take_over() == 1
    assert await tasks.finish(old, mine) == {mine.id}
    assert (await tasks.rows())[old.id].deaths == 1
    assert (await tasks.rows())[mine.id].deaths == 0


async def test_the_same_worker_that_claims_again_is_another_holder(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    claims = tasks.claims("w1")
    old = await claimed(claims)
    await expire(tasks, clock)
    new = await claimed(claims)
    assert await tasks.finish(old) == set()
    assert await tasks.finish(new) == {"t1"}


async def test_a_lease_that_ran_out_is_still_its_holders_until_it_is_swept(tasks: Tasks, clock: SetClock) -> None:
    """Nobody else can have the row before the sweep, so a late result may as well count."""
    await tasks.add(Task("t1"))
    row = await claimed(tasks.claims("w1"))
    clock.ms += 10 * LEASE_MS
    assert await tasks.claims("w2").claim(1) == []
    assert await tasks.finish(row) == {"t1"}
    assert await tasks.claims("w2").sweep() == 0


async def test_a_sweep_minds_the_last_millisecond(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    await claimed(tasks.claims("w1"))
    clock.ms += LEASE_MS
    assert await tasks.claims("w2").sweep() == 0
    clock.ms += 1
    assert await tasks.claims("w2").sweep() == 1
    assert await tasks.claims("w2").sweep() == 0
    row = (await tasks.rows())["t1"]
    assert (row.state, row.owner, row.lease_until, row.epoch, row.deaths) == ("ready", None, None, 1, 1)


async def test_renewing_prolongs_exactly_the_named_leases_that_are_held(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"), Task("t2"), Task("t3"))
    rows = await tasks.claims("w1").claim(3)
    clock.ms += LEASE_MS - 1
    held = [(rows[0].id, rows[0].epoch), (rows[1].id, rows[1].epoch + 1)]
    assert await tasks.claims("w1").renew(held) == {rows[0].id}
    assert await tasks.claims("w1").renew([]) == set()
    clock.ms += 2
    assert await tasks.claims("w2").sweep() == 2
    assert await tasks.states() == {"t1": "running", "t2": "ready", "t3": "ready"}
    assert await tasks.claims("w1").renew([(row.id, row.epoch) for row in rows]) == {"t1"}


async def test_releasing_counts_no_death(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"), Task("t2"))
    rows = await tasks.claims("w1").claim(2)
    await tasks.claims("w1").release([rows[0]])
    row = (await tasks.rows())["t1"]
    assert (row.state, row.owner, row.lease_until, row.deaths) == ("ready", None, None, 0)
    assert (await tasks.states())["t2"] == "running"
    assert await tasks.finish(rows[0]) == set()
    assert (await claimed(tasks.claims("w2"))).epoch == 2


async def test_releasing_may_put_off(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    claims = tasks.claims("w1")
    await claims.release([await claimed(claims)], delay_ms=500)
    clock.ms += 499
    assert await claims.claim(1) == []
    clock.ms += 1
    assert await claimed(claims) == Claimed("t1", "a", 2)


async def test_a_worker_that_was_late_releases_nothing(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    old = await claimed(tasks.claims("w1"))
    await expire(tasks, clock)
    new = await claimed(tasks.claims("w2"))
    await tasks.claims("w1").release([old], delay_ms=5)
    assert await tasks.finish(new) == {"t1"}


async def die(tasks: Tasks, clock: SetClock, times: int) -> None:
    """So many holders of all rows die, one after another, each holding many."""
    for n in range(times):
        claims = tasks.claims(f"dies{n}")
        while await claims.claim(100):
            pass
        await expire(tasks, clock)


async def test_a_row_whose_holders_died_twice_is_a_suspect(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    await die(tasks, clock, SUSPECT_AFTER - 1)
    assert await tasks.claims("w1").claim_suspect() is None
    await die(tasks, clock, 1)
    await tasks.add(Task("t2"))
    assert [row.id for row in await tasks.claims("w1").claim(10)] == ["t2"]
    suspect = await tasks.claims("w1").claim_suspect()
    assert suspect == Claimed("t1", "a", SUSPECT_AFTER + 1, 0)
    assert (await tasks.rows())["t1"].alone
    assert await tasks.finish(suspect) == {"t1"}


async def test_suspects_come_one_by_one_when_they_are_due(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"), Task("t2", "b"), Task("t3"))
    await die(tasks, clock, 2)
    claims = tasks.claims("w1")
    first = await claims.claim_suspect()
    assert first is not None
    await claims.release([first], delay_ms=100)
    rest = [await claims.claim_suspect() for _ in range(3)]
    assert [row and row.id for row in (first, *rest)] == ["t1", "t2", "t3", None]
    clock.ms += 100
    again = await claims.claim_suspect()
    assert again == Claimed("t1", "a", 4, 0)


async def test_only_deaths_alone_count_against_a_row(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    await die(tasks, clock, 2)
    for lone_deaths in range(3):
        suspect = await tasks.claims("w1").claim_suspect()
        assert suspect is not None
        assert suspect.lone_deaths == lone_deaths
        await expire(tasks, clock)
    row = (await tasks.rows())["t1"]
    assert (row.deaths, row.lone_deaths, row.alone) == (5, 3, False)


async def test_a_takeover_counts_as_a_sweep_does(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    await die(tasks, clock, 2)
    await tasks.claims("w1").claim_suspect()
    assert await tasks.claims("w2").take_over() == 1
    row = (await tasks.rows())["t1"]
    assert (row.state, row.deaths, row.lone_deaths, row.alone) == ("ready", 3, 1, False)


async def test_a_release_by_hand_of_a_suspect_counts_nothing(tasks: Tasks, clock: SetClock) -> None:
    await tasks.add(Task("t1"))
    await die(tasks, clock, 2)
    suspect = await tasks.claims("w1").claim_suspect()
    assert suspect is not None
    await tasks.claims("w1").release([suspect])
    row = (await tasks.rows())["t1"]
    assert (row.deaths, row.lone_deaths, row.alone) == (2, 0, False)


async def test_a_row_may_be_held_from_its_birth(tasks: Tasks, clock: SetClock) -> None:
    claims = tasks.claims("w1")
    born = {"id": "t1", "organization_id": "a", "due_at": 0, **claims.held_from_birth()}
    async with tasks.database.write() as connection:
        await connection.execute(insert(tasks.table).values(born))
    assert await tasks.claims("w2").claim(1) == []
    assert await claims.renew([("t1", 1)]) == {"t1"}
    assert await fenced(tasks, ("t1", 1)) == {"t1"}
    assert await expire(tasks, clock) == 1
    assert await fenced(tasks, ("t1", 1)) == set()
    assert (await claimed(tasks.claims("w2"))).epoch == 2
