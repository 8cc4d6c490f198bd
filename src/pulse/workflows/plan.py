"""The plan: a workflow and its entities, checked and compiled into what the sandbox walks.

    {id, workflowId, name, version,
     nodes: [{kind, entityId, name, type, mode?, conditionText?, logicField?, logic?, arguments, pre?, post?,
              resultStatus?, branchValue?, workflowId?, onError?}],
     tree: {node: index, children: […]}}

A plan's id names its contents: two plans with the same id are the same plan, so a sandbox process keeps each for good.
`Multi`, `Iterable`, prompts and sub-workflows have their fields here already; until they are evaluated, a workflow that
uses one is refused when it is saved.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pulse.core.conditions import compile_condition
from pulse.core.errors import Fault, InvalidFields
from pulse.core.templates import argument
from pulse.sandbox.port import Plan
from pulse.workflows.records import MODES, Entity, Workflow
from pulse.workflows.tree import KINDS, Place, Tree, read_tree

LATER = {"Multi": "events of mode Multi", "Iterable": "events of mode Iterable"}
LATER_KINDS = {"prompt": "prompts", "workflow": "sub-workflows"}


def check_workflow(data: Any, entities: Mapping[str, Entity]) -> list[Fault]:
    """Every fault of `workflowData`; `entities` are those that this workflow may use, by id."""
    return _Compiler(read_tree(data), entities).faults


def compile_plan(workflow: Workflow, entities: Mapping[str, Entity]) -> Plan | None:
    """The plan of a workflow, or None where its first node is not an event: such a workflow takes no messages.

    Raises InvalidFields for a workflow that has faults (one whose entity was deleted, say).
    """
    compiler = _Compiler(read_tree(workflow.data), entities)
    if compiler.faults:
        raise InvalidFields(compiler.faults)
    if compiler.tree is None or compiler.nodes[compiler.tree["node"]]["kind"] != "event":
        return None
    contents = {
        "workflowId": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "nodes": compiler.nodes,
        "tree": compiler.tree,
    }
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"))
    plan_id = f"{workflow.id}@{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return Plan(plan_id, f'{{"id":"{plan_id}",{text[1:]}')


def behaves_alike(before: Any, after: Any, entities: Mapping[str, Entity]) -> bool:
    """Whether two drawings do the same; `entities` are those of `after`, which were not changed meanwhile."""
    one, other = (_Compiler(read_tree(data), entities) for data in (before, after))
    return (one.nodes, one.tree, one.faults) == (other.nodes, other.tree, other.faults)


def entity_ids(data: Any) -> set[str]:
    """The entities that a workflow refers to."""
    return {node["entityId"] for node in read_tree(data).nodes.values() if isinstance(node.get("entityId"), str)}


class _Compiler:
    def __init__(self, tree: Tree, entities: Mapping[str, Entity]) -> None:
        self.faults = list(tree.faults)
        self.nodes: list[dict[str, Any]] = []
        self._tree = tree
        self._entities = entities
        self._index: dict[str, int] = {}
        self.tree = None if tree.root is None else self._place(tree.root)

    def _place(self, place: Place) -> dict[str, Any]:
        if place.ref not in self._index:
            self._index[place.ref] = len(self.nodes)
            self.nodes.append(self._node(self._tree.nodes[place.ref], place.path))
        at = self._index[place.ref]
        children = [self._place(child) for child in place.children]
        self._check_branches(self.nodes[at], [self.nodes[child["node"]] for child in children], place.path)
        return {"node": at, "children": children}

    def _node(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        entity = self._entity(node, path)
        kind = str(node.get("entityType") or (entity.entity_type if entity else "action")).lower()
        if kind not in KINDS:
            self._fault(f"{path}.entityType", "unknown_type", f"{kind!r} is none of: {', '.join(KINDS)}.")
        if kind in LATER_KINDS:
            self._fault(path, "not_supported", f"This version of Pulse does not evaluate {LATER_KINDS[kind]} yet.")
        if kind == "logic-branch":
            value = node.get("branchValue", node.get("name"))
            return {
                "kind": kind,
                "name": str(node.get("name", value)),
                "type": "LogicBranch",
                "branchValue": str(value),
            }
        if entity is not None and entity.entity_type != kind:
            self._fault(f"{path}.entityType", "wrong_type", f"The entity {entity.name!r} is a {entity.entity_type}.")
        return self._from_entity(kind, node, entity, path)

    def _entity(self, node: Mapping[str, Any], path: str) -> Entity | None:
        entity_id = node.get("entityId")
        if node.get("entityType") in ("logic-branch", "workflow"):
            return None
        entity = self._entities.get(entity_id) if isinstance(entity_id, str) else None
        if entity is None:
            self._fault(f"{path}.entityId", "unknown_entity", f"There is no entity {entity_id!r} here.")
        return entity

    def _from_entity(self, kind: str, node: Mapping[str, Any], entity: Entity | None, path: str) -> dict[str, Any]:
        fields = entity.fields if entity else {}
        compiled: dict[str, Any] = {
            "kind": kind,
            "entityId": entity.id if entity else None,
            "name": entity.name if entity else "",
            "type": kind.capitalize(),
            "arguments": [argument(item["name"], item.get("argumentValue")) for item in fields.get("arguments") or []],
            **_scripts(fields),
        }
        for name in ("resultStatus", "onError"):
            if fields.get(name):
                compiled[name] = fields[name]
        if kind == "event":
            compiled.update(self._event(node, fields, path))
        return compiled

    def _event(self, node: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> dict[str, Any]:
        mode = node.get("tfCondition") or fields.get("tfCondition") or "Single Path"
        if mode not in MODES:
            self._fault(f"{path}.tfCondition", "unknown_mode", f"{mode!r} is no way for an event to branch.")
        elif mode in LATER:
            self._fault(f"{path}.tfCondition", "not_supported", f"This version does not evaluate {LATER[mode]} yet.")
        condition, faults = compile_condition(fields.get("condition"), f"{path}.condition")
        self.faults.extend(faults)
        event = {"mode": mode, "logicField": node.get("logicField") or fields.get("logicField")}
        if condition is not None:
            event["conditionText"] = json.dumps(condition, ensure_ascii=False, separators=(",", ":"))
        return event

    def _check_branches(self, node: dict[str, Any], children: list[dict[str, Any]], path: str) -> None:
        branches = [child for child in children if child["kind"] == "logic-branch"]
        if node.get("mode") == "True/False":
            if sorted(child.get("branchValue", "") for child in children) != ["false", "true"]:
                words = 'An event of mode True/False has two children, the logic branches "true" and "false".'
                self._fault(f"{path}.children", "wrong_branches", words)
        elif branches:
            self._fault(f"{path}.children", "wrong_branches", "Logic branches stand below an event that branches.")

    def _fault(self, path: str, code: str, message: str) -> None:
        self.faults.append(Fault(path, code, message))


def _scripts(fields: Mapping[str, Any]) -> dict[str, str]:
    """The older `script` is what is now called the post-script."""
    found = {"pre": fields.get("preScript"), "post": fields.get("postScript") or fields.get("script")}
    return {phase: source for phase, source in found.items() if isinstance(source, str) and source.strip()}
