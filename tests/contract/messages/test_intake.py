"""Intake: what is accepted is stored once, under its first id, and waits in its place."""

import asyncio
import json

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from pulse.core.ids import time_of
from pulse.messages.records import Accepted, NewMessage, Work
from tests.contract.messages.meeting import needs_two_writers, until_waiting
from tests.contract.messages.office import PRODUCTION, STAGING, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


async def together(office: Office, *messages: NewMessage) -> list[Accepted]:
    """Accepts messages in one transaction."""
    return list(await asyncio.gather(*(office.intake.accept(message) for message in messages)))


async def test_a_message_is_stored_as_it_came(office: Office) -> None:
    payload = b'{"organizationId":"org_a","n":1.0,"text":"\xc3\xa4 \\u00e4"}'
    message = office.message(type="order", payload=payload, origin_id="msg_before")
    assert await office.intake.accept(message) == Accepted(message.id)
    row = (await office.rows())[message.id]
    assert (row.organization_id, row.environment_id, row.type) == (A, PRODUCTION, "order")
    assert (row.state, row.epoch, row.owner, row.deaths, row.lane) == ("ready", 0, None, 0, None)
    assert (row.received_at, row.due_at, row.size) == (office.clock.now_ms(), office.clock.now_ms(), len(payload))
    assert (row.completed_at, row.segment_id, row.origin_id) == (None, None, "msg_before")
    assert time_of(message.id) == row.received_at
    assert await office.bytes_of(message.id) == (payload, None)


async def test_many_at_once_are_all_stored(office: Office) -> None:
    messages = [office.message(A if n % 2 else B, body={"n": n}) for n in range(600)]
    accepted = await together(office, *messages)
    assert [each.id for each in accepted] == [message.id for message in messages]
    assert {message.id for message in messages} <= set(await office.rows())
    assert json.loads((await office.bytes_of(messages[599].id))[0] or b"")["n"] == 599


# ---- idempotency keys ----------------------------------------------------------------------------------------


async def test_a_repeat_is_the_first_one(office: Office) -> None:
    first = office.message(idempotency_key="key")
    again = office.message(idempotency_key="key")
    assert await office.intake.accept(first) == Accepted(first.id)
    assert await office.intake.accept(again) == Accepted(first.id, deduplicated=True)
    assert again.id not in await office.rows()
    assert await office.bytes_of(again.id) == (None, None)


async def test_another_body_under_the_same_key_is_a_conflict(office: Office) -> None:
    first = office.message(idempotency_key="key", fingerprint=b"one")
    other = office.message(idempotency_key="key", fingerprint=b"two")
    await office.intake.accept(first)
    assert await office.intake.accept(other) == Accepted(first.id, deduplicated=True, conflict=True)
    assert other.id not in await office.rows()


async def test_the_same_key_twice_in_one_transaction(office: Office) -> None:
    one, same, other = (office.message(idempotency_key="key", fingerprint=f) for f in (b"1", b"1", b"2"))
    keyless = office.message()
    assert await together(office, one, same, keyless, other) == [
        Accepted(one.id),
        Accepted(one.id, deduplicated=True),
        Accepted(keyless.id),
        Accepted(one.id, deduplicated=True, conflict=True),
    ]
    assert set(await office.rows()) & {one.id, same.id, keyless.id, other.id} == {one.id, keyless.id}


@pytest.mark.parametrize("place", [(A, STAGING), (B, PRODUCTION), (B, STAGING)])
async def test_a_key_belongs_to_its_environment(office: Office, place: tuple[str, str]) -> None:
    here = office.message(A, PRODUCTION, idempotency_key="key", fingerprint=b"one")
    there = office.message(*place, idempotency_key="key", fingerprint=b"two")
    assert await together(office, here, there) == [Accepted(here.id), Accepted(there.id)]
    later = office.message(*place, idempotency_key="key", fingerprint=b"two")
    assert await office.intake.accept(later) == Accepted(there.id, deduplicated=True)


async def test_two_processes_that_get_the_same_key_store_it_once(office: Office, beside: Office) -> None:
    ours = [office.message(idempotency_key=f"key {n}") for n in range(20)]
    theirs = [beside.message(idempotency_key=f"key {n}") for n in reversed(range(20))]
    answers = await asyncio.gather(together(office, *ours), together(beside, *theirs))
    for one, other in zip(answers[0], reversed(answers[1]), strict=True):
        assert one.id == other.id
        assert {one.deduplicated, other.deduplicated} == {True, False}
    assert len([row for row in (await office.rows()).values() if row.organization_id == A]) == 20


