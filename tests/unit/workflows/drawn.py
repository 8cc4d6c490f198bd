"""Entities and workflows to draw with, in both documented shapes of `workflowData`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulse.workflows.plan import WorkflowPlan, compile_plan
from pulse.workflows.records import Entity, EntityType, Workflow

ORGANIZATION, ENVIRONMENT = "org_1", "env_1"


def entity(entity_id: str, kind: EntityType = "action", **fields: Any) -> Entity:
    return Entity(entity_id, ORGANIZATION, ENVIRONMENT, f"The {entity_id}", kind, fields=fields)


def known(*entities: Entity) -> dict[str, Entity]:
    return {each.id: each for each in entities}


def place(ref: str, *children: Mapping[str, Any]) -> dict[str, Any]:
    """A place of the newer shape's tree of references."""
    return {"ref": ref, "children": list(children)}


def referenced(tree: Mapping[str, Any] | None, **nodes: Mapping[str, Any]) -> dict[str, Any]:
    """`workflowData` of the newer shape. A node's id stands for its entity where the node names none."""
    drawn = {ref: {"entityId": ref, **node} for ref, node in nodes.items()}
    return {"nodes": drawn, "connectors": {}, "workflow": tree}


def inline(entity_id: str, *children: Mapping[str, Any], **node: Any) -> dict[str, Any]:
    """A node of the older shape."""
    return {"entityId": entity_id, "children": list(children), **node}


def branch(value: str) -> dict[str, Any]:
    return {"entityId": None, "entityType": "logic-branch", "name": value, "branchValue": value}


def workflow(data: Any, **more: Any) -> Workflow:
    return Workflow(**{"id": "wf_1", "name": "Drawn", **_OWNER, "data": data, **more})


_OWNER = {"organization_id": ORGANIZATION, "environment_id": ENVIRONMENT}


def compiled(data: Any, *entities: Entity, **more: Any) -> dict[str, Any]:
    """What the sandbox is given for this drawing."""
    plan = planned(data, *entities, **more)
    assert plan is not None
    contents: dict[str, Any] = json.loads(plan.text)
    return contents


def planned(data: Any, *entities: Entity, **more: Any) -> WorkflowPlan | None:
    return compile_plan(workflow(data, **more), known(*entities))


def refs(tree: Mapping[str, Any], names: Sequence[Any]) -> Any:
    """A compiled tree with the names of its nodes, as nested (name, [children])."""
    return names[tree["node"]], [refs(child, names) for child in tree["children"]]


def names_of(plan: Mapping[str, Any]) -> list[Any]:
    return [node.get("entityId") or node["branchValue"] for node in plan["nodes"]]


def shape(plan: Mapping[str, Any]) -> Any:
    """The compiled tree as (entity or branch, [children])."""
    return refs(plan["tree"], names_of(plan))


def count_places(tree: Mapping[str, Any]) -> int:
    children: Iterable[Mapping[str, Any]] = tree["children"]
    return 1 + sum(count_places(child) for child in children)
