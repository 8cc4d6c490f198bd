"""Reading: one message whole, or a page of the list; only one's own, and nothing that was deleted."""

import json

import pytest

from pulse.core.errors import NotFound
from pulse.messages import reading
from pulse.messages.reading import Filter
from pulse.messages.records import DELETED
from tests.contract.messages.office import HOUR, PRODUCTION, STAGING, A, B, Office, body

pytestmark = pytest.mark.usefixtures("bystander")


async def listed(office: Office, organization_id: str = A, **wanted: object) -> list[str]:
    """The ids that a filter finds, which the list and `ids` must agree on."""
    chosen = Filter(**wanted)  # type: ignore[arg-type]
    page = await office.reader.page(organization_id, chosen, limit=1_000, newest_first=False)
    found = [row.id for row in page.rows]
    assert await office.reader.ids(organization_id, chosen, 1_000) == found
    assert (page.total, page.more) == (len(found), False)
    return found


# ---- one message ---------------------------------------------------------------------------------------------


async def test_a_message_that_waits_has_no_body(office: Office) -> None:
    message_id = await office.accept(type="order", lane="lane", body={"n": 1})
    stored = await office.reader.message(A, message_id)
    assert (stored.row.status, stored.row.type, stored.row.lane) == ("ready", "order", "lane")
    assert (stored.row.completed_at, stored.body, stored.archived) == (None, None, None)
    assert json.loads(stored.payload)["n"] == 1
    shown = json.loads(await office.document(A, message_id))
    assert shown["status"] == "pending"
    assert "context" not in shown


async def test_a_message_that_ended_has_its_body(office: Office) -> None:
    kept = body(globals={"n": 1}, result={"a": 2})
    message_id = await office.ended_message(outcome={"body": kept})
    assert (await office.reader.message(A, message_id)).body == kept
    shown = json.loads(await office.document(A, message_id))
    assert (shown["status"], shown["result"], shown["context"]["n"]) == ("success", {"a": 2}, 1)


async def test_what_is_anothers_is_not_there(office: Office, bystander: str) -> None:
    ours = await office.ended_message()
    for organization_id, wanted in ((B, ours), (A, bystander), (A, "msg_unknown"), ("", ours)):
        with pytest.raises(NotFound):
            await office.reader.message(organization_id, wanted)


async def test_what_was_deleted_is_not_there(office: Office) -> None:
    gone, kept = await office.ended_message(type="t"), await office.ended_message(type="t")
    await office.put_into(gone, state=DELETED)
    with pytest.raises(NotFound):
        await office.reader.message(A, gone)
    assert await listed(office) == [kept]
    assert await listed(office, type="t", ids=(gone, kept)) == [kept]
    assert await listed(office, status=DELETED) == []


# ---- filters -------------------------------------------------------------------------------------------------


async def test_nothing_asked_for_is_everything_of_ones_own(office: Office) -> None:
    ours = [await office.accept(A, place) for place in (PRODUCTION, STAGING)]
    theirs = await office.accept(B)
    assert await listed(office, A) == ours
    assert await listed(office, B) == [theirs]
    assert await listed(office, "org_c") == []


async def test_by_environment_and_type(office: Office) -> None:
    one = await office.accept(A, PRODUCTION, type="order")
    two = await office.accept(A, STAGING, type="order")
    three = await office.accept(A, STAGING, type="Order")
    await office.accept(B, STAGING, type="order")
    assert await listed(office, environment_id=STAGING) == [two, three]
    assert await listed(office, type="order") == [one, two]
    assert await listed(office, environment_id=STAGING, type="order") == [two]
    assert await listed(office, type="orde") == []


async def test_by_status(office: Office) -> None:
    ids = {}
    for status in ("success", "fail", "ignore", "canceled"):
        ids[status] = await office.ended_message(status=status)
    waiting = await office.accept()
    pending = []
    for state in ("ready", "blocked", "running"):
        pending.append(await office.accept())
        await office.put_into(pending[-1], state=state)
    held = await office.accept()
    await office.put_into(held, state="held")
    assert {status: await listed(office, status=status) for status in ids} == {
        status: [message_id] for status, message_id in ids.items()
    }
    assert await listed(office, status="pending") == [waiting, *pending]
    assert await listed(office, status="held") == [held]
    assert await listed(office, status="unheard-of") == []


async def test_by_workflow_and_time(office: Office) -> None:
    start = office.clock.now_ms()
    ids = []
    for n in range(3):
        ids.append(await office.ended_message(outcome={"workflow_id": f"wf_{n % 2}"}))
        office.clock.ms += HOUR
    assert await listed(office, workflow_id="wf_0") == [ids[0], ids[2]]
    assert await listed(office, since=start + HOUR) == ids[1:]
    assert await listed(office, until=start + HOUR) == ids[:1]
    assert await listed(office, since=start + HOUR, until=start + 2 * HOUR) == [ids[1]]
    assert await listed(office, since=start + HOUR, workflow_id="wf_0") == [ids[2]]


async def test_by_text(office: Office) -> None:
    typed = await office.ended_message(type="Order.Created")
    named = await office.ended_message(outcome={"workflow_name": "Ship the order"})
    failed = await office.ended_message(status="fail", outcome={"error": "TypeError: 100% of order_lines"})
    other = await office.ended_message(type="invoice")
    assert await listed(office, text="ORDER") == [typed, named, failed]
    assert await listed(office, text="100%") == [failed]
    assert await listed(office, text="order_l") == [failed]
    assert await listed(office, text="100_") == []
    assert await listed(office, text=other[4:]) == [other]
    assert await listed(office, B, text="order") == []


async def test_by_ids(office: Office, bystander: str) -> None:
    ids = [await office.accept() for _ in range(3)]
    theirs = await office.accept(B)
    assert await listed(office, ids=(ids[2], ids[0], theirs, bystander, "msg_unknown")) == [ids[0], ids[2]]


# ---- pages ---------------------------------------------------------------------------------------------------


async def test_pages_follow_each_other(office: Office) -> None:
    ids = [await office.accept() for _ in range(5)]
    await office.accept(B)
    newest = [await office.reader.page(A, Filter(), page=number, limit=2) for number in (1, 2, 3, 4)]
    assert [[row.id for row in page.rows] for page in newest] == [ids[:2:-1], ids[2:0:-1], ids[:1], []]
    assert {(page.total, page.more) for page in newest} == {(5, False)}
    oldest = await office.reader.page(A, Filter(), page=2, limit=2, newest_first=False)
    assert [row.id for row in oldest.rows] == ids[2:4]
    assert await office.reader.ids(A, Filter(), 3) == ids[:3]


@pytest.mark.parametrize(("count", "total", "more"), [(4, 4, False), (5, 5, False), (6, 5, True), (9, 5, True)])
async def test_a_total_stops_at_its_bound(
    office: Office, monkeypatch: pytest.MonkeyPatch, count: int, total: int, more: bool
) -> None:
    monkeypatch.setattr(reading, "MAX_TOTAL", 5)
    ids = [await office.accept(type="t") for _ in range(count)]
    page = await office.reader.page(A, Filter(type="t"), page=2, limit=3, newest_first=False)
    assert (page.total, page.more) == (total, more)
    assert [row.id for row in page.rows] == ids[3:6]
