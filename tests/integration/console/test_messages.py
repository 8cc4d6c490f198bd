"""`/api/messages`: what was processed, and what can be done with it."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from pulse.core.clock import iso
from tests.integration.receiver.installation import Installation, Tenant

MESSAGES = "/api/messages"


@pytest.fixture
async def here(alone: Installation) -> Tenant:
    return await alone.tenant()


async def listed(pulse: Installation, tenant: Tenant, **query: Any) -> list[str]:
    answer = await pulse.client.get(MESSAGES, params={"limit": 1000, **query}, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


async def post(pulse: Installation, tenant: Tenant, path: str, body: Any = None) -> httpx2.Response:
    return await pulse.client.post(f"{MESSAGES}/{path}", json=body, headers=tenant.headers)


async def test_a_message_that_waits(pulse: Installation, acme: Tenant) -> None:
    message_id = await pulse.sent(acme, {"type": "order", "n": 1.50})
    answer = await pulse.client.get(f"{MESSAGES}/{message_id}", headers=acme.headers)
    found = answer.json()
    assert (answer.status_code, found["id"], found["status"]) == (200, message_id, "pending")
    assert found["receivedAt"].endswith("Z")
    assert not {"completedAt", "result", "workflowId", "context", "reason"} & found.keys()


@pytest.mark.parametrize("status", ["success", "fail", "ignore"])
async def test_a_message_that_ended(alone: Installation, here: Tenant, status: str) -> None:
    message_id = await alone.sent(here, b'{"type": "order", "n": 1.50}')
    fields = {"workflow_id": "wf_1", "workflow_name": "W", "workflow_version": 3} if status != "ignore" else {}
    await alone.end(status, code="no_match" if status == "ignore" else None, elapsed_ms=125, **fields)
    answer = await alone.client.get(f"{MESSAGES}/{message_id}", headers=here.headers)
    found = answer.json()
    assert (found["status"], found["elapsedMs"]) == (status, 125)
    assert found["context"]["____error_count____"] == 0
    assert found.get("workflowName") == ("W" if fields else None)
    assert found.get("reason") == ({"code": "no_match"} if status == "ignore" else None)
    assert b'"n": 1.50' in answer.content
    assert await listed(alone, here, status=status) == [message_id]


async def test_filters(alone: Installation, here: Tenant) -> None:
    ended = {}
    for status in ("success", "fail", "ignore"):
        ended[status] = await alone.sent(here, {"type": f"type.{status}"})
        await alone.end(status, workflow_id=f"wf_{status}", workflow_name=f"Workflow of {status}", error="50% broke_n")
    waits = await alone.sent(here, {"type": "type.waits"})
    untyped = await alone.sent(here, {})
    for status, message_id in ended.items():
        assert await listed(alone, here, status=status) == [message_id]
        assert await listed(alone, here, type=f"type.{status}") == [message_id]
        assert await listed(alone, here, workflowId=f"wf_{status}") == [message_id]
        assert await listed(alone, here, q=f"of {status.upper()}") == [message_id]
    assert await listed(alone, here, status="pending") == [untyped, waits]
    assert await listed(alone, here, status="canceled") == await listed(alone, here, status="held") == []
    assert await listed(alone, here, q=waits[10:]) == [waits]
    assert await listed(alone, here, q="50% broke_n", status="fail") == [ended["fail"]]
    assert await listed(alone, here, q="5%broke") == await listed(alone, here, q="broke-n") == []
    assert await listed(alone, here, type="type") == await listed(alone, here, type="TYPE.FAIL") == []


async def test_times_sort_and_pages(pulse: Installation, acme: Tenant) -> None:
    ids = [await pulse.sent(acme, {"n": n}) for n in range(5)]
    rows = (await pulse.client.get(MESSAGES, params={"sort": "receivedAt"}, headers=acme.headers)).json()["data"]
    assert [row["id"] for row in rows] == ids
    assert await listed(pulse, acme) == await listed(pulse, acme, sort="-receivedAt") == ids[::-1]
    assert await listed(pulse, acme, page=2, limit=2) == [ids[2], ids[1]]
    first, last = rows[0]["receivedAt"], rows[-1]["receivedAt"]
    received = [row["receivedAt"] for row in rows]
    assert await listed(pulse, acme, **{"from": first}) == ids[::-1]
    assert await listed(pulse, acme, to=first) == []
    before_last = [message_id for message_id, at in zip(ids, received, strict=True) if at < last]
    assert await listed(pulse, acme, **{"from": first, "to": last}) == before_last[::-1]
    assert await listed(pulse, acme, **{"from": "2000-01-01", "to": "2100-01-01T00:00:00+02:00"}) == ids[::-1]
    assert await listed(pulse, acme, **{"from": "2100-01-01"}) == []


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=", "from"),
        ("from=1700000000", "from"),
        ("status=done", "status"),
        ("status=deleted", "status"),
        ("status=ready", "status"),
        ("sort=type", "sort"),
        ("q=" + "x" * 201, "q"),
        ("where=payload.amount>100", "where"),
        ("statsu=fail", "statsu"),
    ],
)
async def test_a_filter_that_is_none_is_refused(pulse: Installation, acme: Tenant, query: str, path: str) -> None:
    """Never passed over: the list would show what nobody asked for."""
    answer = await pulse.client.get(f"{MESSAGES}?{query}", headers=acme.headers)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path)


async def test_waiting_for_an_outcome(alone: Installation, here: Tenant) -> None:
    message_id = await alone.sent(here, {})
    path = f"{MESSAGES}/{message_id}"
    early = await alone.client.get(path, params={"wait": 0.01}, headers=here.headers)
    assert early.json()["status"] == "pending"
    waiting = asyncio.create_task(alone.client.get(path, params={"wait": 30}, headers=here.headers))
    await alone.end()
    assert (await waiting).json()["status"] == "success"


async def test_cancel(pulse: Installation, acme: Tenant) -> None:
    message_id = await pulse.sent(acme, {"n": 1})
    answer = await post(pulse, acme, f"{message_id}/cancel")
    assert (answer.status_code, answer.json()) == (200, {"id": message_id, "status": "canceled"})
    found = (await pulse.client.get(f"{MESSAGES}/{message_id}", headers=acme.headers)).json()
    assert (found["status"], found["message"]["n"]) == ("canceled", 1)
    assert found["completedAt"]
    again = await post(pulse, acme, f"{message_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert await listed(pulse, acme, status="canceled") == [message_id]


async def test_what_is_canceled_frees_its_lane(alone: Installation, here: Tenant) -> None:
    first = await alone.sent(here, {"n": 1}, pulse_partition_key="lane")
    second = await alone.sent(here, {"n": 2}, pulse_partition_key="lane")
    await post(alone, here, f"{first}/cancel")
    assert [work.id for work in await alone.parts.queue.claim(10)] == [second]


async def test_delete(alone: Installation, here: Tenant) -> None:
    message_id = await alone.sent(here, {"n": 1})
    path = f"{MESSAGES}/{message_id}"
    early = await alone.client.delete(path, headers=here.headers)
    assert (early.status_code, "cancel it first" in early.json()["detail"]) == (409, True)
    await alone.end()
    assert (await alone.client.delete(path, headers=here.headers)).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await alone.client.request(method, path, headers=here.headers)).status_code == 404
    assert await listed(alone, here) == []


@pytest.mark.parametrize("action", ["cancel", "replay"])
@pytest.mark.parametrize("message_id", ["msg_none", "x" * 3_000, "%00", "msg_" + "0" * 26])
async def test_no_such_message(pulse: Installation, acme: Tenant, message_id: str, action: str) -> None:
    assert (await post(pulse, acme, f"{message_id}/{action}")).status_code == 404
    for method in ("GET", "DELETE"):
        answer = await pulse.client.request(method, f"{MESSAGES}/{message_id}", headers=acme.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_replay(pulse: Installation, acme: Tenant) -> None:
    first = await pulse.sent(acme, b'{"z": 1.0, "type": "t"}', pulse_partition_key="lane", idempotency_key="k")
    answer = await post(pulse, acme, f"{first}/replay")
    assert (answer.status_code, answer.json()["replayOf"]) == (202, first)
    second = answer.json()["messageId"]
    assert second != first
    assert await pulse.payload(acme, second) == await pulse.payload(acme, first)
    shown = (await pulse.client.get(f"{MESSAGES}/{second}", headers=acme.headers)).json()
    assert (shown["replayOf"], shown["type"], shown["partitionKey"]) == (first, "t", "lane")


async def test_replay_by_filter(alone: Installation, here: Tenant) -> None:
    failed = [await alone.sent(here, {"n": n}) for n in range(3)]
    await alone.end("fail")
    good = await alone.sent(here, {"n": 9})
    await alone.end()
    dry = await post(alone, here, "replay", {"status": "fail", "dryRun": True})
    assert (dry.status_code, dry.json()) == (202, {"count": 3})
    assert await alone.count(here) == 4
    done = (await post(alone, here, "replay", {"status": "fail", "limit": 2})).json()
    assert (done["count"], len(done["messageIds"])) == (2, 2)
    origins = [
        (await alone.client.get(f"{MESSAGES}/{new}", headers=here.headers)).json()["replayOf"]
        for new in done["messageIds"]
    ]
    assert origins == failed[:2]
    by_ids = (await post(alone, here, "replay", {"ids": [good, "msg_none"]})).json()
    assert by_ids["count"] == 1
    for wanted, count in (
        ({"type": "no"}, 0),
        ({"from": "2000-01-01"}, 7),
        ({"to": iso(0)}, 0),
        ({"workflowId": "w"}, 0),
    ):
        assert (await post(alone, here, "replay", {**wanted, "dryRun": True})).json() == {"count": count}


@pytest.mark.parametrize(
    "body", [{}, {"dryRun": True}, {"limit": 5}, {"ids": []}, {"ids": None}, {"status": None, "type": None}]
)
async def test_a_replay_without_a_filter_is_refused(pulse: Installation, acme: Tenant, body: dict[str, Any]) -> None:
    """A mistake in the filter must not send everything again."""
    await pulse.sent(acme, {})
    for more in ({}, {"environmentId": acme.environment_id}):
        answer = await post(pulse, acme, "replay", {**body, **more})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    assert await pulse.count(acme) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"status": "pending"}, "status"),
        ({"status": "fail", "dry_run": True}, "dry_run"),
        ({"from_": "2026-01-01"}, "from_"),
        ({"from": "soon"}, "from"),
        ({"ids": "msg_1"}, "ids"),
        ({"ids": ["x"] * 1_001}, "ids"),
        ({"status": "fail", "limit": 0}, "limit"),
    ],
)
async def test_faults_of_a_replay(pulse: Installation, acme: Tenant, body: dict[str, Any], path: str) -> None:
    answer = await post(pulse, acme, "replay", body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path)
    assert await pulse.count(acme) == 0


async def test_totals_stop_being_counted(alone: Installation, here: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse.messages.reading.MAX_TOTAL", 3)
    for _ in range(4):
        await alone.sent(here, {})
    pagination = (await alone.client.get(MESSAGES, headers=here.headers)).json()["pagination"]
    assert (pagination["total"], pagination["more"]) == (3, True)


async def test_hostile_text_is_only_text(pulse: Installation, acme: Tenant) -> None:
    """What a message says is stored and found as it is: it moves no cursor, breaks no query."""
    for kind in ("'; DROP TABLE pulse_messages; --", "\x1b[31m", "%", "_", "\\", "[red]", "\u202e", "😀"):
        message_id = await pulse.sent(acme, {"type": kind, "text": kind})
        assert await listed(pulse, acme, type=kind) == [message_id]
        assert message_id in await listed(pulse, acme, q=kind)
        shown = await pulse.client.get(f"{MESSAGES}/{message_id}", headers=acme.headers)
        assert json.loads(shown.content)["message"]["text"] == kind
        assert b"\x1b" not in shown.content
