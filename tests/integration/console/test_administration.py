"""`/api/organizations`, `/api/environments`, `/api/api-keys`, `/api/sources`."""

import re
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from pulse.bootstrap.announcements import Changes
from pulse.core.errors import Unauthenticated
from pulse.core.ids import is_id
from pulse.tenancy.access import Authenticator
from pulse.tenancy.tables import tenancy_tables
from tests.integration.receiver.installation import Installation, Tenant
from tests.unit.receiver.webhooks import BODY, github

KEYS, SOURCES = "/api/api-keys", "/api/sources"


async def post(pulse: Installation, tenant: Tenant, path: str, body: Any) -> httpx2.Response:
    return await pulse.client.post(path, json=body, headers=tenant.headers)


async def rows(pulse: Installation, headers: dict[str, str], path: str, **query: str) -> list[dict[str, Any]]:
    answer = await pulse.client.get(path, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    assert answer.json()["pagination"]["total"] == len(found)
    return found


# Organizations and environments: the operator's.


async def test_organizations(alone: Installation) -> None:
    assert await rows(alone, alone.operator, "/api/organizations") == []
    made = await alone.client.post("/api/organizations", json={"name": "Ümläut & Co"}, headers=alone.operator)
    assert (made.status_code, made.json()["name"]) == (201, "Ümläut & Co")
    assert is_id(made.json()["id"], "org")
    assert await rows(alone, alone.operator, "/api/organizations") == [made.json()]
    again = await alone.client.post("/api/organizations", json={"name": "Ümläut & Co"}, headers=alone.operator)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert "'Ümläut & Co'" in again.json()["detail"]


async def test_environments(pulse: Installation, acme: Tenant) -> None:
    for name, wanted in (("staging", acme.organization_id), ("production", acme.organization.name)):
        body = {"name": name, "organizationId": wanted}
        made = await pulse.client.post("/api/environments", json=body, headers=pulse.operator)
        assert (made.status_code, made.json()["organizationId"]) == (201, acme.organization_id)
    taken = await pulse.client.post(
        "/api/environments", json={"name": "staging", "organizationId": acme.organization_id}, headers=pulse.operator
    )
    assert taken.status_code == 409
    nobody = {"name": "x", "organizationId": "no such"}
    assert (await pulse.client.post("/api/environments", json=nobody, headers=pulse.operator)).status_code == 404
    names = [row["name"] for row in await rows(pulse, acme.headers, "/api/environments")]
    assert names == ["development", "staging", "production"]
    by_name = await rows(pulse, pulse.operator, "/api/environments", organizationId=acme.organization.name)
    assert [row["name"] for row in by_name] == names


async def test_the_operator_says_which_organization(pulse: Installation) -> None:
    answer = await pulse.client.get("/api/environments", headers=pulse.operator)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "organizationId")
    nobody = await pulse.client.get("/api/environments?organizationId=none", headers=pulse.operator)
    assert nobody.status_code == 404


@pytest.mark.parametrize("resource", ["api-keys", "sources", "variables", "workflows", "workflow-entities", "messages"])
async def test_the_operator_says_which_environment(pulse: Installation, acme: Tenant, resource: str) -> None:
    path = f"/api/{resource}"
    for query in ("", f"?organizationId={acme.organization_id}", f"?environmentId={acme.environment_id}"):
        answer = await pulse.client.get(path + query, headers=pulse.operator)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    by_name = {"organizationId": acme.organization.name, "environmentId": "development"}
    for place in (acme.place, by_name):
        assert (await pulse.client.get(path, params=place, headers=pulse.operator)).status_code == 200
    elsewhere = await pulse.tenant()
    mixed = {"organizationId": acme.organization_id, "environmentId": elsewhere.environment_id}
    assert (await pulse.client.get(path, params=mixed, headers=pulse.operator)).status_code == 404


async def test_a_key_makes_no_organizations(pulse: Installation, acme: Tenant) -> None:
    everything = await pulse.another_key(acme, "organizations:create", "organizations:read", "environments:create")
    for tenant in (acme, everything):
        assert (await post(pulse, tenant, "/api/organizations", {"name": "x"})).status_code == 403
        assert (await post(pulse, tenant, "/api/environments", {"name": "x", "organizationId": "y"})).status_code == 403
        assert (await pulse.client.get("/api/organizations", headers=tenant.headers)).status_code == 403


