"""Whatever is drawn, the compiler neither loses a node nor repeats one."""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulse.workflows.plan import check_workflow
from tests.unit.workflows.drawn import (
    branch,
    compiled,
    count_places,
    entity,
    inline,
    known,
    names_of,
    place,
    referenced,
    shape,
)

ENTITIES = (
    *(entity(f"event{n}", "event", preScript=f"event{n}()") for n in range(3)),
    *(entity(f"action{n}", "action", postScript=f"action{n}()") for n in range(4)),
    entity("result0", "result"),
)


@dataclass(frozen=True)
class Drawing:
    """A tree of entity names; a node with branches has two children, named true and false."""

    name: str
    children: tuple["Drawing", ...] = ()

    @property
    def branches(self) -> bool:
        return [child.name for child in self.children] == ["true", "false"]

    def outline(self) -> Any:
        return self.name, [child.outline() for child in self.children]

    def inline(self) -> dict[str, Any]:
        children = [child.inline() for child in self.children]
        if self.name in ("true", "false"):
            return {**branch(self.name), "children": children}
        return inline(self.name, *children, **self._mode())

    def place(self, nodes: dict[str, Any]) -> dict[str, Any]:
        """The places of the tree; a node of the same entity and mode is referenced, not drawn again."""
        ref = f"{self.name}-{self.branches}"
        nodes[ref] = branch(self.name) if self.name in ("true", "false") else {"entityId": self.name, **self._mode()}
        return place(ref, *(child.place(nodes) for child in self.children))

    def _mode(self) -> dict[str, str]:
        return {"tfCondition": "True/False"} if self.branches else {}

    def names(self) -> list[str]:
        return [self.name, *(name for child in self.children for name in child.names())]


def is_free_of_cycles(drawing: Drawing, above: frozenset[str] = frozenset()) -> bool:
    here = f"{drawing.name}-{drawing.branches}"
    return here not in above and all(is_free_of_cycles(child, above | {here}) for child in drawing.children)


def forked(name: str, true: Drawing, false: Drawing) -> Drawing:
    return Drawing(name, (Drawing("true", (true,)), Drawing("false", (false,))))


LEAVES = st.sampled_from([each.id for each in ENTITIES]).map(Drawing)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Drawing, st.sampled_from([each.id for each in ENTITIES]), st.lists(inner, max_size=4).map(tuple))
        | st.builds(forked, st.sampled_from(["event0", "event1"]), inner, inner)
    ),
    max_leaves=25,
)
DRAWINGS = st.builds(Drawing, st.just("event2"), st.lists(TREES, max_size=4).map(tuple))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(DRAWINGS)
def test_the_older_shape_keeps_every_node_in_its_place(drawing: Drawing) -> None:
    plan = compiled({"root": drawing.inline()}, *ENTITIES)
    assert shape(plan) == drawing.outline()
    assert len(plan["nodes"]) == count_places(plan["tree"]) == len(drawing.names())


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(DRAWINGS.filter(is_free_of_cycles))
def test_the_newer_shape_keeps_every_place_and_compiles_every_node_once(drawing: Drawing) -> None:
    nodes: dict[str, Any] = {}
    tree = drawing.place(nodes)
    data = referenced(tree, **nodes)
    plan = compiled(data, *ENTITIES)
    assert shape(plan) == drawing.outline()
    assert len(plan["nodes"]) == len(nodes)
    assert sorted(names_of(plan)) == sorted(node["entityId"] or node["branchValue"] for node in nodes.values())
    scripts = {node["entityId"]: node.get("pre") or node.get("post") for node in plan["nodes"] if node.get("entityId")}
    assert all(script is None or script == f"{name}()" for name, script in scripts.items())


@given(DRAWINGS.filter(lambda drawing: not is_free_of_cycles(drawing)))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_a_cycle_is_always_seen(drawing: Drawing) -> None:
    nodes: dict[str, Any] = {}
    tree = drawing.place(nodes)
    faults = check_workflow(referenced(tree, **nodes), known(*ENTITIES))
    assert "cycle" in {fault.code for fault in faults}
