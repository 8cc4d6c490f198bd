"""Whatever is drawn, in whatever modes: each place of the drawing is one of the plan, and each node is compiled once.

The drawing is a tree of places with nodes from a small pool, so that nodes stand in several places and below different
parents; what is below a node differs from place to place. Branches are drawn as nodes of their own, or said by the
child itself, as the older shape does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.workflows.drawn import compiled, count_places, entity, place

LOGIC = [{"name": "A", "value": "a"}, {"name": "One", "value": 1}, {"name": "Yes", "value": True}, {"value": "*"}]
VALUES = {"True/False": ["true", "false"], "Multi": ["a", "1", "true", "*"]}
ENTITIES = (
    *(entity(f"event{n}", "event", preScript=f"event{n}()") for n in range(2)),
    entity("list", "event", tfCondition="Iterable", logicField="payload.list"),
    *(entity(f"two{n}", "event", tfCondition="True/False") for n in range(2)),
    *(entity(f"many{n}", "event", tfCondition="Multi", logicField="kind", logic=LOGIC) for n in range(2)),
    *(entity(f"action{n}", "action", postScript=f"action{n}()") for n in range(3)),
    entity("result", "result"),
)
MODES = {"two": "True/False", "many": "Multi"}
PLAIN = [each.id for each in ENTITIES if not each.id.startswith(("two", "many"))] + ["other workflow"]
FORKS = [each.id for each in ENTITIES if each.id.startswith(("two", "many"))]


@dataclass(frozen=True)
class Drawn:
    """A place: its node's id, and what is below it. `branch` is what a child says itself of the branch it stands on."""

    ref: str
    children: tuple["Drawn", ...] = ()
    branch: str | None = None

    def places(self) -> Iterator["Drawn"]:
        yield self
        for child in self.children:
            yield from child.places()


def mode_of(ref: str) -> str:
    return MODES.get(ref.rstrip("0123456789"), "")


@st.composite
def drawings(draw: st.DrawFn, refs: tuple[str, ...] = (), room: int = 4) -> Drawn:
    """A place whose node stands nowhere above it."""
    free = [ref for ref in ([*PLAIN, *FORKS] if refs else ["event0", "list", *FORKS]) if ref not in refs]
    ref = draw(st.sampled_from(free))
    inner = drawings((*refs, ref), room - 1)
    mode = mode_of(ref)
    if mode:
        values = draw(st.permutations(VALUES[mode]))
        taken = values if mode == "True/False" else values[: draw(st.integers(0, 4))]
        return Drawn(ref, tuple(draw(branches((*refs, ref), room - 1, value)) for value in taken))
    return Drawn(ref, tuple(draw(st.lists(inner, max_size=3 if room > 0 else 0))))


@st.composite
def branches(draw: st.DrawFn, refs: tuple[str, ...], room: int, value: str) -> Drawn:
    """What stands on one branch: a node for the branch, or a child that says it itself."""
    ref = draw(st.sampled_from([f"branch {value}", f"another {value}", f"own {value}"]))
    below = st.lists(drawings((*refs, ref), room - 1), max_size=2 if room > 0 else 0)
    ref = ref if ref not in refs else f"{ref} of {len(refs)}"
    return Drawn(ref, tuple(draw(below)), branch=value if ref.startswith("own") else None)


def node(drawn: Drawn) -> dict[str, Any]:
    """The node that stands there. `own …` is an action that says which branch it is on."""
    value = drawn.ref.split(" ")[1] if " " in drawn.ref else ""
    if drawn.ref.startswith(("branch ", "another ")):
        return {"entityId": None, "entityType": "logic-branch", "name": f"Named {value}", "branchValue": value}
    if drawn.ref.startswith("own "):
        return {"entityId": "action0", "entityType": "action", "branchValue": value}
    if drawn.ref == "other workflow":
        return {"entityType": "workflow", "workflowId": "wf_2", "name": "Other"}
    return {"entityId": drawn.ref}


