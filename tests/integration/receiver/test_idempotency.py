"""`Idempotency-Key`: a message that is sent twice is stored once."""

import asyncio
import json

import pytest

from tests.integration.receiver.installation import Installation, Tenant


async def test_a_repeat_gets_the_first_id(pulse: Installation, acme: Tenant) -> None:
    first = await pulse.send(acme, {"n": 1}, idempotency_key="order-1")
    again = await pulse.send(acme, {"n": 1}, idempotency_key="order-1")
    assert first.json().keys() == {"id", "status"}
    assert (again.status_code, again.json()) == (202, {**first.json(), "deduplicated": True})
    assert await pulse.count(acme) == 1


async def test_another_body_under_the_same_key_is_refused(pulse: Installation, acme: Tenant) -> None:
    first = await pulse.sent(acme, {"n": 1}, idempotency_key="order-1")
    answer = await pulse.send(acme, {"n": 2}, idempotency_key="order-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["id"] == first
    assert json.loads(await pulse.payload(acme, first))["n"] == 1
    assert await pulse.count(acme) == 1


async def test_after_a_conflict_the_first_body_is_still_a_repeat(pulse: Installation, acme: Tenant) -> None:
    first = await pulse.sent(acme, {"n": 1}, idempotency_key="k")
    assert (await pulse.send(acme, {"n": 2}, idempotency_key="k")).status_code == 409
    assert await pulse.sent(acme, {"n": 1}, idempotency_key="k") == first


async def test_fifty_at_once_are_one_message(pulse: Installation, acme: Tenant) -> None:
    answers = await asyncio.gather(*(pulse.send(acme, {"n": 1}, idempotency_key="k") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("deduplicated" not in answer.json() for answer in answers) == 1
    assert await pulse.count(acme) == 1


async def test_fifty_bodies_at_once_are_one_message_and_49_conflicts(pulse: Installation, acme: Tenant) -> None:
    answers = await asyncio.gather(*(pulse.send(acme, {"n": n}, idempotency_key="k") for n in range(50)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 49
    assert await pulse.count(acme) == 1


async def test_keys_are_apart_between_environments_and_organizations(pulse: Installation, acme: Tenant) -> None:
    production, other = await pulse.another_environment(acme), await pulse.tenant()
    ids = [await pulse.sent(tenant, {"n": 1}, idempotency_key="k") for tenant in (acme, production, other)]
    assert len(set(ids)) == 3


async def test_another_key_of_the_environment_repeats_too(pulse: Installation, acme: Tenant) -> None:
    first = await pulse.sent(acme, {"n": 1}, idempotency_key="k")
    assert await pulse.sent(await pulse.another_key(acme), {"n": 1}, idempotency_key="k") == first


async def test_without_a_key_everything_is_new(pulse: Installation, acme: Tenant) -> None:
    assert await pulse.sent(acme, {"n": 1}) != await pulse.sent(acme, {"n": 1})


async def test_what_was_refused_leaves_its_key_free(pulse: Installation, acme: Tenant) -> None:
    assert (await pulse.send(acme, b"{", idempotency_key="k")).status_code == 400
    assert (await pulse.send(acme, {"organizationId": "x"}, idempotency_key="k")).status_code == 403
    assert "deduplicated" not in (await pulse.send(acme, {"n": 1}, idempotency_key="k")).json()


async def test_a_key_outlives_its_message(alone: Installation) -> None:
    """A retry that comes after its message was deleted is still no second message."""
    acme = await alone.tenant()
    first = await alone.sent(acme, {"n": 1}, idempotency_key="k")
    await alone.end()
    assert (await alone.client.delete(f"/api/messages/{first}", headers=acme.headers)).status_code == 204
    assert await alone.sent(acme, {"n": 1}, idempotency_key="k") == first
    assert await alone.count(acme) == 0


@pytest.mark.parametrize("name", ["idempotency-key", "pulse-partition-key"])
@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\x85", "\x9b31m"])
async def test_keys_that_are_refused(pulse: Installation, acme: Tenant, name: str, key: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {acme.key}".encode())]
    answer = await pulse.client.post(
        "/v1/messages", content=b"{}", headers=[*headers, (name.encode(), key.encode("latin-1"))]
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    path = "idempotencyKey" if name == "idempotency-key" else "partitionKey"
    assert [(fault["path"], fault["code"]) for fault in answer.json()["errors"]] == [(path, "invalid_key")]
    assert await pulse.count(acme) == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, "a b", "ümlaut", "%00", "../../etc", "'; --"])
async def test_keys_that_are_taken(pulse: Installation, acme: Tenant, key: str) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {acme.key}".encode()),
        (b"idempotency-key", key.encode("latin-1")),
    ]
    answers = [await pulse.client.post("/v1/messages", content=b"{}", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[1].json()["deduplicated"] is True
