"""The queue: claimed messages come with their payloads, go back unharmed, and can be ended early."""

import asyncio

import pytest
from msgspec.structs import replace

from pulse.core.errors import Conflict, NotFound
from pulse.storage.claims import LEASE_MS, SUSPECT_AFTER
from tests.contract.messages.meeting import needs_two_writers, until_waiting
from tests.contract.messages.office import PRODUCTION, STAGING, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


async def test_what_is_claimed_comes_with_its_payload(office: Office) -> None:
    messages = [office.message(A, STAGING if n else PRODUCTION, lane=f"lane {n}", body={"n": n}) for n in range(3)]
    await asyncio.gather(*(office.intake.accept(message) for message in messages))
    works = await office.queue.claim(2)
    assert [(work.id, work.payload, work.environment_id, work.lane) for work in works] == [
        (message.id, message.payload, message.environment_id, message.lane) for message in messages[:2]
    ]
    assert {(work.organization_id, work.epoch, work.lone_deaths, work.received_at) for work in works} == {
        (A, 1, 0, office.clock.now_ms())
    }
    assert [work.id for work in await office.queue.claim(2)] == [messages[2].id]
    assert await office.queue.claim(2) == []


async def test_tenants_take_turns(office: Office) -> None:
    ours = [await office.accept(A) for _ in range(6)]
    theirs = [await office.accept(B) for _ in range(2)]
    turns = [await office.queue.claim(2) for _ in range(5)]
    assert [[work.id for work in turn] for turn in turns] == [ours[:2], theirs, ours[2:4], ours[4:], []]
    assert [{work.organization_id for work in turn} for turn in turns[:4]] == [{A}, {B}, {A}, {A}]


async def test_two_workers_never_get_the_same_message(office: Office, beside: Office) -> None:
    ids = [await office.accept() for _ in range(20)]
    batches = await asyncio.gather(*((office, beside)[n % 2].queue.claim(4) for n in range(8)))
    claimed = [work.id for batch in batches for work in batch]
    assert sorted(claimed) == ids


async def test_a_lease_that_is_renewed_outlives_the_sweep(office: Office, beside: Office) -> None:
    kept, lost = await office.accept(), await office.accept()
    works = {work.id: work for work in await office.claim()}
    office.clock.ms += LEASE_MS - 1
    await office.queue.renew([works[kept]])
    assert await beside.queue.sweep() == 0
    office.clock.ms += 2
    assert await beside.queue.sweep() == 1
    assert await office.states([kept, lost]) == ["running", "ready"]
    rows = await office.rows()
    assert (rows[kept].deaths, rows[lost].deaths) == (0, 1)


async def test_a_message_that_is_put_off_is_due_later(office: Office) -> None:
    message_id = await office.accept()
    await office.queue.release(await office.claim(), 1_000)
    assert await office.queue.claim(1) == []
    office.clock.ms += 999
    assert await office.queue.claim(1) == []
    office.clock.ms += 1
    (work,) = await office.queue.claim(1)
    assert (work.id, work.epoch) == (message_id, 2)
    assert (await office.rows())[message_id].deaths == 0


async def test_a_message_that_is_handed_back_is_claimed_at_once(office: Office, beside: Office) -> None:
    message_id = await office.accept()
    old = await office.claim()
    await office.queue.release(old)
    (work,) = await beside.queue.claim(1)
    assert work.id == message_id
    await office.queue.release(old)
    assert await office.states([message_id]) == ["running"], "who held it before may not hand it back again"


async def test_a_suspect_is_claimed_alone(office: Office) -> None:
    suspect, other = await office.accept(), await office.accept()
    await office.put_into(suspect, deaths=SUSPECT_AFTER)
    assert [work.id for work in await office.queue.claim(9)] == [other]
    work = await office.queue.claim_suspect()
    assert work is not None
    assert (work.id, work.lone_deaths, work.payload) == (suspect, 0, (await office.bytes_of(suspect))[0])
    assert await office.queue.claim_suspect() is None
    office.clock.ms += LEASE_MS + 1
    await office.queue.sweep()
    again = await office.queue.claim_suspect()
    assert again is not None
    assert again.lone_deaths == 1


async def test_whoever_knows_that_the_others_are_dead_takes_over(office: Office, beside: Office) -> None:
    theirs, ours = await office.accept(), await office.accept()
    (held,) = await beside.queue.claim(1)
    await office.queue.claim(1)
    assert held.id == theirs
    assert await office.queue.take_over() == 1
    assert await office.states([theirs, ours]) == ["ready", "running"]


