"""The order of refusals (401, 403, 404, 422, 412), what no body may hold, and the form of every refusal."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.console.documents import ENTITIES, WORKFLOWS, create, entity, event, workflow
from tests.integration.receiver.installation import Installation, Tenant


async def test_refusals_come_in_order(pulse: Installation, acme: Tenant) -> None:
    """A request with every fault at once, from which one after another is taken away."""
    made = await workflow(pulse, acme)
    reader = await pulse.another_key(acme, "workflows:read")
    good = {"name": "new", "workflowData": made["workflowData"]}
    stale, fresh = {"If-Match": '"9"'}, {"If-Match": '"1"'}

    async def put(headers: dict[str, str], workflow_id: str, body: Any, match: dict[str, str]) -> int:
        path = f"{WORKFLOWS}/{workflow_id}"
        return (await pulse.client.put(path, json=body, headers={**headers, **match})).status_code

    assert await put({}, "wf_none", {"nme": 1}, stale) == 401
    assert await put(reader.headers, "wf_none", {"nme": 1}, stale) == 403
    assert await put(acme.headers, "wf_none", {"nme": 1}, stale) == 404
    assert await put(acme.headers, made["id"], {"nme": 1}, stale) == 422
    assert await put(acme.headers, made["id"], {**good, "workflowData": {"root": {"entityId": "no"}}}, stale) == 422
    assert await put(acme.headers, made["id"], good, stale) == 412
    assert await put(acme.headers, made["id"], good, fresh) == 200


async def test_refusals_of_entities_come_in_order(pulse: Installation, acme: Tenant) -> None:
    entity_id = await event(pulse, acme)
    bad_rule = entity(condition={"field": "a", "comparison": "?"})
    for path, body, status in (
        (f"{ENTITIES}/ent_none", bad_rule, 404),
        (f"{ENTITIES}/ent_none", {}, 404),
        (f"{ENTITIES}/{entity_id}", bad_rule, 422),
        (f"{ENTITIES}/{entity_id}", entity(), 412),
    ):
        answer = await pulse.client.put(path, json=body, headers={**acme.headers, "If-Match": '"9"'})
        assert answer.status_code == status


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b'{"name": NaN}', b"x" * 10_000])
async def test_nobody_learns_about_a_body_without_a_key(pulse: Installation, acme: Tenant, body: bytes) -> None:
    reader = await pulse.another_key(acme, "workflows:read")
    assert (await pulse.post(WORKFLOWS, body)).status_code == 401
    assert (await pulse.post(WORKFLOWS, body, authorization=reader.headers["Authorization"])).status_code == 403


async def test_without_a_key_no_body_is_read(pulse: Installation) -> None:
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"x"

    answer = await pulse.client.post(WORKFLOWS, content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, read) == (401, [])


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer local_" + "0" * 48])
async def test_no_key_no_entry(pulse: Installation, authorization: str) -> None:
    for method, path in (("GET", WORKFLOWS), ("POST", "/api/api-keys"), ("DELETE", "/api/messages/x")):
        headers = {"authorization": authorization} if authorization else {}
        answer = await pulse.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


STRICT = {
    "NUL": '{"name": "a\\u0000b"}',
    "a lone surrogate": '{"name": "\\ud800"}',
    "NaN": '{"name": "x", "workflowData": {"a": NaN}}',
    "a number beyond doubles": '{"name": "x", "workflowData": {"a": 1e999}}',
    "a name twice": '{"name": "x", "name": "y"}',
    "too deep": '{"name": "x", "workflowData": ' + '{"a":' * 400 + "1" + "}" * 400 + "}",
    "far too deep": '{"name": "x", "workflowData": ' + "[" * 100_000,
    "cut off": '{"name": "x"',
    "no JSON": "name=x",
}


@pytest.mark.parametrize("text", STRICT.values(), ids=STRICT)
async def test_a_body_is_as_strict_as_a_message(pulse: Installation, acme: Tenant, text: str) -> None:
    answer = await pulse.post(WORKFLOWS, text.encode(), authorization=acme.headers["Authorization"])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")
    assert answer.json()["detail"].endswith(".")
    assert (await pulse.client.get(WORKFLOWS, headers=acme.headers)).json()["data"] == []


NUL = "x\0y"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ENTITIES, entity(name=NUL)),
        (ENTITIES, entity(description=NUL)),
        (ENTITIES, entity(preScript=NUL)),
        (ENTITIES, entity(postScript=NUL)),
        (ENTITIES, entity(prompt=NUL)),
        (ENTITIES, entity(condition={"field": NUL, "comparison": "exists"})),
        (ENTITIES, entity(condition={"field": "a", "comparison": "equals", "value": {NUL: 1}})),
        (ENTITIES, entity(arguments=[{"name": "a", "argumentValue": [NUL]}])),
        (WORKFLOWS, {"name": NUL}),
        (WORKFLOWS, {"name": "x", "description": NUL}),
        (WORKFLOWS, {"name": "x", "workflowData": {NUL: 1}}),
        ("/api/api-keys", {"name": NUL}),
        ("/api/sources", {"name": NUL, "kind": "none"}),
        ("/api/sources", {"name": "x", "kind": "hmac", "secret": NUL * 8}),
        ("/api/variables", {"name": NUL, "value": "x"}),
        ("/api/variables", {"name": "x", "value": NUL}),
        ("/api/messages/replay", {"type": NUL}),
        ("/api/messages/replay", {"ids": [NUL]}),
    ],
)
async def test_nul_is_refused_at_every_door(pulse: Installation, acme: Tenant, path: str, body: Any) -> None:
    answer = await pulse.client.post(path, json=body, headers=acme.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")
    assert "NUL" in answer.json()["detail"]


async def test_nul_is_refused_in_addresses(pulse: Installation, acme: Tenant) -> None:
    for name in ("type", "q", "workflowId", "from"):
        answer = await pulse.client.get(f"/api/messages?{name}=a%00b", headers=acme.headers)
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, name)
    for resource in ("workflows", "workflow-entities", "messages", "variables"):
        assert (await pulse.client.get(f"/api/{resource}/a%00b", headers=acme.headers)).status_code == 404
    for path in ("/api/organizations", "/api/environments"):
        answer = await pulse.client.post(path, json={"name": NUL, "organizationId": NUL}, headers=pulse.operator)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")


@pytest.mark.parametrize("path", [WORKFLOWS, ENTITIES, "/api/api-keys", "/api/sources"])
async def test_very_long_names_are_refused(pulse: Installation, acme: Tenant, path: str) -> None:
    body = {"entityType": "event"} if path == ENTITIES else {"kind": "none"} if path.endswith("sources") else {}
    for size, status in ((200, 201), (201, 422), (1_000_000, 422)):
        answer = await pulse.client.post(path, json={**body, "name": "é" * size}, headers=acme.headers)
        assert answer.status_code == status
        assert len(answer.text) < 5_000


async def test_a_body_has_a_limit(pulse: Installation, acme: Tenant) -> None:
    script = {"name": "x", "entityType": "action", "postScript": "x" * (7 << 20)}
    await create(pulse, acme, ENTITIES, script)
    answer = await pulse.client.post(ENTITIES, json={**script, "description": "y" * (2 << 20)}, headers=acme.headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_other_kinds_of_bodies_are_refused(pulse: Installation, acme: Tenant, media: str | None) -> None:
    headers = {**acme.headers, **({"content-type": media} if media else {})}
    answer = await pulse.client.post(WORKFLOWS, content=b'{"name": "x"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"null", b'"x"'])
async def test_a_body_is_an_object(pulse: Installation, acme: Tenant, body: bytes) -> None:
    answer = await pulse.post(WORKFLOWS, body, authorization=acme.headers["Authorization"])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    assert json.dumps(answer.json()).count("Input should") == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("PATCH", "/api/workflows", 405, "method_not_allowed"),
        ("PUT", "/api/messages", 405, "method_not_allowed"),
    ],
)
async def test_a_wrong_address_or_method(
    pulse: Installation, acme: Tenant, method: str, path: str, status: int, code: str
) -> None:
    answer = await pulse.client.request(method, path, headers=acme.headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"code", "title", "detail"}


async def test_a_failure_of_ours_tells_nothing_of_its_cause(
    alone: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await alone.tenant()

    async def fails(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(alone.parts.workflows, "workflows", fails)
    answer = await alone.client.get(WORKFLOWS, headers=acme.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert answer.json().keys() == {"code", "title", "detail"}
    assert "hunter2" not in answer.text