# Keys.


async def test_a_key_is_shown_once(pulse: Installation, acme: Tenant) -> None:
    made = await post(pulse, acme, KEYS, {"name": "ci"})
    assert made.status_code == 201
    record = made.json()
    assert re.fullmatch(r"pk_development_[0-9a-z]{26}_[0-9a-z]{32}", record["key"])
    assert record["key"].split("_")[2] == record["id"].removeprefix("key_")
    text = (await pulse.client.get(KEYS, headers=acme.headers)).text
    assert record["id"] in text
    assert record["key"].split("_")[3] not in text
    assert (
        await pulse.client.get("/api/messages", headers={"Authorization": f"Bearer {record['key']}"})
    ).status_code == 200


async def test_a_revoked_key_ends_at_once(pulse: Installation, acme: Tenant) -> None:
    record = (await post(pulse, acme, KEYS, {"name": "ci"})).json()
    headers = {"Authorization": f"Bearer {record['key']}"}
    for _ in range(2):
        assert (await pulse.client.get("/api/messages", headers=headers)).status_code == 200
    gone = await pulse.client.delete(f"{KEYS}/{record['id']}", headers=acme.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await pulse.client.get("/api/messages", headers=headers)).status_code == 401
    assert (await pulse.client.post("/v1/messages", json={}, headers=headers)).status_code == 401
    shown = {row["id"]: row for row in await rows(pulse, acme.headers, KEYS)}
    assert shown[record["id"]]["revokedAt"]


async def test_an_expired_key_is_unknown(pulse: Installation, acme: Tenant) -> None:
    record = (await post(pulse, acme, KEYS, {"name": "ci"})).json()
    keys = tenancy_tables("pulse_").api_keys
    now = pulse.parts.clock.now_ms()
    for expires_at, status in ((now + 60_000, 200), (now, 401), (0, 401)):
        async with pulse.parts.database.write() as connection:
            await connection.execute(update(keys).where(keys.c.id == record["id"]).values(expires_at=expires_at))
        pulse.parts.authenticator.forget_all()
        headers = {"Authorization": f"Bearer {record['key']}"}
        assert (await pulse.client.get("/api/messages", headers=headers)).status_code == status


async def test_scopes_are_enforced(pulse: Installation, acme: Tenant) -> None:
    reader = await pulse.another_key(acme, "workflows:read")
    assert (await pulse.client.get("/api/workflows", headers=reader.headers)).status_code == 200
    refused = await pulse.client.post("/api/workflows", json={"name": "x"}, headers=reader.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "workflows:write" in refused.json()["detail"]
    for method, path in (("GET", "/api/messages"), ("GET", KEYS), ("POST", "/api/messages/replay"), ("POST", KEYS)):
        assert (await pulse.client.request(method, path, headers=reader.headers)).status_code == 403


async def test_a_key_makes_no_key_that_may_do_more(pulse: Installation, acme: Tenant) -> None:
    limited = await pulse.another_key(acme, "api-keys:write", "messages:read")

    async def status(*scopes: str) -> int:
        return (await post(pulse, limited, KEYS, {"name": "more", "scopes": list(scopes)})).status_code

    assert await status("messages:read") == await status("messages:read", "api-keys:write") == 201
    assert await status() == await status("messages:delete") == await status("messages:read", "sources:read") == 403


@pytest.mark.parametrize(
    "scope", ["*", "messages", "messages:*", "Messages:Read", "a b:c", "messages:read workflows:read", ""]
)
async def test_scopes_that_are_none(pulse: Installation, acme: Tenant, scope: str) -> None:
    answer = await post(pulse, acme, KEYS, {"name": "x", "scopes": [scope]})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "scopes.0")


