"""`POST /v1/hooks/{source}`: a third party's webhook becomes a message, once, where its signature fits."""

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from pulse.tenancy.records import Source
from tests.integration.receiver.installation import Installation, Tenant
from tests.unit.receiver.webhooks import (
    BODY,
    SECRET,
    STANDARD_SECRET,
    github,
    hex_of,
    plain_hmac,
    slack,
    standard,
    stripe,
)

SIGN: dict[str, Callable[[bytes, str], dict[str, str]]] = {
    "github": github,
    "hmac": plain_hmac,
    "standard": standard,
    "stripe": stripe,
    "slack": slack,
}


async def hook(pulse: Installation, source: Source, headers: dict[str, str], body: bytes = BODY) -> httpx2.Response:
    named = {"content-type": "application/json", **headers}
    return await pulse.client.post(f"/v1/hooks/{source.id}", content=body, headers=named)


async def message(pulse: Installation, tenant: Tenant, answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    stored: dict[str, Any] = json.loads(await pulse.payload(tenant, answer.json()["id"]))
    return stored


async def test_a_delivery_of_github(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "github", SECRET)
    answer = await hook(pulse, source, {**github(), "user-agent": "GitHub-Hookshot/1", "cookie": "c"})
    assert answer.json().keys() == {"id", "status"}
    assert await message(pulse, acme, answer) == {
        **acme.place,
        "type": "github.issues",
        "payload": json.loads(BODY),
        "headers": {
            "x-github-event": "issues",
            "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "user-agent": "GitHub-Hookshot/1",
            "content-type": "application/json",
        },
    }


async def test_a_delivery_of_standard_webhooks(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "standard", STANDARD_SECRET)
    found = await message(pulse, acme, await hook(pulse, source, standard(message_id="msg_2KWPBgLl")))
    assert found["type"] == "standard.message"
    assert found["headers"]["webhook-id"] == "msg_2KWPBgLl"
    assert "webhook-signature" not in found["headers"]


async def test_a_delivery_with_a_plain_hmac(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "hmac", SECRET)
    found = await message(pulse, acme, await hook(pulse, source, {**plain_hmac(), "x-event": "order.paid"}))
    assert (found["type"], found["payload"]) == ("hmac.order.paid", json.loads(BODY))


async def test_an_event_of_stripe(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "stripe", SECRET)
    body = b'{"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {}}, "pending_webhooks": 2}'
    answer = await hook(pulse, source, stripe(body), body)
    found = await message(pulse, acme, answer)
    assert (found["type"], found["payload"]) == ("stripe.invoice.paid", json.loads(body))
    assert "stripe-signature" not in found["headers"]
    # It is sent again with another number of addresses that have not taken it.
    body = body.replace(b'"pending_webhooks": 2', b'"pending_webhooks": 1')
    again = await hook(pulse, source, stripe(body), body)
    assert (again.status_code, again.json()) == (202, {**answer.json(), "deduplicated": True})
    assert await pulse.count(acme) == 1


async def test_an_event_of_slack(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "slack", SECRET)
    body = json.dumps(
        {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention", "text": "hello"}}
    ).encode()
    answer = await hook(pulse, source, slack(body), body)
    found = await message(pulse, acme, answer)
    assert (found["type"], found["payload"]["event"]["text"]) == ("slack.app_mention", "hello")
    again = await hook(pulse, source, {**slack(body), "x-slack-retry-num": "1"}, body)
    assert again.json() == {**answer.json(), "deduplicated": True}


async def test_slack_is_told_that_somebody_is_here(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "slack", SECRET)
    body = b'{"token": "t", "challenge": "3eZbrw1aBm2rZgRNFdxV", "type": "url_verification"}'
    answer = await hook(pulse, source, slack(body), body)
    assert (answer.status_code, answer.json()) == (200, {"challenge": json.loads(body)["challenge"]})
    assert (await hook(pulse, source, slack(body, "another secret of somebody"), body)).status_code == 401
    assert await pulse.count(acme) == 0


async def test_a_slash_command_is_refused_and_says_what_is_taken(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "slack", SECRET)
    body = b"command=%2Fdeploy&text=now"
    headers = {**slack(body), "content-type": "application/x-www-form-urlencoded"}
    answer = await hook(pulse, source, headers, body)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "Events API" in answer.json()["detail"]


async def test_a_delivery_without_a_signature(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "none")
    found = await message(pulse, acme, await hook(pulse, source, {}, b"[1, 2]"))
    assert (found["type"], found["payload"]) == ("none.message", [1, 2])


async def test_the_payload_stays_byte_for_byte(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "none")
    answer = await hook(pulse, source, {}, b'{"z": 1.0,"a":1E5,\n"b":[ 1 ]}')
    assert b'"payload":{"z": 1.0,"a":1E5, "b":[ 1 ]},' in await pulse.payload(acme, answer.json()["id"])


@pytest.mark.parametrize("kind", SIGN)
async def test_another_sources_secret_is_refused(pulse: Installation, acme: Tenant, kind: str) -> None:
    mine, other = await pulse.source(acme, kind), await pulse.source(acme, kind)
    answer = await hook(pulse, mine, SIGN[kind](BODY, other.secrets[0]))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await pulse.count(acme) == 0
    assert (await hook(pulse, mine, SIGN[kind](BODY, mine.secrets[0]))).status_code == 202


async def test_an_api_key_is_no_signature(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "github", SECRET)
    assert (await hook(pulse, source, acme.headers)).status_code == 401


async def test_while_a_secret_is_rotated_both_are_live(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "hmac", SECRET)

    async def statuses(*secrets: str) -> list[int]:
        bodies = [json.dumps({"n": n}).encode() for n in range(len(secrets))]
        sent = [await hook(pulse, source, plain_hmac(b, s), b) for b, s in zip(bodies, secrets, strict=True)]
        return [answer.status_code for answer in sent]

    first, second, third = SECRET, "the second secret!", "the third secret!!"
    assert await statuses(first, second, third) == [202, 401, 401]
    await pulse.parts.sources.rotate(acme.organization_id, source.id, second)
    assert await statuses(first, second, third) == [202, 202, 401]
    await pulse.parts.sources.rotate(acme.organization_id, source.id, third)
    assert await statuses(first, second, third) == [401, 202, 202]


@pytest.mark.parametrize("off", [-301, -86_400, 301 + 60, 86_400])
async def test_an_old_or_future_time_is_refused(pulse: Installation, acme: Tenant, off: int) -> None:
    source = await pulse.source(acme, "standard", STANDARD_SECRET)
    answer = await hook(pulse, source, standard(sent_at=int(time.time()) + off))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert "five minutes" in answer.json()["detail"]


@pytest.mark.parametrize("sent_at", ["9" * 400, "9" * 5_000, "1e3", ""])
async def test_a_time_that_is_none_is_refused_and_breaks_nothing(
    pulse: Installation, acme: Tenant, sent_at: str
) -> None:
    source = await pulse.source(acme, "standard", STANDARD_SECRET)
    assert (await hook(pulse, source, {**standard(), "webhook-timestamp": sent_at})).status_code == 401


async def test_a_secret_that_is_not_ascii_breaks_nothing(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "standard", "ein Schlüssel, länger als sechzehn")
    assert (await hook(pulse, source, standard())).status_code == 401


async def test_a_delivery_that_comes_again_is_one_message(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "github", SECRET)
    answers = await asyncio.gather(*(hook(pulse, source, github()) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await pulse.count(acme) == 1


async def test_a_repeat_may_be_signed_anew(pulse: Installation, acme: Tenant) -> None:
    """Standard Webhooks signs the time of each attempt; the delivery is the same."""
    source = await pulse.source(acme, "standard", STANDARD_SECRET)
    now = int(time.time())
    first, again = [await hook(pulse, source, standard(sent_at=now - late)) for late in (60, 0)]
    assert again.json() == {**first.json(), "deduplicated": True}


async def test_the_same_delivery_of_two_sources_is_two_messages(pulse: Installation, acme: Tenant) -> None:
    sources = [await pulse.source(acme, "github", SECRET) for _ in range(2)]
    assert len({(await hook(pulse, source, github())).json()["id"] for source in sources}) == 2


async def test_long_ids_of_deliveries_stay_apart(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "hmac", SECRET)
    ids = []
    for last in "ab":
        body = json.dumps({"last": last}).encode()
        answer = await hook(pulse, source, {**plain_hmac(body), "x-delivery": "d" * 400 + last}, body)
        ids.append((await message(pulse, acme, answer))["payload"]["last"])
    assert ids == ["a", "b"]


async def test_the_id_of_a_delivery_is_apart_from_keys_of_clients(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "hmac", SECRET)
    await pulse.sent(acme, {"n": 1}, idempotency_key="d")
    assert (await hook(pulse, source, {**plain_hmac(), "x-delivery": "d"})).status_code == 202
    assert await pulse.count(acme) == 2


async def test_an_id_with_a_dot_is_refused(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "standard", STANDARD_SECRET)
    assert (await hook(pulse, source, standard(message_id="a.b"))).status_code == 401


async def test_a_form_is_refused_and_says_what_to_do(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "github", SECRET)
    body = b"payload=%7B%22a%22%3A1%7D"
    headers = {**github(body), "content-type": "application/x-www-form-urlencoded"}
    answer = await hook(pulse, source, headers, body)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b'{"a":1,"a":2}', 400, "invalid_json"),
        (b"[" * 64 + b"]" * 64, 400, "invalid_json"),
        (b"7", 422, "invalid_message"),
        (b"null", 422, "invalid_message"),
        (b'{"a":"' + b"x" * (1 << 20) + b'"}', 413, "too_large"),
    ],
    ids=["empty", "cut off", "a name twice", "64 levels", "a number", "null", "too large"],
)
async def test_a_signed_body_must_be_good_json_too(
    pulse: Installation, acme: Tenant, body: bytes, status: int, code: str
) -> None:
    source = await pulse.source(acme, "hmac", SECRET)
    answer = await hook(pulse, source, plain_hmac(body), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await pulse.count(acme) == 0


async def test_a_wrong_signature_is_refused_before_the_body_is_read_as_json(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "hmac", SECRET)
    assert (await hook(pulse, source, {"x-signature-256": f"sha256={hex_of('x', b'{')}"}, b"{")).status_code == 401


@pytest.mark.parametrize("source_id", ["src_" + "0" * 32, "x", "%00", "..%2f", "src_", "é"])
async def test_an_unknown_source_is_not_found(pulse: Installation, source_id: str) -> None:
    answer = await pulse.post(f"/v1/hooks/{source_id}", b"{}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_packed_body_is_signed_as_it_is_unpacked(pulse: Installation, acme: Tenant) -> None:
    source = await pulse.source(acme, "hmac", SECRET)
    headers = {**plain_hmac(), "content-encoding": "gzip"}
    assert (await hook(pulse, source, headers, gzip.compress(BODY))).status_code == 202
