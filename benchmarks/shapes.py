"""Workflows of several shapes, all made of the same kind of node, with a message for each."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.workload import MESSAGE
from pulse.workflows.plan import WorkflowPlan, compile_plan
from pulse.workflows.records import Entity, Workflow

SCRIPT = "total = (typeof total === 'number' ? total : 0) + payload.pull_request.additions % 7;"
Node = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """A plan, a message, and how many nodes the message visits."""

    name: str
    plan: WorkflowPlan
    message: bytes
    nodes: int


def shapes() -> Iterator[Shape]:
    """Three nodes come first: the others are measured by them."""
    message = json.loads(MESSAGE)
    yield _shape("3 nodes", _chain(2), message, 3)
    yield _shape("50 nodes", _chain(49), message, 50)
    yield _shape("Multi, 20 branches", _multi, {**message, "kind": "kind 19"}, 3)
    yield _shape("Iterable, 1,000 items", _iterable, {**message, "items": list(range(1_000))}, 1_001)
    filler = [{"id": number, "text": "x" * 80} for number in range(1_000)]
    yield _shape("100 KB message", _chain(2), {**message, "filler": filler}, 3)


def many(count: int) -> Iterator[WorkflowPlan]:
    """Workflows that each want another type of message; the last one wants the benchmark's."""
    wanted = json.loads(MESSAGE)["type"]
    for number in range(count):
        kind = wanted if number == count - 1 else f"{wanted}.{number}"
        yield _compiled(f"wf_{number}", _chain(2, {"field": "type", "comparison": "equals", "value": kind}))


class Drawer:
    """Collects the entities of a drawing while its nodes are made."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}

    def node(self, kind: Any, children: list[Node], **fields: Any) -> Node:
        key = f"e{len(self.entities)}"
        self.entities[key] = Entity(key, "org", "env", f"Node {key}", kind, None, fields)
        return {"entityId": key, "entityType": kind, "children": children}


def _chain(actions: int, condition: dict[str, Any] | None = None) -> Callable[[Drawer], Node]:
    wanted = condition or {"field": "payload.pull_request.additions", "comparison": "greater_than", "value": 500}

    def draw(drawer: Drawer) -> Node:
        below: list[Node] = []
        for _ in range(actions):
            below = [drawer.node("action", below, postScript=SCRIPT)]
        return drawer.node("event", below, condition=wanted)

    return draw


def _multi(drawer: Drawer) -> Node:
    values = [f"kind {number}" for number in range(20)]
    branches = [
        {"entityType": "logic-branch", "branchValue": value, "children": [drawer.node("action", [], postScript=SCRIPT)]}
        for value in values
    ]
    logic = [{"name": value, "value": value} for value in values]
    return drawer.node("event", branches, tfCondition="Multi", logicField="kind", logic=logic)


def _iterable(drawer: Drawer) -> Node:
    action = drawer.node("action", [], postScript=SCRIPT)
    return drawer.node("event", [action], tfCondition="Iterable", logicField="items")


def _shape(name: str, draw: Callable[[Drawer], Node], message: dict[str, Any], nodes: int) -> Shape:
    return Shape(name, _compiled("wf_shape", draw), json.dumps(message, separators=(",", ":")).encode(), nodes)


def _compiled(workflow_id: str, draw: Callable[[Drawer], Node]) -> WorkflowPlan:
    drawer = Drawer()
    workflow = Workflow(workflow_id, "org", "env", workflow_id, {"root": draw(drawer)})
    compiled = compile_plan(workflow, drawer.entities)
    assert compiled is not None
    return compiled