async def test_two_processes_that_get_the_same_keys_do_not_wait_for_each_other(office: Office, beside: Office) -> None:
    needs_two_writers(office.database)
    ours = [office.message(idempotency_key=f"key {n}") for n in range(9)]
    theirs = [beside.message(idempotency_key=f"key {n}") for n in reversed(range(9))]
    middle = {"organization_id": A, "environment_id": PRODUCTION, "key": "key 4", "fingerprint": b"", "message_id": ""}
    async with asyncio.TaskGroup() as tasks, office.database.read() as outside:
        await outside.execute(insert(office.tables.keys), [{**middle, "created_at": 0}])
        first, second = tasks.create_task(together(office, *ours)), tasks.create_task(together(beside, *theirs))
        await until_waiting(beside.database, 2)
        await outside.rollback()
    assert {each.id for each in first.result()} == {each.id for each in second.result()}


# ---- lanes ---------------------------------------------------------------------------------------------------


async def test_the_first_of_a_lane_is_ready_and_the_others_wait(office: Office) -> None:
    batch = [office.message(lane="lane") for _ in range(3)]
    apart = [office.message(lane="other"), office.message(), office.message(B, lane="lane"), office.message()]
    await together(office, batch[0], apart[0], batch[1], apart[1], apart[2], apart[3], batch[2])
    assert await office.states(message.id for message in batch) == ["ready", "blocked", "blocked"]
    assert await office.states(message.id for message in apart) == ["ready"] * 4
    late = await office.accept(lane="lane")
    assert await office.states([late]) == ["blocked"]


async def test_a_lane_is_free_again_when_all_have_left(office: Office) -> None:
    await office.ended_message(lane="lane")
    later = await office.accept(lane="lane")
    assert await office.states([later]) == ["ready"]


async def test_a_lane_spans_environments_of_one_organization_only(office: Office) -> None:
    """A lane is the organization's: order is kept though a sender changes environments."""
    first = await office.accept(A, PRODUCTION, lane="lane")
    second = await office.accept(A, STAGING, lane="lane")
    third = await office.accept(B, PRODUCTION, lane="lane")
    assert await office.states([first, second, third]) == ["ready", "blocked", "ready"]


async def test_two_processes_that_fill_one_lane_make_one_message_ready(office: Office, beside: Office) -> None:
    for lane in ("one", "two", "three"):
        batches = [[place.message(lane=lane) for _ in range(5)] for place in (office, beside)]
        await asyncio.gather(together(office, *batches[0]), together(beside, *batches[1]))
        states = await office.states(message.id for batch in batches for message in batch)
        assert sorted(states) == ["blocked"] * 9 + ["ready"]


async def test_a_repeat_takes_no_place_in_a_lane(office: Office) -> None:
    first = office.message(lane="lane", idempotency_key="key")
    await together(office, first, office.message(lane="lane", idempotency_key="key"))
    assert [row.state for row in (await office.rows()).values() if row.organization_id == A] == ["ready"]


# ---- what goes wrong -----------------------------------------------------------------------------------------


async def test_one_that_cannot_be_stored_takes_no_other_with_it(office: Office) -> None:
    first = office.message()
    await office.intake.accept(first)
    good = [office.message(lane="lane"), office.message(idempotency_key="key"), office.message()]
    answers = await asyncio.gather(
        *(office.intake.accept(message) for message in [good[0], first, *good[1:]]), return_exceptions=True
    )
    assert isinstance(answers[1], IntegrityError)
    assert answers[0] == Accepted(good[0].id)
    assert answers[2:] == [Accepted(good[1].id), Accepted(good[2].id)]
    assert await office.states(message.id for message in good) == ["ready"] * 3


# ---- past the queue ------------------------------------------------------------------------------------------


class Worker:
    """Takes so many messages past the queue."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.taken: list[Work] = []
        self.hints = 0

    def room(self) -> int:
        return self._room - len(self.taken)

    def take(self, work: Work) -> None:
        self.taken.append(work)

    def hint(self) -> None:
        self.hints += 1


async def test_a_worker_with_room_gets_the_message_claimed(office: Office) -> None:
    office.intake.worker = worker = Worker(room=1)
    message = office.message(lane="lane")
    accepted = await office.intake.accept(message)
    assert accepted.work == worker.taken[0]
    row = (await office.rows())[message.id]
    assert (row.state, row.epoch) == ("running", 1)
    assert row.lease_until > office.clock.now_ms()
    assert worker.taken[0].payload == message.payload
    assert (worker.taken[0].epoch, worker.taken[0].lane, worker.taken[0].environment_id) == (1, "lane", PRODUCTION)
    assert await office.finish(worker.taken[0])
    assert await office.states([message.id]) == ["success"]


async def test_what_finds_no_room_or_is_blocked_waits_in_the_queue(office: Office) -> None:
    office.intake.worker = worker = Worker(room=2)
    batch = [office.message(lane="lane"), office.message(lane="lane"), office.message(B), office.message()]
    await together(office, *batch)
    assert await office.states(message.id for message in batch) == ["running", "blocked", "running", "ready"]
    assert [work.id for work in worker.taken] == [batch[0].id, batch[2].id]
    assert worker.hints == 2


async def test_a_repeat_is_not_run_again(office: Office) -> None:
    office.intake.worker = worker = Worker(room=9)
    await together(office, *(office.message(idempotency_key="key") for _ in range(3)))
    assert len(worker.taken) == 1
