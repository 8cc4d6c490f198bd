"""`POST /v1/messages`: who may send, what is stored, and that it is stored as it came."""

import json
from typing import Any

import httpx2
import pytest

from pulse.core.ids import is_id
from tests.integration.receiver.installation import Installation, Tenant

PROBLEM = "application/problem+json"


async def test_a_message_is_accepted(pulse: Installation, acme: Tenant) -> None:
    answer = await pulse.send(acme, {"type": "order", "payload": {"amount": 12}})
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"id", "status"}
    assert answer.json()["status"] == "accepted"
    assert is_id(answer.json()["id"], "msg")


async def test_an_accepted_message_can_be_read_at_once(pulse: Installation, acme: Tenant) -> None:
    message_id = await pulse.sent(acme, {"type": "order", "payload": {"amount": 12}})
    found = (await pulse.client.get(f"/api/messages/{message_id}", headers=acme.headers)).json()
    assert found["status"] == "pending"
    assert found["type"] == "order"
    assert found["message"] == {**acme.place, "type": "order", "payload": {"amount": 12}}


async def test_ids_are_filled_in_before_what_was_sent(pulse: Installation, acme: Tenant) -> None:
    stored = await pulse.payload(acme, await pulse.sent(acme, {"z": 1, "a": 2}))
    assert list(json.loads(stored)) == ["organizationId", "environmentId", "z", "a"]


@pytest.mark.parametrize("missing", [("organizationId",), ("environmentId",), ("organizationId", "environmentId")])
async def test_only_missing_ids_are_filled_in(pulse: Installation, acme: Tenant, missing: tuple[str, ...]) -> None:
    message = {"n": 1} | {name: value for name, value in acme.place.items() if name not in missing}
    stored = json.loads(await pulse.payload(acme, await pulse.sent(acme, message)))
    assert stored == {"n": 1, **acme.place}
    assert list(stored)[: len(missing)] == list(missing)


async def test_a_message_that_names_its_ids_is_stored_byte_for_byte(pulse: Installation, acme: Tenant) -> None:
    raw = b'{"b" : 1.0,"environmentId": "%s",  "a":[1 , 2],"organizationId":"%s"}' % (
        acme.environment_id.encode(),
        acme.organization_id.encode(),
    )
    assert await pulse.payload(acme, await pulse.sent(acme, raw)) == raw


@pytest.mark.parametrize(
    "field",
    [
        b'"n":1.0',
        b'"n":1.10',
        b'"n":1E5',
        b'"n":1e-7',
        b'"n":-0.0',
        b'"n":-0',
        b'"n":12345678901234567890123456789',
        b'"n":0.1000000000000000055511151231257827',
        b'"z":1,"a":2,"m":{"y":1,"b":2}',
        b'"n" : [ 1,2 ,3 ]',
        b'"s":"\\u00e9\\/\\ud83d\\ude00"',
        '"s":"é😀"'.encode(),
        b'"__proto__":{"x":1},"constructor":2',
        b'"s":""',
        b'"":0',
    ],
)
async def test_the_rest_stays_byte_for_byte(pulse: Installation, acme: Tenant, field: bytes) -> None:
    ids = b'"organizationId":"%s","environmentId":"%s",' % (
        acme.organization_id.encode(),
        acme.environment_id.encode(),
    )
    stored = await pulse.payload(acme, await pulse.sent(acme, b"{" + field + b"}"))
    assert stored == b"{" + ids + field + b"}"


async def test_a_message_is_stored_as_one_line(pulse: Installation, acme: Tenant) -> None:
    raw = b'\r\n{\n\t"text": "a\\nb",\r\n "n": 1\n}\n'
    stored = await pulse.payload(acme, await pulse.sent(acme, raw))
    assert not {10, 13} & set(stored)
    assert json.loads(stored) == {"text": "a\nb", "n": 1, **acme.place}


async def test_an_empty_object_is_a_message(pulse: Installation, acme: Tenant) -> None:
    for raw in (b"{}", b"{ }", b" {\n} "):
        assert json.loads(await pulse.payload(acme, await pulse.sent(acme, raw))) == acme.place


