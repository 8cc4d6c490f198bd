"""Messages that leave with the outcome of another: all of them or none, once, and only if the lease is still held."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from pulse.core.ids import derive_id
from pulse.messages.records import NewMessage, Work
from pulse.storage.claims import LEASE_MS
from tests.contract.messages.office import DAY, PRODUCTION, STAGING, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


def child(work: Work, number: int = 1, **more: Any) -> NewMessage:
    """What a workflow node of this message sends."""
    child_id = derive_id("msg", work.id, "child", number)
    given = {
        "id": child_id,
        "organization_id": work.organization_id,
        "environment_id": work.environment_id,
        "type": "workflow_trigger",
        "payload": b'{"type":"workflow_trigger","n":%d}' % number,
        "received_at": work.received_at + 5,
        "idempotency_key": f"child:{child_id}",
        "fingerprint": child_id.encode(),
        **more,
    }
    return NewMessage(**given)


async def claimed(office: Office, *arguments: Any, **more: Any) -> Work:
    message_id = await office.accept(*arguments, **more)
    works = {work.id: work for work in await office.claim(*arguments[:1])}
    return works[message_id]


async def ours(office: Office) -> list[str]:
    """The ids of all messages but the bystander's."""
    return [row.id for row in (await office.rows()).values() if row.organization_id != "org_bystander"]


class Hinted:
    """A worker that takes nothing and counts the hints."""

    def __init__(self) -> None:
        self.hints = 0

    def room(self) -> int:
        return 0

    def take(self, work: Work) -> None:
        raise AssertionError("nobody has room")

    def hint(self) -> None:
        self.hints += 1


async def test_a_child_leaves_with_the_outcome(office: Office) -> None:
    work = await claimed(office, A, STAGING, type="order")
    sent = child(work)
    assert await office.finish(work, children=(sent,))
    row = (await office.rows())[sent.id]
    assert (row.state, row.organization_id, row.environment_id, row.type) == ("ready", A, STAGING, "workflow_trigger")
    assert (row.received_at, row.size, row.lane, row.origin_id) == (sent.received_at, len(sent.payload), None, None)
    assert (await office.bytes_of(sent.id))[0] == sent.payload
    assert await office.states([work.id]) == ["success"]
    office.clock.ms += 5
    (found,) = await office.claim()
    assert (found.id, found.payload, found.type) == (sent.id, sent.payload, "workflow_trigger")


@pytest.mark.parametrize("status", ["success", "fail", "ignore"])
async def test_it_leaves_whatever_the_outcome_is(office: Office, status: str) -> None:
    work = await claimed(office)
    assert await office.finish(work, status, children=(child(work),))
    assert await office.states([work.id, child(work).id]) == [status, "ready"]


async def test_workers_hear_that_there_is_something_to_do(office: Office) -> None:
    office.intake.worker = hinted = Hinted()
    work, other = await claimed(office), await claimed(office)
    before = hinted.hints
    assert await office.finish(work)
    assert hinted.hints == before
    assert await office.finish(other, children=(child(other),))
    assert hinted.hints == before + 1
    assert await office.finish(replace(other, epoch=9), children=(child(other, 2),)) is False
    assert hinted.hints == before + 1


@pytest.mark.parametrize("epoch", [-1, 1])
async def test_without_the_lease_nothing_leaves(office: Office, epoch: int) -> None:
    work = await claimed(office)
    assert await office.finish(replace(work, epoch=work.epoch + epoch), children=(child(work),)) is False
    assert await ours(office) == [work.id]
    assert await office.states([work.id]) == ["running"]


async def test_after_the_lease_has_passed_on_only_the_new_holder_sends(office: Office, beside: Office) -> None:
    old = await claimed(office)
    office.clock.ms += LEASE_MS + 1
    await beside.queue.sweep()
    (new,) = await beside.claim()
    assert await office.finish(old, children=(child(old, 1), child(old, 2))) is False
    assert await ours(office) == [old.id]
    assert await beside.finish(new, children=(child(new, 1),)) is True
    assert await office.finish(old, children=(child(old, 1), child(old, 2))) is False
    assert await ours(office) == sorted([old.id, child(old, 1).id])


async def test_what_was_canceled_sends_nothing(office: Office) -> None:
    work = await claimed(office)
    await office.queue.cancel(A, work.id)
    assert await office.finish(work, children=(child(work),)) is False
    assert await ours(office) == [work.id]


async def test_an_outcome_that_cannot_be_stored_sends_nothing(office: Office) -> None:
    work, other = await claimed(office), await claimed(office)
    async with office.database.write() as connection:
        await connection.execute(insert(office.tables.results), [{"id": work.id, "body": b"in the way"}])
    answers = await asyncio.gather(
        office.finish(work, children=(child(work),)),
        office.finish(other, children=(child(other),)),
        return_exceptions=True,
    )
    assert isinstance(answers[0], DBAPIError)
    assert answers[1] is True
    assert await ours(office) == sorted([work.id, other.id, child(other).id])
    assert await office.states([work.id, other.id]) == ["running", "success"]


async def test_many_leave_at_once_in_one_batch(office: Office) -> None:
    works = [await claimed(office, A, PRODUCTION), await claimed(office, A, STAGING), await claimed(office, B)]
    batch = [
        office.finish(work, children=tuple(child(work, number) for number in range(count)))
        for work, count in zip(works, (300, 1, 700), strict=True)
    ]
    assert await asyncio.gather(*batch) == [True, True, True]
    rows = await office.rows()
    places = [(rows[child(work, 0).id].organization_id, rows[child(work, 0).id].environment_id) for work in works]
    assert places == [(A, PRODUCTION), (A, STAGING), (B, PRODUCTION)]
    assert len(await ours(office)) == 3 + 300 + 1 + 700


async def test_in_a_batch_only_those_send_who_hold_their_lease(office: Office) -> None:
    works = [await claimed(office) for _ in range(3)]
    lost = replace(works[1], epoch=works[1].epoch + 1)
    answers = await asyncio.gather(*(office.finish(w, children=(child(w),)) for w in (works[0], lost, works[2])))
    assert answers == [True, False, True]
    assert await ours(office) == sorted([*(work.id for work in works), child(works[0]).id, child(works[2]).id])


async def test_a_child_does_not_wait_behind_its_parents_lane(office: Office) -> None:
    work = await claimed(office, lane="lane")
    behind = await office.accept(lane="lane")
    assert await office.finish(work, children=(child(work),))
    assert await office.states([behind, child(work).id]) == ["ready", "ready"]


async def test_a_message_that_waited_for_long_sends_its_children_too(office: Office) -> None:
    """A child has its parent's time, and whatever is so old is about to be taken away."""
    message_id = await office.accept()
    office.clock.ms += (office.days + 40) * DAY
    await office.retention.enforce()
    (work,) = await office.claim()
    assert await office.finish(work, children=(child(work, received_at=office.clock.now_ms()),)) is True
    assert await office.states([message_id, child(work).id]) == ["success", "ready"]


async def test_a_child_that_was_sent_already_is_not_in_the_way(office: Office) -> None:
    """The first evaluation's script sent it at once; in the second, after a crash, the same call is a node's."""
    work = await claimed(office)
    await office.intake.accept(child(work))
    assert await office.finish(work, children=(child(work), child(work, 2))) is True
    assert await office.states([work.id, child(work).id, child(work, 2).id]) == ["success", "ready", "ready"]