# ---- cancelling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["ready", "blocked", "running", "held"])
async def test_what_has_not_ended_can_be_canceled(office: Office, state: str) -> None:
    heard: list[str] = []
    office.queue.on_cancel = heard.append
    message_id = await office.accept()
    await office.put_into(message_id, state=state, epoch=7)
    office.clock.ms += 50
    await office.queue.cancel(A, message_id)
    row = (await office.rows())[message_id]
    assert (row.state, row.completed_at, row.epoch) == ("canceled", office.clock.now_ms(), 8)
    assert heard == [message_id]
    assert await office.queue.claim(9) == []


@pytest.mark.parametrize("status", ["success", "fail", "ignore", "canceled"])
async def test_what_has_ended_cannot(office: Office, status: str) -> None:
    heard: list[str] = []
    office.queue.on_cancel = heard.append
    message_id = await office.ended_message(status=status)
    before = (await office.rows())[message_id]
    office.clock.ms += 50
    with pytest.raises(Conflict) as refused:
        await office.queue.cancel(A, message_id)
    assert refused.value.details == {"status": status}
    assert (await office.rows())[message_id] == before
    assert heard == []


async def test_nobody_cancels_what_is_anothers(office: Office) -> None:
    message_id = await office.accept()
    for organization_id, wanted in ((B, message_id), (A, "msg_unknown"), ("", message_id)):
        with pytest.raises(NotFound):
            await office.queue.cancel(organization_id, wanted)
    assert await office.states([message_id]) == ["ready"]


async def test_what_the_worker_writes_after_a_cancel_is_refused(office: Office) -> None:
    message_id = await office.accept()
    (work,) = await office.claim()
    await office.queue.cancel(A, message_id)
    assert not await office.finish(work)
    await office.queue.release([work])
    await office.queue.renew([work])
    assert await office.states([message_id]) == ["canceled"]
    assert (await office.bytes_of(message_id))[1] is None


async def test_a_cancel_makes_room_in_the_lane(office: Office) -> None:
    first, second, third = [await office.accept(lane="lane") for _ in range(3)]
    theirs = [await office.accept(B, lane="lane") for _ in range(2)]
    await office.queue.cancel(A, second)
    assert await office.states([first, second, third]) == ["ready", "canceled", "blocked"]
    await office.queue.cancel(A, first)
    assert await office.states([first, second, third]) == ["canceled", "canceled", "ready"]
    assert await office.states(theirs) == ["ready", "blocked"]


async def test_a_cancel_of_what_runs_lets_the_next_one_run(office: Office) -> None:
    first, second = [await office.accept(lane="lane") for _ in range(2)]
    await office.claim()
    await office.queue.cancel(A, first)
    (work,) = await office.claim()
    assert work.id == second


async def test_a_cancel_and_an_outcome_that_meet_do_not_wait_for_each_other(office: Office, beside: Office) -> None:
    """An outcome locks its lane, then its row; who took them the other way round would wait for ever."""
    needs_two_writers(office.database)
    first, second = [await office.accept(lane="lane") for _ in range(2)]
    (work,) = await office.claim()
    async with office.database.write() as connection:
        await connection.run_sync(office.claims.lock_lanes, [(A, "lane")])
        canceling = asyncio.create_task(beside.queue.cancel(A, first))
        await until_waiting(office.database)
        await connection.run_sync(office.claims.fence, [(work.id, work.epoch)])
    await canceling
    assert await office.states([first, second]) == ["canceled", "ready"]


async def test_a_cancel_that_comes_too_late_finds_the_outcome(office: Office, beside: Office) -> None:
    needs_two_writers(office.database)
    message_id = await office.accept(lane="lane")
    (work,) = await office.claim()
    async with office.database.write() as connection:
        canceling = asyncio.create_task(beside.queue.cancel(A, message_id))
        assert await connection.run_sync(office.outcomes._store, [office.outcome(work)]) == [True]
        await until_waiting(office.database)
    with pytest.raises(Conflict):
        await canceling
    assert await office.states([message_id]) == ["success"]


async def test_a_message_that_joins_while_the_head_is_canceled_is_not_forgotten(office: Office, beside: Office) -> None:
    for round_ in range(5):
        head = await office.accept(lane=f"lane {round_}")
        joining = beside.message(lane=f"lane {round_}")
        await asyncio.gather(office.queue.cancel(A, head), beside.intake.accept(joining))
        assert await office.states([head, joining.id]) == ["canceled", "ready"]


async def test_a_stale_epoch_renews_nothing(office: Office) -> None:
    message_id = await office.accept()
    (work,) = await office.claim()
    office.clock.ms += 10
    await office.queue.renew([replace(work, epoch=work.epoch - 1), replace(work, epoch=work.epoch + 1)])
    assert (await office.rows())[message_id].lease_until == office.clock.now_ms() - 10 + LEASE_MS
