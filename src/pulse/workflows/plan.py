"""The plan: a workflow and its entities, checked and compiled into what the sandbox walks.

    {id, workflowId, name, version,
     nodes: [{kind, entityId, name, type, mode?, conditionText?, logicField?, logicPath?, branches?, branchNames?,
              arguments, pre?, post?, resultStatus?, branchValue?, workflowId?, onError?}],
     refs: [the node's id in the drawing, for each of `nodes`],
     tree: {node: index, children: […]}}

A plan's id names its contents: two plans with the same id are the same plan, so a sandbox process keeps each for good.
A prompt has `promptParts` (the text with its placeholders), `asks` (whether the node itself calls the model), `model?`
(a configuration's id) and `imageRecognition?`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from pulse.core.conditions import compile_condition, dotted
from pulse.core.errors import Fault, InvalidFields
from pulse.core.templates import argument, cut
from pulse.sandbox.port import Plan
from pulse.workflows.branches import branch_faults, branch_node, branches_of, drawn_value, meant_by, text_of
from pulse.workflows.gate import Gate, gate_of
from pulse.workflows.records import MODES, Entity, Workflow
from pulse.workflows.tree import KINDS, Place, Tree, kind_of, read_tree

CALLS_MODEL = re.compile(r"\b(?:executePromptWithModel|promptCall(?:Universal|Token|Keys))\s*\(")


class WorkflowPlan(Plan, frozen=True):
    """A plan, and what is known of its workflow before any message is tried against it."""

    workflow_id: str = ""
    version: int = 0
    name: str = ""
    gate: Gate | None = None
    starts_with_event: bool = True
    names_workflows: bool = False


@dataclass(frozen=True)
class Drawing:
    """A drawing with the entities that it may use, by id: what is compiled."""

    data: Any
    entities: Mapping[str, Entity]


def check_workflow(data: Any, entities: Mapping[str, Entity], workflows: Container[str] | None = None) -> list[Fault]:
    """Every fault of `workflowData`; `entities` are those that this workflow may use, by id.

    `workflows` are the ids that its workflow nodes may name; None: they are not checked.
    """
    return _Compiler(read_tree(data), entities, workflows).faults


def compile_plan(workflow: Workflow, entities: Mapping[str, Entity]) -> WorkflowPlan | None:
    """The plan of a workflow, or None for one that is still empty.

    Raises InvalidFields for a workflow that has faults (one whose entity was deleted, say).
    """
    compiler = _Compiler(read_tree(workflow.data), entities)
    if compiler.faults:
        raise InvalidFields(compiler.faults)
    if compiler.tree is None:
        return None
    contents = {
        "workflowId": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "nodes": compiler.nodes,
        "refs": compiler.refs,
        "tree": compiler.tree,
    }
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"))
    plan_id = f"{workflow.id}@{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    entry = compiler.nodes[compiler.tree["node"]]
    return WorkflowPlan(
        id=plan_id,
        text=f'{{"id":"{plan_id}",{text[1:]}',
        workflow_id=workflow.id,
        version=workflow.version,
        name=workflow.name,
        gate=gate_of(entry),
        starts_with_event=entry["kind"] == "event",
        names_workflows="getWorkflowByName" in text,
    )


def behaves_alike(before: Drawing, after: Drawing) -> bool:
    """Whether two drawings, each with its entities, do the same."""
    one, other = (_Compiler(read_tree(drawing.data), drawing.entities) for drawing in (before, after))
    return (one.nodes, one.tree, one.faults) == (other.nodes, other.tree, other.faults)


def entity_ids(data: Any) -> set[str]:
    """The entities that a workflow refers to."""
    return {node["entityId"] for node in read_tree(data).nodes.values() if isinstance(node.get("entityId"), str)}


def placed_entity_ids(data: Any) -> set[str]:
    """The entities whose nodes stand somewhere in the tree."""
    tree, found = read_tree(data), set()
    waiting = [tree.root] if tree.root is not None else []
    while waiting:
        place = waiting.pop()
        found.add(str(tree.nodes[place.ref].get("entityId")))
        waiting.extend(place.children)
    return found


def workflow_ids(data: Any) -> set[str]:
    """The workflows that a workflow sends messages to."""
    return {node["workflowId"] for node in read_tree(data).nodes.values() if isinstance(node.get("workflowId"), str)}


class _Compiler:
    def __init__(self, tree: Tree, entities: Mapping[str, Entity], workflows: Container[str] | None = None) -> None:
        self.faults = list(tree.faults)
        self.nodes: list[dict[str, Any]] = []
        self.refs: list[str] = []
        self._tree = tree
        self._entities = entities
        self._workflows = workflows
        self._index: dict[tuple[str, str | None], int] = {}
        self.tree = None if tree.root is None else self._place(tree.root)

    def _place(self, place: Place, meant: str | None = None) -> dict[str, Any]:
        """The place and all below it; `meant` is the value of a branch that is drawn by its name alone."""
        at = self._add(place.ref, meant, lambda: self._node(self._tree.nodes[place.ref], place.path))
        node = self.nodes[at]
        if meant is not None:
            node["branchValue"] = meant
        children = [self._child(node, child) for child in place.children]
        drawn = [(self.nodes[child["node"]], part.path) for child, part in zip(children, place.children, strict=True)]
        self.faults.extend(branch_faults(node, drawn, place.path))
        return {"node": at, "children": children}

    def _child(self, parent: dict[str, Any], place: Place) -> dict[str, Any]:
        """A child; one that says itself which branch it stands on, as in the older shape, gets that branch above it."""
        drawn = self._tree.nodes[place.ref]
        if kind_of(drawn) == "logic-branch":
            return self._place(place, meant_by(parent, drawn))
        if drawn.get("branchValue") is None or "branches" not in parent:
            return self._place(place)
        text = text_of(drawn["branchValue"])
        at = self._add(f"{place.ref}#branch", text, lambda: branch_node(text, text))
        return {"node": at, "children": [self._place(place)]}

    def _add(self, ref: str, meant: str | None, make: Callable[[], dict[str, Any]]) -> int:
        """The node's number; a branch may mean one thing below one event, and another below another."""
        if (ref, meant) not in self._index:
            self._index[ref, meant] = len(self.nodes)
            self.nodes.append(make())
            self.refs.append(ref)
        return self._index[ref, meant]

    def _node(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        entity = self._entity(node, path)
        kind = kind_of(node) or (entity.entity_type if entity else "action")
        if kind not in KINDS:
            self._fault(f"{path}.entityType", "unknown_type", f"{kind!r} is none of: {', '.join(KINDS)}.")
        if kind == "logic-branch":
            value = drawn_value(node)
            return branch_node(text_of(node.get("name", value)), value)
        if kind == "workflow":
            return self._sub_workflow(node, path)
        if entity is not None and entity.entity_type != kind:
            self._fault(f"{path}.entityType", "wrong_type", f"The entity {entity.name!r} is a {entity.entity_type}.")
        return self._from_entity(kind, node, entity, path)

    def _sub_workflow(self, node: Mapping[str, Any], path: str) -> dict[str, Any]:
        workflow_id = node.get("workflowId")
        if not isinstance(workflow_id, str) or not workflow_id:
            self._fault(f"{path}.workflowId", "missing", "A workflow node names the workflow that it starts.")
        elif self._workflows is not None and workflow_id not in self._workflows:
            self._fault(f"{path}.workflowId", "unknown_workflow", f"There is no workflow {workflow_id!r} here.")
        compiled = {"kind": "workflow", "entityId": None, "name": str(node.get("name", "")), "type": "Workflow"}
        return {**compiled, "workflowId": workflow_id, "arguments": [], **self._on_error(node, {}, path)}

    def _entity(self, node: Mapping[str, Any], path: str) -> Entity | None:
        entity_id = node.get("entityId")
        if kind_of(node) in ("logic-branch", "workflow"):
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
        if kind == "result" and fields.get("resultStatus"):
            compiled["resultStatus"] = fields["resultStatus"]
        compiled.update(self._on_error(node, fields, path))
        compiled.update(self._condition(fields, path))
        if kind == "event":
            compiled.update(self._event(node, fields, path))
        if kind == "prompt":
            compiled.update(_prompt(fields))
        return compiled

    def _condition(self, fields: Mapping[str, Any], path: str) -> dict[str, str]:
        condition, faults = compile_condition(fields.get("condition"), f"{path}.condition")
        self.faults.extend(faults)
        if condition is None:
            return {}
        return {"conditionText": json.dumps(condition, ensure_ascii=False, separators=(",", ":"))}

    def _on_error(self, node: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> dict[str, str]:
        """What the node says wins over what its entity says."""
        wanted = node.get("onError") or fields.get("onError")
        if wanted not in (None, "", "stop", "continue"):
            self._fault(f"{path}.onError", "unknown_way", f"{wanted!r} is neither 'stop' nor 'continue'.")
        return {"onError": wanted} if wanted else {}

    def _event(self, node: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> dict[str, Any]:
        mode = node.get("tfCondition") or fields.get("tfCondition") or "Single Path"
        if mode not in MODES:
            self._fault(f"{path}.tfCondition", "unknown_mode", f"{mode!r} is none of: {', '.join(MODES)}.")
        event: dict[str, Any] = {"mode": mode}
        if mode == "True/False":
            event["branches"] = ["true", "false"]
        elif mode in ("Multi", "Iterable"):
            event.update(self._by_value(mode, node, fields, path))
        return event

    def _by_value(self, mode: str, node: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> dict[str, Any]:
        """What an event needs that looks at a value once its condition is true."""
        field = node.get("logicField") or fields.get("logicField")
        if not isinstance(field, str) or not field.strip():
            words = f"An event of mode {mode} names the value that it looks at, such as payload.kind."
            self._fault(f"{path}.logicField", "missing", words)
            return branches_of(fields.get("logic")) if mode == "Multi" else {}
        seen = {"logicField": field, "logicPath": dotted(field)}
        return {**seen, **branches_of(fields.get("logic"))} if mode == "Multi" else seen

    def _fault(self, path: str, code: str, message: str) -> None:
        self.faults.append(Fault(path, code, message))


def _prompt(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a prompt asks. A script that calls a model itself is left to it: nobody asks twice."""
    text, model = fields.get("prompt") or "", fields.get("modelConfigurationId") or fields.get("modelId")
    script = _scripts(fields).get("post", "")
    prompt: dict[str, Any] = {"promptParts": cut(text), "asks": bool(text.strip()) and not CALLS_MODEL.search(script)}
    if model:
        prompt["model"] = model
    if fields.get("imageRecognition"):
        prompt["imageRecognition"] = True
    return prompt


def _scripts(fields: Mapping[str, Any]) -> dict[str, str]:
    """The older `script` is what is now called the post-script."""
    found = {"pre": fields.get("preScript"), "post": fields.get("postScript") or fields.get("script")}
    return {phase: source for phase, source in found.items() if isinstance(source, str) and source.strip()}