def referenced(drawn: Drawn) -> dict[str, Any]:
    """`workflowData` of the newer shape."""
    nodes = {each.ref: node(each) for each in drawn.places()}
    return {"nodes": nodes, "connectors": {}, "workflow": referenced_place(drawn)}


def referenced_place(drawn: Drawn) -> dict[str, Any]:
    return place(drawn.ref, *map(referenced_place, drawn.children))


def inline(drawn: Drawn) -> dict[str, Any]:
    """A node of the older shape, with everything below it."""
    return {**node(drawn), "children": [inline(child) for child in drawn.children]}


def outline(drawn: Drawn) -> Any:
    """What the plan must be: the names of nodes, and a branch above each child that says itself where it stands."""
    here = (drawn.ref, [outline(child) for child in drawn.children])
    return (f"{drawn.ref}#branch", [here]) if drawn.branch is not None else here


def planned(tree: dict[str, Any], names: list[str]) -> Any:
    return names[tree["node"]], [planned(child, names) for child in tree["children"]]


def flat(found: Any) -> list[str]:
    return [found[0], *(name for child in found[1] for name in flat(child))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(drawings())
def test_each_place_of_the_newer_shape_is_one_place_of_the_plan(drawn: Drawn) -> None:
    plan = compiled(referenced(drawn), *ENTITIES)
    wanted = outline(drawn)
    assert planned(plan["tree"], plan["refs"]) == wanted
    assert len(plan["refs"]) == len(plan["nodes"])
    assert sorted(plan["refs"]) == sorted(set(flat(wanted)))
    by_ref = {each.ref: node(each) for each in drawn.places()}
    for ref, found in zip(plan["refs"], plan["nodes"], strict=True):
        given_node = by_ref[ref.removesuffix("#branch")]
        if found["kind"] == "logic-branch":
            assert found["branchValue"] == given_node["branchValue"]
        else:
            assert found.get("entityId") == given_node.get("entityId")
            assert found.get("workflowId") == given_node.get("workflowId")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(drawings())
def test_each_node_of_the_older_shape_is_one_node_of_the_plan(drawn: Drawn) -> None:
    plan = compiled({"root": inline(drawn)}, *ENTITIES)
    wanted = outline(drawn)
    assert len(set(plan["refs"])) == len(plan["nodes"]) == count_places(plan["tree"]) == len(flat(wanted))
    assert [found["kind"] for found in plan["nodes"]].count("workflow") == flat(wanted).count("other workflow")
    assert planned(plan["tree"], [found.get("entityId") or found["kind"] for found in plan["nodes"]]) == told(wanted)


def told(found: Any) -> Any:
    """The outline with what nodes are in the place of their names."""
    ref, children = found
    kind = "logic-branch" if ref.startswith(("branch ", "another ")) or ref.endswith("#branch") else ref
    shown = "action0" if kind.startswith("own ") else "workflow" if kind == "other workflow" else kind
    return shown, [told(child) for child in children]


def test_the_pool_has_every_mode_and_kind() -> None:
    """The property looks at what it says."""
    kinds = {each.entity_type for each in ENTITIES}
    assert kinds == {"event", "action", "result"}
    assert {each.fields.get("tfCondition", "Single Path") for each in ENTITIES if each.entity_type == "event"} == {
        "Single Path",
        "True/False",
        "Multi",
        "Iterable",
    }


def test_a_node_that_is_called_as_a_branch_would_be_stays() -> None:
    nodes = {
        "start": {"entityId": "event0"},
        "x#branch": {"entityId": "action1"},
        "two": {"entityId": "two0"},
        "x": {"entityId": "action0", "branchValue": "true"},
        "f": {"entityId": None, "entityType": "logic-branch", "name": "false", "branchValue": "false"},
    }
    tree = place("start", place("x#branch"), place("two", place("x"), place("f")))
    plan = compiled({"nodes": nodes, "workflow": tree}, *ENTITIES)
    assert len(plan["nodes"]) == 6
