"""`POST /v1/messages/batch`: one entry an item, in order; good items are stored though others are not."""

import gzip
import json
from typing import Any

import httpx2
import pytest

from tests.integration.receiver.installation import Installation, Tenant

BATCH = "/v1/messages/batch"
NDJSON = "application/x-ndjson"


async def batch(pulse: Installation, tenant: Tenant, body: Any, **headers: str) -> httpx2.Response:
    return await pulse.send(tenant, body, BATCH, **headers)


def statuses(answer: httpx2.Response) -> list[Any]:
    """`accepted`, or the code that an item was refused with."""
    assert answer.status_code == 202, answer.text
    return [item.get("problem", {}).get("code", item["status"]) for item in answer.json()]


async def test_an_array(pulse: Installation, acme: Tenant) -> None:
    answer = await batch(pulse, acme, [{"n": n} for n in range(3)])
    assert statuses(answer) == ["accepted"] * 3
    stored = [json.loads(await pulse.payload(acme, item["id"]))["n"] for item in answer.json()]
    assert stored == [0, 1, 2]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
@pytest.mark.parametrize("media", [NDJSON, "application/ndjson", "application/jsonl", "application/json"])
async def test_lines(pulse: Installation, acme: Tenant, media: str, end: bytes) -> None:
    answer = await batch(pulse, acme, b'{"n":1}\n\n{"n":2}\r\n{"n":3}' + end, content_type=media)
    assert statuses(answer) == ["accepted"] * 3


async def test_items_stay_byte_for_byte(pulse: Installation, acme: Tenant) -> None:
    answer = await batch(pulse, acme, b'[ {"z":1.0,"a":[ 1E5 ]} , {"message":{"q":1.10}} ]')
    stored = [await pulse.payload(acme, item["id"]) for item in answer.json()]
    assert stored[0].endswith(b'"z":1.0,"a":[ 1E5 ]}')
    assert stored[1].endswith(b'"q":1.10}')


ITEMS = {
    b'{"n": 1}': "accepted",
    b"[1]": "invalid_message",
    b"3": "invalid_message",
    b"null": "invalid_message",
    b'{"type": 5}': "invalid_message",
    b'{"organizationId": "org_x"}': "forbidden",
    b'{"a": 1, "a": 2}': "invalid_json",
    b'{"a": "\\u0000"}': "invalid_json",
    b'{"a": "\\ud800"}': "invalid_json",
    b'{"a": NaN}': "invalid_json",
    b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}": "invalid_json",
    b'{"message": {"m": 1}, "idempotencyKey": ""}': "invalid_fields",
    b'{"message": {"m": 1}, "idempotencyKey": 7}': "invalid_fields",
    b'{"message": {"m": 1}, "partitionKey": "\\u001b[31m"}': "invalid_fields",
    b'{"message": {"m": 1}, "partitionKey": "lane"}': "accepted",
    b'{"message": {"m": 1}, "other": 1}': "accepted",
    b'{"message": "text"}': "accepted",
    b'{"n": 2}': "accepted",
}


async def test_an_array_of_good_and_bad(pulse: Installation, acme: Tenant) -> None:
    answer = await batch(pulse, acme, b"[" + b",".join(ITEMS) + b"]")
    assert statuses(answer) == list(ITEMS.values())
    assert await pulse.count(acme) == list(ITEMS.values()).count("accepted")


async def test_lines_of_good_and_bad(pulse: Installation, acme: Tenant) -> None:
    more = {b'{"a": "\xff"}': "invalid_json", b"nonsense": "invalid_json", b'{"cut": ': "invalid_json"}
    answer = await batch(pulse, acme, b"\n".join([*ITEMS, *more]), content_type=NDJSON)
    assert statuses(answer) == [*ITEMS.values(), *more.values()]


async def test_the_problem_of_an_item_is_a_whole_problem(pulse: Installation, acme: Tenant) -> None:
    answer = await batch(pulse, acme, b'{"a": 1\n{"n": 1}', content_type=NDJSON)
    problem = answer.json()[0]["problem"]
    assert answer.json()[0]["status"] == "refused"
    assert {name: problem[name] for name in ("code", "status", "position")} == {
        "code": "invalid_json",
        "status": 400,
        "position": 7,
    }


