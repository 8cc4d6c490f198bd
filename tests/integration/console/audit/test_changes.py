"""Whatever changes something leaves exactly one entry, which holds no secret; no route is exempt but those named."""

import asyncio
import json
from typing import Any

import pytest
from fastapi.routing import APIRoute

from pulse.console.app import MODULES
from pulse.console.routes import permissions
from tests.integration.console.audit.conftest import Entries, Found
from tests.integration.console.documents import ENTITIES, WORKFLOWS, entity, event, workflow
from tests.integration.console.models.documents import (
    CONFIGURATIONS,
    CREDENTIALS,
    MODELS,
    TEMPLATES,
    configuration,
    mock,
    older,
    openai,
    template,
)
from tests.integration.console.people.rooms import PASSWORD, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

CANARY = "canary-3f9a1c-value-that-nobody-may-see"
# What changes nothing, though it is no GET: a test run evaluates a draft and throws away what came of it.
EXEMPT = {("POST", "/workflows/{workflow_id}/test")}


class Watch:
    """Sends requests, and looks at what entries they leave."""

    def __init__(self, pulse: Installation, tenant: Tenant, entries: Entries) -> None:
        self._pulse, self._tenant, self._entries = pulse, tenant, entries
        self._known: set[str] = set()
        self.seen: Found = []

    async def new(self) -> Found:
        found = [*await self._entries(self._tenant), *await self._entries()]
        fresh = [entry for entry in found if entry["id"] not in self._known]
        self._known |= {entry["id"] for entry in fresh}
        return fresh

    async def one(self, method: str, path: str, body: Any = None, *, by: Any = None, at: int = 1) -> dict[str, Any]:
        """The answer of a request that must succeed and leave so many entries."""
        await self.new()
        if isinstance(by, Browser):
            answer = await by.send(method, path, body)
        else:
            headers = {**(by or self._tenant.headers), "If-Match": "*"}
            answer = await self._pulse.client.request(method, path, json=body, headers=headers)
        assert answer.status_code < 300, (method, path, answer.text)
        fresh = await self.new()
        assert len(fresh) == at, (method, path, fresh)
        for entry in fresh:
            assert (entry["method"], entry["path"]) == (method, path.partition("?")[0])
            assert (entry["outcome"], entry["reason"]) == ("done", None)
            assert entry["subjects"], (method, path)
        self.seen += fresh
        return dict(answer.json()) if answer.content else {}


@pytest.fixture
async def watch(pulse: Installation, acme: Tenant, entries: Entries) -> Watch:
    return Watch(pulse, acme, entries)