async def test_a_key_that_ends_by_itself(pulse: Installation, acme: Tenant) -> None:
    soon = "2999-01-01T01:00:00+01:00"
    made = await post(pulse, acme, KEYS, {"name": "brief", "expiresAt": soon})
    assert (made.status_code, made.json()["expiresAt"]) == (201, "2999-01-01T00:00:00.000Z")
    for wrong, code in (("2001-01-01T00:00:00Z", "in_the_past"), ("2999-01-01T00:00:00", None), ("soon", None)):
        answer = await post(pulse, acme, KEYS, {"name": "x", "expiresAt": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "expiresAt"), wrong
        assert code in (None, answer.json()["errors"][0]["code"])


async def test_a_key_that_ends_makes_none_that_lasts_longer(pulse: Installation, acme: Tenant) -> None:
    made = (await post(pulse, acme, KEYS, {"name": "brief", "expiresAt": "2999-01-01T00:00:00Z"})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    for ends, status in ((None, 403), ("2999-01-02T00:00:00Z", 403), ("2998-12-31T00:00:00Z", 201)):
        body = {"name": "more", **({"expiresAt": ends} if ends else {})}
        assert (await pulse.client.post(KEYS, json=body, headers=headers)).status_code == status, ends


async def test_a_key_is_rotated(pulse: Installation, acme: Tenant) -> None:
    old = (await post(pulse, acme, KEYS, {"name": "ci", "scopes": ["messages:read"]})).json()
    answer = await post(pulse, acme, f"{KEYS}/{old['id']}/rotate", {})
    new = answer.json()
    assert (answer.status_code, new["name"], new["scopes"]) == (201, "ci", ["messages:read"])
    assert (new["expiresAt"], new["key"] != old["key"]) == (None, True)
    (shown,) = [row for row in await rows(pulse, acme.headers, KEYS) if row["id"] == old["id"]]
    assert shown["expiresAt"] is not None
    for key in (old, new):
        headers = {"Authorization": f"Bearer {key['key']}"}
        assert (await pulse.client.get("/api/messages", headers=headers)).status_code == 200
    assert (await post(pulse, acme, f"{KEYS}/{new['id']}/rotate", {"graceSeconds": 0})).status_code == 201
    ended = await pulse.client.get("/api/messages", headers={"Authorization": f"Bearer {new['key']}"})
    assert ended.status_code == 401
    over = await post(pulse, acme, f"{KEYS}/{new['id']}/rotate", {})
    assert (over.status_code, over.json()["code"]) == (409, "conflict")


async def test_what_cannot_be_rotated(pulse: Installation, acme: Tenant) -> None:
    made = (await post(pulse, acme, KEYS, {"name": "all"})).json()
    limited = await pulse.another_key(acme, "api-keys:write")
    assert (await post(pulse, limited, f"{KEYS}/{made['id']}/rotate", {})).status_code == 403
    other = await pulse.tenant("Other")
    assert (await post(pulse, other, f"{KEYS}/{made['id']}/rotate", {})).status_code == 404
    for grace in (-1, 30 * 86_400 + 1, "soon"):
        answer = await post(pulse, acme, f"{KEYS}/{made['id']}/rotate", {"graceSeconds": grace})
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "graceSeconds")


async def test_keys_of_another_environment_are_not_there(pulse: Installation, acme: Tenant) -> None:
    production = await pulse.another_environment(acme)
    (theirs,) = await rows(pulse, production.headers, KEYS)
    assert theirs["id"] not in [row["id"] for row in await rows(pulse, acme.headers, KEYS)]
    assert (await pulse.client.delete(f"{KEYS}/{theirs['id']}", headers=acme.headers)).status_code == 404


# Sources.


@pytest.mark.parametrize("kind", ["github", "standard", "hmac", "none"])
async def test_a_source_and_its_secret(pulse: Installation, acme: Tenant, kind: str) -> None:
    made = await post(pulse, acme, SOURCES, {"name": "Hooks", "kind": kind})
    assert made.status_code == 201
    record = made.json()
    assert re.fullmatch("src_[0-9a-z]{32}", record["id"])
    assert record["path"] == f"/v1/hooks/{record['id']}"
    assert record["url"] == f"http://pulse.test{record['path']}"
    assert bool(record["secret"]) is (kind != "none")
    if kind == "standard":
        assert record["secret"].startswith("whsec_")
    (shown,) = await rows(pulse, acme.headers, SOURCES)
    assert shown == {name: value for name, value in record.items() if name != "secret"}


async def test_rotating_is_in_force_before_its_answer(pulse: Installation, acme: Tenant) -> None:
    record = (await post(pulse, acme, SOURCES, {"name": "Hooks", "kind": "github"})).json()

    async def sent(secret: str) -> int:
        named = {"content-type": "application/json", **github(BODY, secret)}
        return (await pulse.client.post(record["path"], content=BODY, headers=named)).status_code

    assert await sent(record["secret"]) == 202
    rotated = await post(pulse, acme, f"{SOURCES}/{record['id']}/rotate", {})
    assert (rotated.status_code, rotated.json()["secret"] != record["secret"]) == (200, True)
    assert [await sent(record["secret"]), await sent(rotated.json()["secret"])] == [202, 202]
    chosen = await post(pulse, acme, f"{SOURCES}/{record['id']}/rotate", {"secret": "chosen by the sender"})
    assert chosen.json()["secret"] == "chosen by the sender"
    assert [await sent(record["secret"]), await sent("chosen by the sender")] == [401, 202]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "x", "kind": "svix"}, "kind"),
        ({"name": "x"}, "kind"),
        ({"kind": "none"}, "name"),
        ({"name": "x", "kind": "hmac", "secret": "short"}, "secret"),
        ({"name": "x", "kind": "hmac", "secret": "x" * 201}, "secret"),
        ({"name": "x", "kind": "none", "secret": "x" * 20}, "secret"),
        ({"name": "x", "kind": "hmac", "environmentId": "env_1"}, "environmentId"),
    ],
)
async def test_faults_of_a_source(pulse: Installation, acme: Tenant, body: dict[str, Any], path: str) -> None:
    answer = await post(pulse, acme, SOURCES, body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path)
    assert await rows(pulse, acme.headers, SOURCES) == []