async def test_lines_that_begin_with_a_bracket_are_lines(pulse: Installation, acme: Tenant) -> None:
    answer = await batch(pulse, acme, b'[{"n": 1}]\n{"n": 2}\n', content_type=NDJSON)
    assert statuses(answer) == ["invalid_message", "accepted"]
    assert statuses(await batch(pulse, acme, b'[{"n": 1}]', content_type=NDJSON)) == ["invalid_message"]


async def test_wrapped_items(pulse: Installation, acme: Tenant) -> None:
    item = {"idempotencyKey": "k", "partitionKey": "lane", "message": {"n": 1}}
    answer = await batch(pulse, acme, [item, item, {**item, "message": {"n": 2}}, {**item, "idempotencyKey": None}])
    assert statuses(answer) == ["accepted", "accepted", "idempotency_conflict", "accepted"]
    entries = answer.json()
    assert entries[1] == {**entries[0], "deduplicated": True}
    shown = (await pulse.client.get(f"/api/messages/{entries[0]['id']}", headers=acme.headers)).json()
    assert shown["partitionKey"] == "lane"
    assert shown["message"] == {"n": 1, **acme.place}
    assert (await pulse.send(acme, {"n": 1}, idempotency_key="k")).json()["deduplicated"] is True


async def test_a_message_with_a_message_in_it_may_be_wrapped(pulse: Installation, acme: Tenant) -> None:
    answer = await batch(pulse, acme, [{"message": {"message": {"deep": 1}}}])
    assert json.loads(await pulse.payload(acme, answer.json()[0]["id"]))["message"] == {"deep": 1}


@pytest.mark.parametrize("body", [b"[]", b"", b"\n \n", b"[ ]"])
async def test_an_empty_batch_is_refused(pulse: Installation, acme: Tenant, body: bytes) -> None:
    answer = await batch(pulse, acme, body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "batch_size")


async def test_a_thousand_are_taken_and_one_more_is_not(pulse: Installation, acme: Tenant) -> None:
    assert statuses(await batch(pulse, acme, [{"n": n} for n in range(1_000)])) == ["accepted"] * 1_000
    assert await pulse.count(acme) == 1_000
    answer = await batch(pulse, acme, [{"n": n} for n in range(1_001)])
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "batch_size")
    assert "1001" in answer.json()["detail"]
    assert await pulse.count(acme) == 1_000


@pytest.mark.parametrize("body", [b"[", b"[{},]", b"[{} {}]", b"[,]", b"[" * 5_000, b'["\xff"', b"[]]", b"[{}"])
async def test_an_array_that_is_no_json_is_refused_whole(pulse: Installation, acme: Tenant, body: bytes) -> None:
    answer = await batch(pulse, acme, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")
    assert await pulse.count(acme) == 0


async def test_an_item_over_the_limit_is_refused_alone(pulse: Installation, acme: Tenant) -> None:
    large = {"a": "x" * (1 << 20)}
    answer = await batch(pulse, acme, [{"n": 1}, large, {"message": large}])
    assert statuses(answer) == ["accepted", "too_large", "too_large"]
    problem = answer.json()[1]["problem"]
    assert (problem["status"], problem["limit"], problem["size"] > 1 << 20) == (413, 1 << 20, True)


async def test_eight_mebibytes_are_the_limit(pulse: Installation, acme: Tenant) -> None:
    item = json.dumps({"a": "x" * 1_000_000}).encode()
    nine = b"\n".join([item] * 9)
    for body, encoding in ((nine, "identity"), (gzip.compress(nine, 1), "gzip")):
        answer = await batch(pulse, acme, body, content_type=NDJSON, content_encoding=encoding)
        assert (answer.status_code, answer.json()["limit"]) == (413, 8 << 20)
    assert await pulse.count(acme) == 0
    assert statuses(await batch(pulse, acme, b"\n".join([item] * 8), content_type=NDJSON)) == ["accepted"] * 8


async def test_a_batch_needs_a_key_and_the_right_kind(pulse: Installation, acme: Tenant) -> None:
    assert (await pulse.post(BATCH, b"[{}]")).status_code == 401
    assert (await batch(pulse, await pulse.another_key(acme, "messages:read"), [{}])).status_code == 403
    assert (await batch(pulse, acme, b"[{}]", content_type="text/csv")).status_code == 415
