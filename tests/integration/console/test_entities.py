"""`/api/workflow-entities`."""

from typing import Any

import pytest

from tests.integration.console.documents import ENTITIES, create, entity, event, workflow
from tests.integration.receiver.installation import Installation, Tenant

FULL = {
    "name": "Large order",
    "entityType": "event",
    "description": "Orders over a limit",
    "condition": {
        "type": "group",
        "operator": "AND",
        "conditions": [
            {"type": "rule", "field": "type", "comparison": "equals", "value": "order"},
            {"type": "OR", "conditions": [{"field": "payload.amount", "operator": "greater_than", "value": 100}]},
        ],
    },
    "tfCondition": "True/False",
    "logicField": None,
    "logic": [],
    "preScript": "limit = 100;",
    "postScript": "print('passed')",
    "arguments": [{"name": "amount", "argumentValue": "{{payload.amount}}"}, {"name": "n", "argumentValue": 7}],
    "resultStatus": "Success",
    "onError": "continue",
}


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, ENTITIES, FULL)
    assert made.items() >= {**{k: v for k, v in FULL.items() if v is not None}, **acme.place, "revision": 1}.items()
    path = f"{ENTITIES}/{made['id']}"
    read = await pulse.client.get(path, headers=acme.headers)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    changed = await pulse.client.put(path, json={**FULL, "name": "Larger", "onError": None}, headers=acme.headers)
    assert (changed.status_code, changed.json()["name"], changed.json()["revision"]) == (200, "Larger", 2)
    assert "onError" not in changed.json()
    assert changed.json()["createdAt"] == made["createdAt"]
    assert (await pulse.client.get(path, headers=acme.headers)).json() == changed.json()
    gone = await pulse.client.delete(path, headers=acme.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    for method in ("GET", "DELETE"):
        assert (await pulse.client.request(method, path, headers=acme.headers)).status_code == 404


@pytest.mark.parametrize("entity_type", ["event", "prompt", "action", "result"])
async def test_each_type(pulse: Installation, acme: Tenant, entity_type: str) -> None:
    made = await create(pulse, acme, ENTITIES, entity(entity_type))
    assert (made["entityType"], made["tfCondition"], made["description"]) == (entity_type, "Single Path", None)


async def test_older_and_documented_fields_are_taken(pulse: Installation, acme: Tenant) -> None:
    more: dict[str, Any] = {
        "script": "x = 1",
        "workflowEntityTypeId": "uuid",
        "modelId": "m",
        "logic": [{"name": "Other", "value": "*"}],
    }
    made = await create(
        pulse, acme, ENTITIES, entity(condition={"field": "a", "operator": "exists"}, **more, **acme.place)
    )
    assert made.items() >= more.items()


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"name": None}, "name", "string_type"),
        ({"name": ""}, "name", "string_too_short"),
        ({"name": "x" * 201}, "name", "string_too_long"),
        ({"entityType": "webhook"}, "entityType", "literal_error"),
        ({"logic_field": "x"}, "logic_field", "extra_forbidden"),
        ({"unknown": 1}, "unknown", "extra_forbidden"),
        ({"id": "ent_mine"}, "id", "extra_forbidden"),
        ({"revision": 7}, "revision", "extra_forbidden"),
        ({"tfCondition": "Maybe"}, "tfCondition", "literal_error"),
        ({"onError": "retry"}, "onError", "literal_error"),
        ({"arguments": [{"name": "a"}, {"name": "1a"}]}, "arguments.1.name", "string_pattern_mismatch"),
        ({"arguments": [{"name": "a", "value": 1}]}, "arguments.0.value", "extra_forbidden"),
        ({"arguments": {"a": 1}}, "arguments", "list_type"),
        ({"logic": [{"name": "x"}]}, "logic.0.value", "missing"),
        ({"preScript": 1}, "preScript", "string_type"),
        ({"condition": []}, "condition", "dict_type"),
        (
            {"condition": {"field": "a", "comparison": "resembles", "value": 1}},
            "condition.comparison",
            "unknown_comparison",
        ),
        ({"condition": {"field": "a", "comparison": "equals"}}, "condition.value", "missing"),
        ({"condition": {"comparison": "exists"}}, "condition.field", "missing"),
        ({"condition": {"field": "a", "comparison": "in", "value": 1}}, "condition.value", "not_a_list"),
        ({"condition": {"type": "XOR", "conditions": []}}, "condition.operator", "unknown_join"),
        (
            {
                "condition": {
                    "type": "AND",
                    "conditions": [{"field": "a", "operator": "exists"}, {"field": "b", "operator": "?"}],
                }
            },
            "condition.conditions.1.comparison",
            "unknown_comparison",
        ),
    ],
)
async def test_faults_have_their_path(
    pulse: Installation, acme: Tenant, fields: dict[str, Any], path: str, code: str
) -> None:
    answer = await pulse.client.post(ENTITIES, json=entity(**fields), headers=acme.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    faults = [(fault["path"], fault["code"]) for fault in answer.json()["errors"]]
    assert any(at == path or at.startswith(f"{path}.") for at, _ in faults), faults
    assert code in [found for _, found in faults]
    assert all(fault["message"].endswith(".") for fault in answer.json()["errors"])


async def test_every_fault_is_named_at_once(pulse: Installation, acme: Tenant) -> None:
    answer = await pulse.client.post(ENTITIES, json={"nam": "x", "onError": 1}, headers=acme.headers)
    assert {fault["path"] for fault in answer.json()["errors"]} == {"name", "entityType", "nam", "onError"}
    assert "There is no such field." in [fault["message"] for fault in answer.json()["errors"]]


async def test_lists_have_pages(pulse: Installation, acme: Tenant) -> None:
    names = [f"event {n}" for n in range(5)]
    for name in names:
        await event(pulse, acme, name=name)
    seen = []
    for page in (1, 2, 3, 4):
        answer = await pulse.client.get(ENTITIES, params={"page": page, "limit": 2}, headers=acme.headers)
        assert answer.json()["pagination"] == {"page": page, "limit": 2, "total": 5, "totalPages": 3}
        seen += [row["name"] for row in answer.json()["data"]]
    assert seen == names
    default = (await pulse.client.get(ENTITIES, headers=acme.headers)).json()["pagination"]
    assert (default["page"], default["limit"]) == (1, 10)


@pytest.mark.parametrize("resource", ["workflow-entities", "workflows", "messages"])
@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=1.5", "page=1" + "0" * 30, "limit=0", "limit=1001", "limit=", "pgae=2"],
)
async def test_pages_that_are_none(pulse: Installation, acme: Tenant, resource: str, query: str) -> None:
    answer = await pulse.client.get(f"/api/{resource}?{query}", headers=acme.headers)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, query.partition("=")[0])


