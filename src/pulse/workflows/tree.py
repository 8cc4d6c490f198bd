"""`workflowData` in both documented shapes (platform.md 3.1), read into one tree with the path of every fault.

The newer shape keeps `nodes` by id and a tree of references in `workflow`; a node may be referenced from several
branches. The older one is `{root: {entityId, …, children}}`, with its nodes inline. Fields that Pulse does not know are
kept as they are and mean nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulse.core.errors import Fault

MAX_NODES = 1_000
MAX_DEPTH = 100
KINDS = ("event", "prompt", "action", "result", "logic-branch", "workflow")


def kind_of(node: Mapping[str, Any]) -> str | None:
    """What a node is, as far as it says so itself; its entity may say the rest."""
    kind = node.get("entityType")
    if isinstance(kind, str) and kind:
        return kind.lower()
    if node.get("entityId") is None and node.get("workflowId") is not None:
        return "workflow"
    return "logic-branch" if node.get("entityId") is None and node.get("branchValue") is not None else None


@dataclass
class Place:
    """A place in the tree: which node stands there, where that was said, and what follows."""

    ref: str
    path: str
    children: list["Place"] = field(default_factory=list)


@dataclass
class Tree:
    """The nodes by reference and the tree of places; `root` is None for a workflow that is still empty."""

    nodes: dict[str, Mapping[str, Any]]
    root: Place | None
    faults: list[Fault]


def read_tree(data: Any, path: str = "workflowData") -> Tree:
    """Reads `workflowData`; what is wrong with its shape is in `faults`."""
    reader = _Reader()
    if not isinstance(data, Mapping):
        reader.fault(path, "not_an_object", "workflowData is an object.")
        return Tree({}, None, reader.faults)
    root = reader.inline(data["root"], f"{path}.root", ()) if "root" in data else reader.referenced(data, path)
    return Tree(reader.nodes, root, reader.faults)


class _Reader:
    def __init__(self) -> None:
        self.nodes: dict[str, Mapping[str, Any]] = {}
        self.faults: list[Fault] = []
        self._places = 0

    def fault(self, path: str, code: str, message: str) -> None:
        self.faults.append(Fault(path, code, message))

    def inline(self, node: Any, path: str, above: tuple[str, ...]) -> Place | None:
        """A place of the older shape, with the node in it."""
        if not isinstance(node, Mapping):
            self.fault(path, "not_an_object", "A node is an object.")
            return None
        if not self._fits(path, above):
            return None
        self.nodes[path] = node
        place = Place(path, path)
        place.children = self._children(node, path, (*above, path), self.inline)
        return place

    def referenced(self, data: Mapping[str, Any], path: str) -> Place | None:
        nodes = data.get("nodes", {})
        if not isinstance(nodes, Mapping):
            self.fault(f"{path}.nodes", "not_an_object", "nodes is an object: node id to node.")
            return None
        for ref, node in nodes.items():
            if isinstance(node, Mapping):
                self.nodes[str(ref)] = node
            else:
                self.fault(f"{path}.nodes.{ref}", "not_an_object", "A node is an object.")
        tree = data.get("workflow")
        return None if tree is None else self._reference(tree, f"{path}.workflow", ())

    def _reference(self, tree: Any, path: str, above: tuple[str, ...]) -> Place | None:
        ref = tree.get("ref") if isinstance(tree, Mapping) else None
        if not isinstance(ref, str):
            self.fault(f"{path}.ref", "missing", "A place names the node that stands there: {ref, children}.")
            return None
        if ref not in self.nodes:
            self.fault(f"{path}.ref", "unknown_node", f"There is no node {ref!r} in nodes.")
            return None
        if ref in above:
            self.fault(f"{path}.ref", "cycle", f"The node {ref!r} stands below itself.")
            return None
        if not self._fits(path, above):
            return None
        place = Place(ref, path)
        place.children = self._children(tree, path, (*above, ref), self._reference)
        return place

    def _fits(self, path: str, above: tuple[str, ...]) -> bool:
        self._places += 1
        if self._places == MAX_NODES + 1:
            self.fault(path, "too_many", f"A workflow may have at most {MAX_NODES} nodes.")
        deep = len(above) >= MAX_DEPTH
        if deep:
            self.fault(path, "too_deep", f"A workflow may be at most {MAX_DEPTH} nodes deep.")
        return self._places <= MAX_NODES and not deep

    def _children(self, holder: Mapping[str, Any], path: str, above: tuple[str, ...], read: Any) -> list[Place]:
        children = holder.get("children") or []
        if not isinstance(children, list):
            self.fault(f"{path}.children", "not_a_list", "children is a list.")
            return []
        places = [read(child, f"{path}.children.{at}", above) for at, child in enumerate(children)]
        return [place for place in places if place is not None]