async def test_workflows(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    used = await watch.one("POST", ENTITIES, entity())
    await watch.one("PUT", f"{ENTITIES}/{used['id']}", entity(name="Another"))
    await watch.one("DELETE", f"{ENTITIES}/{used['id']}")
    data = {"root": {"entityId": await event(pulse, acme), "children": []}}
    made = await watch.one("POST", WORKFLOWS, {"name": "W", "workflowData": data})
    await watch.one("PUT", f"{WORKFLOWS}/{made['id']}", {"name": "V", "workflowData": data})
    sent = await watch.one("POST", f"{WORKFLOWS}/{made['id']}/trigger", {"payload": {"text": CANARY}})
    (last,) = watch.seen[-1]["subjects"]
    assert (last["kind"], last["id"], last["changed"]) == ("workflow", made["id"], {"message": sent["messageId"]})
    await watch.one("DELETE", f"{WORKFLOWS}/{made['id']}")
    assert {entry["actor"]["kind"] for entry in watch.seen} == {"key"}
    assert {entry["action"] for entry in watch.seen} == {"workflows:write", "workflows:trigger"}
    assert CANARY not in json.dumps(watch.seen)


async def test_messages(alone: Installation) -> None:
    acme = await alone.tenant()

    async def entries(tenant: Tenant | None = None, **wanted: Any) -> Found:
        place = {"organizationId": tenant.organization_id} if tenant is not None else {}
        query = {"limit": 1000, **place, **wanted}
        answer = await alone.client.get("/api/audit", params=query, headers=alone.operator)
        return list(reversed(answer.json()["data"]))

    watch = Watch(alone, acme, entries)
    ids = [await alone.sent(acme, {"type": "order", "text": CANARY}) for _ in range(5)]
    assert await watch.new() == []
    await watch.one("POST", f"/api/messages/{ids[0]}/cancel")
    await alone.end("fail")
    await watch.one("POST", f"/api/messages/{ids[1]}/replay", {"payload": CANARY})
    await watch.one("POST", "/api/messages/replay", {"status": "fail"})
    assert watch.seen[-1]["subjects"][0]["changed"] == {"replayed": 4}
    await watch.one("DELETE", f"/api/messages/{ids[0]}")
    answer = await alone.client.post(
        "/api/messages/replay", json={"status": "fail", "dryRun": True}, headers=acme.headers
    )
    assert answer.json()["count"] == 4
    assert await watch.new() == []
    assert CANARY not in json.dumps(watch.seen)


async def test_secrets_are_in_no_entry(watch: Watch, acme: Tenant) -> None:
    variable = await watch.one("POST", "/api/variables", {"name": "TOKEN", "value": CANARY})
    await watch.one("PUT", f"/api/variables/{variable['id']}", {"value": f"{CANARY}2"})
    await watch.one("DELETE", f"/api/variables/{variable['id']}")
    source = await watch.one("POST", "/api/sources", {"name": "hub", "kind": "github", "secret": CANARY})
    rotated = await watch.one("POST", f"/api/sources/{source['id']}/rotate", {})
    await watch.one("DELETE", f"/api/sources/{source['id']}")
    key = await watch.one("POST", "/api/api-keys", {"name": "new"})
    newer = await watch.one("POST", f"/api/api-keys/{key['id']}/rotate", {})
    await watch.one("DELETE", f"/api/api-keys/{key['id']}")
    kept = await watch.one("POST", CREDENTIALS, openai(apiKey=CANARY))
    await watch.one("PUT", f"{CREDENTIALS}/{kept['id']}", openai(apiKey=f"{CANARY}2"))
    assert watch.seen[-1]["subjects"][0]["changed"] == {"secrets_changed": True}
    await watch.one("DELETE", f"{CREDENTIALS}/{kept['id']}")
    model = await watch.one("POST", MODELS, older(token=CANARY))
    await watch.one("PUT", f"{MODELS}/{model['id']}", older(token=f"{CANARY}2"))
    await watch.one("DELETE", f"{MODELS}/{model['id']}")
    told = json.dumps(watch.seen)
    for secret in (CANARY, key["key"], newer["key"], rotated["secret"], acme.key):
        assert secret not in told
        assert secret.rpartition("_")[2] not in told


async def test_models_and_prompts(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    credential = await watch.one("POST", CREDENTIALS, mock())
    await watch.one("POST", f"{CREDENTIALS}/{credential['id']}/validate")
    body = {"name": "Small", "modelDefinitionId": "mock/mock-small", "credentialId": credential["id"]}
    model = await watch.one("POST", CONFIGURATIONS, body)
    await watch.one("PUT", f"{CONFIGURATIONS}/{model['id']}", {**body, "name": "Smaller"})
    await watch.one("DELETE", f"{CONFIGURATIONS}/{model['id']}")
    await configuration(pulse, acme, name="Default", isDefault=True)
    prompt = await watch.one("POST", TEMPLATES, {"name": "T", "text": CANARY})
    path = f"{TEMPLATES}/{prompt['id']}"
    await watch.one("PUT", path, {"name": "T", "text": f"{CANARY} {{{{x}}}}"})
    values = await watch.one("POST", f"{path}/variable-sets", {"name": "S", "values": {"x": CANARY}})
    await watch.one("PUT", f"{path}/variable-sets/{values['id']}", {"name": "S", "values": {"x": "y"}})
    await watch.one("DELETE", f"{path}/variable-sets/{values['id']}")
    run = await watch.one("POST", f"{path}/runs", {"rows": [{"values": {"x": CANARY}}]})
    await watch.one("POST", f"{path}/runs/{run['id']}/cancel")
    await watch.one("POST", f"{path}/runs/{run['id']}/retry")
    await watch.one("POST", f"{path}/runs/{run['id']}/cancel")
    await watch.one("DELETE", f"{path}/runs/{run['id']}")
    await watch.one("DELETE", path)
    await template(pulse, acme)
    assert CANARY not in json.dumps(watch.seen)


async def test_people(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    body = {
        "email": "eve-of-audit@example.com",
        "password": CANARY,
        "organizationId": acme.organization_id,
        "role": "Guest",
    }
    made = await watch.one("POST", "/api/users", body, by=pulse.operator)
    assert [subject["kind"] for subject in watch.seen[-1]["subjects"]] == ["user", "member"]
    assert watch.seen[-1]["organizationId"] == acme.organization_id
    assert {entry["actor"]["kind"] for entry in watch.seen} == {"local"}
    place = f"?organizationId={acme.organization_id}"
    await watch.one("PUT", f"/api/members/{made['id']}{place}", {"role": "User"}, by=pulse.operator)
    await watch.one("PUT", f"/api/members/{made['id']}{place}", {"role": "User"}, by=pulse.operator, at=0)
    mine = Browser(pulse)
    await watch.one("POST", "/api/session", {"email": body["email"], "password": CANARY}, by=mine)
    assert (await mine.sign_in(body["email"], CANARY)).status_code == 200
    await watch.one("PUT", "/api/profile", {"firstName": "Eve"}, by=mine)
    assert watch.seen[-1]["actor"] == {"kind": "user", "id": made["id"]}
    change = {"oldPassword": CANARY, "newPassword": f"{CANARY} 2"}
    await watch.one("PUT", "/api/profile/password", change, by=mine)
    mine.csrf = (await mine.send("GET", "/api/session")).json()["csrfToken"]
    await watch.one("POST", "/api/variables", {"name": "OF_EVE", "value": CANARY}, by=mine)
    assert watch.seen[-1]["organizationId"] == acme.organization_id
    cookie = mine.cookie
    await watch.one("DELETE", f"/api/members/{made['id']}{place}", by=pulse.operator)
    told = json.dumps(watch.seen)
    assert CANARY not in told
    assert cookie not in told


async def test_a_wrong_password_is_no_change(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    made = await user(pulse, acme)
    await watch.new()
    assert (await Browser(pulse).sign_in(made["email"], "wrong " + PASSWORD)).status_code == 401
    assert await watch.new() == []


async def test_organizations_and_environments(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    made = await watch.one("POST", "/api/organizations", {"name": f"New of {acme.organization_id}"}, by=pulse.operator)
    assert watch.seen[-1]["organizationId"] is None
    assert watch.seen[-1]["subjects"][0]["id"] == made["id"]
    body = {"name": "staging", "organizationId": acme.organization_id}
    await watch.one("POST", "/api/environments", body, by=pulse.operator)
    assert watch.seen[-1]["organizationId"] == acme.organization_id


async def test_what_fails_leaves_nothing(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    made = await workflow(pulse, acme)
    await watch.new()
    for method, path, body, status in (
        ("POST", WORKFLOWS, {"name": "W", "workflowData": {"root": {"entityId": "no"}}}, 422),
        ("PUT", f"{WORKFLOWS}/{made['id']}", {"name": "V", "workflowData": made["workflowData"]}, 412),
        ("DELETE", f"{WORKFLOWS}/wf_none", None, 404),
        ("DELETE", "/api/sources/src_none", None, 404),
        ("DELETE", "/api/api-keys/key_none", None, 404),
        ("POST", "/api/variables", {"name": "1", "value": "x"}, 422),
    ):
        headers = {**acme.headers, "If-Match": '"9"'}
        answer = await pulse.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, (method, path, answer.text)
        assert await watch.new() == [], (method, path)
    query = {"organizationId": acme.organization_id}
    invited = {"email": "invited-once@example.com", "role": "User"}
    for path, body, status in (
        ("/api/invitations", invited, 201),
        ("/api/invitations", invited, 409),
        ("/api/invitations/tkt_none/resend", None, 404),
    ):
        answer = await pulse.client.post(path, json=body, params=query, headers=pulse.operator)
        assert answer.status_code == status, (path, answer.text)
        assert len(await watch.new()) == (1 if status == 201 else 0), path
    for path in ("/api/members/usr_none",):
        for method, body in (("DELETE", None), ("PUT", {"role": "User"})):
            answer = await pulse.client.request(method, path, json=body, params=query, headers=pulse.operator)
            assert answer.status_code == 404
            assert await watch.new() == [], (method, path)


async def test_what_only_reads_leaves_nothing(pulse: Installation, acme: Tenant, watch: Watch) -> None:
    await watch.new()
    for path in (WORKFLOWS, "/api/messages", "/api/variables", "/api/api-keys", "/api/audit"):
        await pulse.client.get(path, headers=acme.headers)
    await pulse.sent(acme, {"type": "order"})
    assert [entry for entry in await watch.new() if entry["outcome"] == "done"] == []


async def test_changes_at_once_have_their_own_entries(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    """Acts that share a process are not mixed up."""
    other = await pulse.tenant("Other")

    async def make(tenant: Tenant, name: str) -> str:
        body = {"name": name, "value": "x"}
        answer = await pulse.client.post("/api/variables", json=body, headers=tenant.headers)
        return str(answer.json()["id"])

    made = await asyncio.gather(*(make(tenant, f"V{n}") for n in range(10) for tenant in (acme, other)))
    for tenant, ids in ((acme, made[::2]), (other, made[1::2])):
        found = await entries(tenant, action="variables:write")
        assert sorted(entry["subjects"][0]["id"] for entry in found) == sorted(ids)
        assert all(len(entry["subjects"]) == 1 for entry in found)


async def test_triggers_at_once_have_their_own_entries(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    made = await workflow(pulse, acme)

    async def trigger() -> str:
        path = f"{WORKFLOWS}/{made['id']}/trigger"
        answer = await pulse.client.post(path, json={"payload": 1}, headers=acme.headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["messageId"])

    ids = await asyncio.gather(*(trigger() for _ in range(20)))
    found = await entries(acme, action="workflows:trigger")
    assert sorted(entry["subjects"][0]["changed"]["message"] for entry in found) == sorted(ids)


async def test_a_person_of_the_organization_is_named(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    somebody = await browser(pulse, acme, "User")
    await somebody.send("POST", "/api/variables", {"name": "A", "value": "b"})
    (found,) = await entries(acme, actor=somebody.user["id"])
    assert found["actor"] == {"kind": "user", "id": somebody.user["id"]}
    assert found["environmentId"] == acme.environment_id
    assert found["at"].endswith("Z")


def test_no_route_that_changes_something_goes_past_the_audit() -> None:
    """All of them are GuardedRoutes (test_openapi.py), which begin an act for every method but those that only read."""
    routes = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    changing = {(method, route.path) for route in routes for method in route.methods or () if method != "GET"}
    assert changing >= EXEMPT
    assert len(changing) > 60
    for route in routes:
        for check in permissions(route.dependant):
            is_reading = check.permission.endswith(":read")
            assert is_reading or (route.methods or set()) & {"POST", "PUT", "DELETE", "PATCH"}, route.path
