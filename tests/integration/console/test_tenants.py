"""A second tenant, and a second environment of the same: nothing of the first is read, changed, listed or hinted at."""

from typing import Any

import pytest

from tests.integration.console.documents import create, drawn, entity, event, workflow
from tests.integration.receiver.installation import Installation, Tenant

OPERATIONS: list[tuple[str, str, Any]] = [
    ("GET", "/api/workflow-entities/{entity}", None),
    ("PUT", "/api/workflow-entities/{entity}", entity(name="stolen")),
    ("DELETE", "/api/workflow-entities/{entity}", None),
    ("GET", "/api/workflow-entities/{entity}/usage-count", None),
    ("GET", "/api/workflows/{workflow}", None),
    ("PUT", "/api/workflows/{workflow}", {"name": "stolen"}),
    ("DELETE", "/api/workflows/{workflow}", None),
    ("GET", "/api/messages/{message}", None),
    ("GET", "/api/messages/{message}?wait=0.01", None),
    ("DELETE", "/api/messages/{message}", None),
    ("POST", "/api/messages/{message}/cancel", None),
    ("POST", "/api/messages/{message}/replay", None),
    ("DELETE", "/api/api-keys/{key}", None),
    ("POST", "/api/sources/{source}/rotate", {}),
    ("GET", "/api/variables/{variable}", None),
    ("PUT", "/api/variables/{variable}", {"value": "stolen"}),
    ("DELETE", "/api/variables/{variable}", None),
]


async def belongings(pulse: Installation, acme: Tenant) -> dict[str, str]:
    keys = (await pulse.client.get("/api/api-keys", headers=acme.headers)).json()["data"]
    return {
        "entity": await event(pulse, acme),
        "workflow": (await workflow(pulse, acme))["id"],
        "message": await pulse.sent(acme, {"secret": "of acme"}),
        "key": keys[0]["id"],
        "source": (await pulse.source(acme, "hmac")).id,
        "variable": (await create(pulse, acme, "/api/variables", {"name": "KEY", "value": "of acme"}))["id"],
    }


async def snapshot(pulse: Installation, acme: Tenant) -> list[Any]:
    resources = ("workflow-entities", "workflows", "messages", "api-keys", "sources", "variables")
    return [(await pulse.client.get(f"/api/{name}", headers=acme.headers)).json() for name in resources]


async def others(pulse: Installation, acme: Tenant) -> list[Tenant]:
    return [await pulse.tenant(), await pulse.another_environment(acme)]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS, ids=lambda value: str(value)[:60])
async def test_an_id_of_another_is_not_found(
    pulse: Installation, acme: Tenant, method: str, path: str, body: Any
) -> None:
    mine = await belongings(pulse, acme)
    before = await snapshot(pulse, acme)
    for other in await others(pulse, acme):
        answer = await pulse.client.request(method, path.format(**mine), json=body, headers=other.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "of acme" not in answer.text
    assert await snapshot(pulse, acme) == before


async def test_lists_show_nothing_of_another(pulse: Installation, acme: Tenant) -> None:
    mine = await belongings(pulse, acme)
    for other in await others(pulse, acme):
        text = str(await snapshot(pulse, other))
        assert [name for name, value in mine.items() if value in text] == []


async def test_naming_another_organization_in_a_query_is_not_found(pulse: Installation, acme: Tenant) -> None:
    other, production = await others(pulse, acme)
    for resource in ("workflow-entities", "workflows", "messages", "api-keys", "sources", "variables", "environments"):
        query = {"organizationId": acme.organization_id}
        assert (await pulse.client.get(f"/api/{resource}", params=query, headers=other.headers)).status_code == 404
        query = {"environmentId": acme.environment_id}
        assert (await pulse.client.get(f"/api/{resource}", params=query, headers=production.headers)).status_code == 403


@pytest.mark.parametrize("resource", ["workflow-entities", "workflows", "variables"])
async def test_naming_another_place_in_a_body(pulse: Installation, acme: Tenant, resource: str) -> None:
    other, production = await others(pulse, acme)
    bodies = {"workflow-entities": entity(), "variables": {"name": "x", "value": "x"}}
    body = bodies.get(resource, {"name": "x"})
    path = f"/api/{resource}"
    for place, status in (
        ({"organizationId": other.organization_id}, 404),
        ({"environmentId": production.environment_id}, 403),
        ({"environmentId": other.environment_id}, 403),
    ):
        answer = await pulse.client.post(path, json={**body, **place}, headers=acme.headers)
        assert answer.status_code == status
    for tenant in (acme, other, production):
        assert (await pulse.client.get(path, headers=tenant.headers)).json()["data"] == []


async def test_a_replay_by_filter_stays_at_home(pulse: Installation, acme: Tenant) -> None:
    message_id = await pulse.sent(acme, {"type": "t"})
    for other in await others(pulse, acme):
        for wanted in ({"ids": [message_id]}, {"type": "t"}, {"from": "2000-01-01"}):
            answer = await pulse.client.post("/api/messages/replay", json=wanted, headers=other.headers)
            assert (answer.status_code, answer.json()["count"]) == (202, 0)
        named = {"type": "t", "environmentId": acme.environment_id}
        assert (await pulse.client.post("/api/messages/replay", json=named, headers=other.headers)).status_code == 403
    assert await pulse.count(acme) == 1


async def test_a_workflow_cannot_use_an_entity_of_another(pulse: Installation, acme: Tenant) -> None:
    theirs = await event(pulse, acme)
    for other in await others(pulse, acme):
        mine = await workflow(pulse, other)
        body = {"name": "x", "workflowData": drawn({"entityId": theirs})}
        for method, path in (("POST", "/api/workflows"), ("PUT", f"/api/workflows/{mine['id']}")):
            answer = await pulse.client.request(method, path, json=body, headers=other.headers)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_entity")


async def test_the_operator_looks_into_one_place_at_a_time(pulse: Installation, acme: Tenant) -> None:
    mine = await belongings(pulse, acme)
    other = await pulse.tenant()
    for resource, name in (("workflow-entities", "entity"), ("workflows", "workflow"), ("messages", "message")):
        path = f"/api/{resource}/{mine[name]}"
        assert (await pulse.client.get(path, params=acme.place, headers=pulse.operator)).status_code == 200
        assert (await pulse.client.get(path, params=other.place, headers=pulse.operator)).status_code == 404
        assert (await pulse.client.get(path, headers=pulse.operator)).status_code == 422
