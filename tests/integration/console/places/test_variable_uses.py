"""`/api/variables/{name}/uses`: where a variable is named."""

from typing import Any

import pytest

from pulse.console.tenancy.variable_uses import places_in
from pulse.workflows.records import Entity
from tests.integration.console.documents import create, drawn, entity
from tests.integration.receiver.installation import Installation, Tenant

RULE = {"type": "rule", "field": "API_KEY.part", "comparison": "exists"}


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"postScript": "print(API_KEY)"}, ["postScript"]),
        ({"preScript": "API_KEY", "script": "`${API_KEY}`"}, ["preScript", "script"]),
        ({"script": "MY_API_KEY; API_KEY2; $API_KEY; API_KEY$; ÄPI_KEY"}, []),
        ({"script": "a.API_KEY // found, though it is another thing's field"}, ["script"]),
        ({"prompt": "Use {{API_KEY}} or {{ API_KEY.part }}"}, ["prompt"]),
        ({"prompt": "Say API_KEY, {{message.API_KEY}} {{API_KEYS}}"}, []),
        (
            {"arguments": [{"name": "a", "argumentValue": 1}, {"name": "b", "argumentValue": "{{API_KEY[0]}}"}]},
            ["arguments.1"],
        ),
        ({"logicField": "API_KEY"}, ["logicField"]),
        ({"logicField": "payload.API_KEY"}, []),
        ({"condition": RULE}, ["condition"]),
        ({"condition": {"type": "OR", "conditions": [{"type": "group", "conditions": [RULE]}]}}, ["condition"]),
        ({"condition": {"field": "payload", "comparison": "equals", "value": "API_KEY"}}, []),
        ({"condition": {"conditions": "API_KEY"}, "prompt": None, "arguments": None}, []),
        ({}, []),
    ],
)
def test_places(fields: dict[str, Any], places: list[str]) -> None:
    found = places_in(Entity("ent_1", "org_1", "env_1", "An event", "event", fields=fields), "API_KEY")
    assert list(found) == places


async def uses(pulse: Installation, tenant: Tenant, name: str = "API_KEY") -> list[dict[str, Any]]:
    answer = await pulse.client.get(f"/api/variables/{name}/uses", headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["pagination"]["total"] == len(answer.json()["data"])
    return list(answer.json()["data"])


async def test_entities_and_workflows_that_name_a_variable(pulse: Installation, acme: Tenant) -> None:
    elsewhere, other = await pulse.another_environment(acme), await pulse.tenant("Other")
    made = {}
    for tenant in (acme, elsewhere, other):
        await create(pulse, tenant, "/api/variables", {"name": "API_KEY", "value": "a secret"})
        for name, fields in (("a", {"postScript": "print(API_KEY)"}), ("b", {}), ("c", {"script": "API_KEY"})):
            body = {**entity("event", **fields), "name": name}
            made[tenant.environment_id, name] = (await create(pulse, tenant, "/api/workflow-entities", body))["id"]
        nodes = [{"entityId": made[tenant.environment_id, name], "entityType": "event"} for name in ("a", "b")]
        body = {"name": "Flow", "workflowData": drawn(*nodes)}
        made[tenant.environment_id, "flow"] = (await create(pulse, tenant, "/api/workflows", body))["id"]
    for tenant in (acme, elsewhere, other):
        ours = {name: made[tenant.environment_id, name] for name in ("a", "c", "flow")}
        first, second = await uses(pulse, tenant)
        assert (first["id"], first["places"]) == (ours["a"], ["postScript"])
        assert first["workflows"] == [{"id": ours["flow"], "name": "Flow"}]
        assert (second["id"], second["places"], second["workflows"]) == (ours["c"], ["script"], [])


async def test_a_node_that_names_a_variable(pulse: Installation, acme: Tenant) -> None:
    await create(pulse, acme, "/api/variables", {"name": "KIND", "value": "x"})
    made = await create(pulse, acme, "/api/workflow-entities", entity("event"))
    node = {"entityId": made["id"], "entityType": "event", "tfCondition": "Iterable", "logicField": "KIND.items"}
    body = {"name": "Flow", "workflowData": drawn(node)}
    flow = await create(pulse, acme, "/api/workflows", body)
    (found,) = await uses(pulse, acme, "KIND")
    assert (found["kind"], found["id"], found["places"]) == ("workflow", flow["id"], ["n0.logicField"])


async def test_what_is_no_variable_has_no_uses(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    made = await create(pulse, other, "/api/variables", {"name": "THEIRS", "value": "x"})
    for name in ("THEIRS", made["id"], "none", "a'b", "%5B"):
        answer = await pulse.client.get(f"/api/variables/{name}/uses", headers=acme.headers)
        assert answer.status_code == 404, name
    scoped = await pulse.another_key(other, "workflows:read")
    answer = await pulse.client.get("/api/variables/THEIRS/uses", headers=scoped.headers)
    assert answer.status_code == 403
    assert await uses(pulse, other, "THEIRS") == []
