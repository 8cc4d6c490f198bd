"""Outcomes: stored whole, once, by whoever holds the lease; one that may not be stored takes no other with it."""

import asyncio

import pytest
from msgspec.structs import replace
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from pulse.storage.claims import LEASE_MS
from tests.contract.messages.meeting import needs_two_writers, until_waiting
from tests.contract.messages.office import A, B, Office, body

pytestmark = pytest.mark.usefixtures("bystander")


async def test_an_outcome_is_stored_whole(office: Office) -> None:
    message_id = await office.accept(lane="lane")
    (work,) = await office.claim()
    office.clock.ms += 321
    kept = body(globals={"n": 1})
    fields = {"code": "no_match", "workflow_id": "wf_1", "workflow_name": "Orders", "workflow_version": 3}
    assert await office.finish(work, "ignore", body=kept, error="TypeError: x", **fields) is True
    row = (await office.rows())[message_id]
    assert (row.state, row.completed_at, row.elapsed_ms) == ("ignore", office.clock.now_ms(), 321)
    assert {name: getattr(row, name) for name in fields} == fields
    assert (row.error, row.lane, row.segment_id) == ("TypeError: x", "lane", None)
    assert (await office.bytes_of(message_id))[1] == kept
    assert office.ended == [message_id]


@pytest.mark.parametrize("status", ["success", "fail", "ignore"])
async def test_each_status_ends_a_message(office: Office, status: str) -> None:
    message_id = await office.ended_message(status=status)
    assert await office.states([message_id]) == [status]
    assert await office.queue.claim(9) == []


async def test_a_stale_epoch_writes_nothing(office: Office) -> None:
    message_id = await office.accept()
    (work,) = await office.claim()
    before = (await office.rows())[message_id]
    for epoch in (work.epoch - 1, work.epoch + 1):
        assert await office.finish(replace(work, epoch=epoch)) is False
    assert (await office.rows())[message_id] == before
    assert (await office.bytes_of(message_id))[1] is None
    assert office.ended == []


async def test_nobody_writes_after_the_lease_has_passed_on(office: Office, beside: Office) -> None:
    message_id = await office.accept()
    (old,) = await office.claim()
    office.clock.ms += LEASE_MS + 1
    await beside.queue.sweep()
    assert await office.finish(old, "fail") is False
    (new,) = await beside.claim()
    assert await office.finish(old, "fail") is False
    assert await beside.finish(new, "success") is True
    assert await office.finish(old, "fail") is False
    assert await office.states([message_id]) == ["success"]
    assert (office.ended, beside.ended) == ([], [message_id])


async def test_a_second_outcome_changes_nothing(office: Office) -> None:
    message_id = await office.accept()
    (work,) = await office.claim()
    assert await office.finish(work, "success", body=body(globals={"first": 1})) is True
    assert await office.finish(work, "fail", body=body(globals={"second": 1})) is False
    assert await office.states([message_id]) == ["success"]
    assert (await office.bytes_of(message_id))[1] == body(globals={"first": 1})


async def test_those_who_hold_their_lease_are_stored_though_others_of_the_batch_are_not(office: Office) -> None:
    ids = [await office.accept(B if n == 3 else A) for n in range(4)]
    works = {work.id: work for work in [*await office.claim(A), *await office.claim(B)]}
    stale = replace(works[ids[1]], epoch=works[ids[1]].epoch - 1)
    batch = [works[ids[0]], stale, works[ids[2]], works[ids[3]]]
    assert await asyncio.gather(*(office.finish(work) for work in batch)) == [True, False, True, True]
    assert await office.states(ids) == ["success", "running", "success", "success"]
    assert sorted(office.ended) == sorted([ids[0], ids[2], ids[3]])


async def test_many_at_once_are_all_stored(office: Office) -> None:
    ids = [await office.accept() for _ in range(5)]
    more = await asyncio.gather(*(office.intake.accept(office.message(B)) for _ in range(700)))
    works = [*await office.claim(A, 1_000), *await office.claim(B, 1_000)]
    assert all(await asyncio.gather(*(office.finish(work) for work in works)))
    assert set(await office.states([*ids, *(each.id for each in more)])) == {"success"}


async def test_index_and_body_are_stored_together_or_not_at_all(office: Office) -> None:
    """The body cannot be written: then the status is not either, and the others of the batch are."""
    ids = [await office.accept(lane="lane" if n < 2 else None) for n in range(3)]
    works = {work.id: work for work in await office.claim()}
    async with office.database.write() as connection:
        await connection.execute(insert(office.tables.results), [{"id": ids[0], "body": b"in the way"}])
    answers = await asyncio.gather(*(office.finish(works[each]) for each in (ids[0], ids[2])), return_exceptions=True)
    assert isinstance(answers[0], DBAPIError)
    assert answers[1] is True
    assert await office.states(ids) == ["running", "blocked", "success"]
    assert office.ended == [ids[2]]


async def test_the_next_of_the_lane_becomes_ready(office: Office) -> None:
    ids = [await office.accept(lane="lane") for _ in range(3)]
    theirs = [await office.accept(B, lane="lane") for _ in range(2)]
    (work,) = await office.claim()
    assert await office.states(ids) == ["running", "blocked", "blocked"]
    await office.finish(work, "fail")
    assert await office.states(ids) == ["fail", "ready", "blocked"]
    assert await office.states(theirs) == ["ready", "blocked"]


async def test_an_outcome_that_is_refused_moves_no_lane(office: Office) -> None:
    ids = [await office.accept(lane="lane") for _ in range(2)]
    (work,) = await office.claim()
    assert await office.finish(replace(work, epoch=9)) is False
    assert await office.states(ids) == ["running", "blocked"]


@pytest.mark.parametrize("leaving", ["outcome", "cancel"])
async def test_who_joins_a_lane_while_its_head_leaves_is_not_forgotten(
    office: Office, beside: Office, leaving: str
) -> None:
    """The one that joins has seen the head and will wait behind it; the head must see it in turn."""
    needs_two_writers(office.database)
    head = await office.accept(lane="lane")
    (work,) = await office.claim()
    joining = beside.message(lane="lane")
    async with beside.database.write() as connection:
        await connection.run_sync(beside.claims.lock_lanes, [(A, "lane")])
        leave = office.finish(work) if leaving == "outcome" else office.queue.cancel(A, head)
        left = asyncio.create_task(leave)
        await until_waiting(beside.database)
        await connection.run_sync(beside.intake._insert, [joining], 0)
    await left
    assert await office.states([head, joining.id]) == ["success" if leaving == "outcome" else "canceled", "ready"]


async def test_lanes_that_end_and_fill_at_once_lose_nobody(office: Office, beside: Office) -> None:
    for round_ in range(5):
        head = await office.accept(lane=f"lane {round_}")
        (work,) = await office.claim()
        joining = [beside.message(lane=f"lane {round_}") for _ in range(3)]
        await asyncio.gather(office.finish(work), *(beside.intake.accept(message) for message in joining))
        states = await office.states([head, *(message.id for message in joining)])
        assert states == ["success", "ready", "blocked", "blocked"]
        for message in joining:
            await office.queue.cancel(A, message.id)