async def test_a_source_without_a_secret_is_not_rotated(pulse: Installation, acme: Tenant) -> None:
    record = (await post(pulse, acme, SOURCES, {"name": "Open", "kind": "none"})).json()
    answer = await post(pulse, acme, f"{SOURCES}/{record['id']}/rotate", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await post(pulse, acme, f"{SOURCES}/src_none/rotate", {})).status_code == 404


async def test_a_deleted_source_takes_nothing_any_more(pulse: Installation, acme: Tenant) -> None:
    made = (await post(pulse, acme, SOURCES, {"name": "hub", "kind": "none"})).json()
    path = f"{SOURCES}/{made['id']}"
    shown = await pulse.client.get(path, headers=acme.headers)
    assert shown.json() == {name: value for name, value in made.items() if name != "secret"}
    assert (await pulse.post(made["path"], b'{"a": 1}')).status_code == 202
    elsewhere, other = await pulse.another_environment(acme), await pulse.tenant("Other")
    for stranger in (elsewhere, other):
        assert (await pulse.client.get(path, headers=stranger.headers)).status_code == 404
        assert (await pulse.client.delete(path, headers=stranger.headers)).status_code == 404
    assert (await pulse.client.delete(path, headers=acme.headers)).status_code == 204
    assert (await pulse.post(made["path"], b'{"a": 1}')).status_code == 404
    assert (await pulse.client.delete(path, headers=acme.headers)).status_code == 404


async def test_a_key_revoked_in_one_process_is_refused_in_the_others(pulse: Installation, acme: Tenant) -> None:
    elsewhere, bus = Authenticator(pulse.parts.tenancy), pulse.parts.bus
    Changes(bus, [elsewhere])
    await bus.start()
    made = (await post(pulse, acme, KEYS, {"name": "ci"})).json()
    header = f"Bearer {made['key']}"
    assert (await elsewhere.authenticate(header)).key_id == made["id"]
    assert (await pulse.client.delete(f"{KEYS}/{made['id']}", headers=acme.headers)).status_code == 204
    with pytest.raises(Unauthenticated):
        await elsewhere.authenticate(header)
