"""Bodies that the console takes: entities, and workflows of them in both shapes."""

from typing import Any

from tests.integration.receiver.installation import Installation, Tenant

ENTITIES, WORKFLOWS = "/api/workflow-entities", "/api/workflows"


def entity(entity_type: str = "event", **fields: Any) -> dict[str, Any]:
    return {"name": f"An {entity_type}", "entityType": entity_type, **fields}


def drawn(*nodes: dict[str, Any], tree: dict[str, Any] | None = None) -> dict[str, Any]:
    """The newer shape: nodes n0, n1, …; without a tree, the first is the root and has the others as children."""
    children = [{"ref": f"n{at}", "children": []} for at in range(1, len(nodes))]
    return {
        "nodes": {f"n{at}": {"name": f"node {at}", **node} for at, node in enumerate(nodes)},
        "connectors": {},
        "workflow": tree or {"ref": "n0", "children": children},
    }


def branches(*values: str) -> list[dict[str, Any]]:
    return [{"entityType": "logic-branch", "name": value, "branchValue": value} for value in values]


async def create(pulse: Installation, tenant: Tenant, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await pulse.client.post(path, json=body, headers=tenant.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def event(pulse: Installation, tenant: Tenant, **fields: Any) -> str:
    """The id of a new event."""
    return str((await create(pulse, tenant, ENTITIES, entity(**fields)))["id"])


async def workflow(pulse: Installation, tenant: Tenant, **fields: Any) -> dict[str, Any]:
    """A new workflow of one event."""
    data = drawn({"entityId": await event(pulse, tenant), "entityType": "event"})
    return await create(pulse, tenant, WORKFLOWS, {"name": "A workflow", "workflowData": data, **fields})