@pytest.mark.parametrize("name", ["organizationId", "environmentId"])
async def test_another_place_than_the_keys_is_refused(pulse: Installation, acme: Tenant, name: str) -> None:
    other = await pulse.tenant()
    answer = await pulse.send(acme, {name: other.place[name]})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["code"] == "forbidden"
    assert answer.json()["path"] == name
    assert await pulse.count(acme) == await pulse.count(other) == 0


@pytest.mark.parametrize("value", [None, 1, "", ["x"], {}, "org_does_not_exist"])
async def test_a_place_that_is_none_is_refused(pulse: Installation, acme: Tenant, value: Any) -> None:
    assert (await pulse.send(acme, {"organizationId": value})).status_code == 403


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic {key}",
        "{key}",
        "Bearer pk_development_" + "0" * 26 + "_" + "0" * 32,
        "Bearer {key}x",
        "Bearer {key} {key}",
        "Bearer {swapped}",
        "Bearer {upper}",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 20_000,
    ],
)
async def test_no_key_no_entry(pulse: Installation, acme: Tenant, authorization: str) -> None:
    upper, swapped = acme.key.upper(), acme.key[:-1] + ("0" if acme.key[-1] != "0" else "1")
    text = authorization.format(key=acme.key, upper=upper, swapped=swapped).encode("latin-1")
    headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
    answer = await pulse.client.post(
        "/v1/messages", content=b"{}", headers=[*headers, (b"authorization", text)] if text else headers
    )
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"
    assert await pulse.count(acme) == 0


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer  {}", "Bearer {} "])
async def test_forms_of_the_header_that_are_taken(pulse: Installation, acme: Tenant, form: str) -> None:
    answer = await pulse.post("/v1/messages", b"{}", authorization=form.format(acme.key))
    assert answer.status_code == 202


async def test_the_environment_in_a_key_proves_nothing(pulse: Installation, acme: Tenant) -> None:
    renamed = acme.key.replace("pk_development_", "pk_production_")
    message_id = (await pulse.post("/v1/messages", b"{}", authorization=f"Bearer {renamed}")).json()["id"]
    assert json.loads(await pulse.payload(acme, message_id))["environmentId"] == acme.environment_id


async def test_a_key_without_the_scope_may_not_send(pulse: Installation, acme: Tenant) -> None:
    answer = await pulse.send(await pulse.another_key(acme, "messages:read"), {})
    assert answer.status_code == 403
    assert "messages:create" in answer.json()["detail"]
    assert (await pulse.send(await pulse.another_key(acme, "messages:create"), {})).status_code == 202


async def test_the_operator_says_for_which_environment(pulse: Installation, acme: Tenant) -> None:
    async def sent(**query: str) -> httpx2.Response:
        return await pulse.client.post("/v1/messages", json={}, params=query, headers=pulse.operator)

    answer = await sent()
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    assert (await sent(organizationId="no such", environmentId="development")).status_code == 404
    assert (await sent(organizationId=acme.organization_id, environmentId="no such")).status_code == 404
    assert (await sent(organizationId=acme.organization.name, environmentId="development")).status_code == 202
    assert (await sent(**acme.place)).status_code == 202
    assert await pulse.count(acme) == 2


async def test_messages_of_one_partition_key_are_kept_in_order(alone: Installation) -> None:
    acme = await alone.tenant()
    first = await alone.sent(acme, {"n": 1}, pulse_partition_key="customer 7")
    second = await alone.sent(acme, {"n": 2}, pulse_partition_key="customer 7")
    other = await alone.sent(acme, {"n": 3}, pulse_partition_key="customer 8")
    claimed = await alone.parts.queue.claim(10)
    assert sorted(work.id for work in claimed) == sorted([first, other])
    shown = (await alone.client.get(f"/api/messages/{second}", headers=acme.headers)).json()
    assert shown["partitionKey"] == "customer 7"