async def test_an_entity_that_is_used_stays(pulse: Installation, acme: Tenant) -> None:
    made = await workflow(pulse, acme, name="Uses it")
    used = made["workflowData"]["nodes"]["n0"]["entityId"]
    count = await pulse.client.get(f"{ENTITIES}/{used}/usage-count", headers=acme.headers)
    assert (count.status_code, count.json()) == (200, {"count": 1})
    answer = await pulse.client.delete(f"{ENTITIES}/{used}", headers=acme.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "'Uses it'" in answer.json()["detail"]
    await pulse.client.delete(f"/api/workflows/{made['id']}", headers=acme.headers)
    assert (await pulse.client.delete(f"{ENTITIES}/{used}", headers=acme.headers)).status_code == 204


async def test_a_changed_entity_gives_its_workflows_a_new_version(pulse: Installation, acme: Tenant) -> None:
    made = await workflow(pulse, acme)
    used = made["workflowData"]["nodes"]["n0"]["entityId"]
    await pulse.client.put(f"{ENTITIES}/{used}", json=entity(postScript="x = 1"), headers=acme.headers)
    again = (await pulse.client.get(f"/api/workflows/{made['id']}", headers=acme.headers)).json()
    assert (made["version"], again["version"]) == (1, 2)


# Revisions: a write that depends on one loses nothing.


@pytest.mark.parametrize("match", ['"1"', 'W/"1"', "1", "*"])
async def test_a_write_that_fits_its_revision(pulse: Installation, acme: Tenant, match: str) -> None:
    path = f"{ENTITIES}/{await event(pulse, acme)}"
    answer = await pulse.client.put(path, json=entity(name="new"), headers={**acme.headers, "If-Match": match})
    assert (answer.status_code, answer.json()["revision"]) == (200, 2)


@pytest.mark.parametrize("match", ['"0"', '"2"', '"99999999999999999999"', '"abc"', "", '"1", "2"', '"-1"', '""'])
async def test_a_stale_write_changes_nothing(pulse: Installation, acme: Tenant, match: str) -> None:
    path = f"{ENTITIES}/{await event(pulse, acme)}"
    answer = await pulse.client.put(path, json=entity(name="new"), headers={**acme.headers, "If-Match": match})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")
    kept = (await pulse.client.get(path, headers=acme.headers)).json()
    assert (kept["name"], kept["revision"]) == ("An event", 1)
