"""`workflowData` in both documented shapes is read into one tree, and what is wrong with its form has its path."""

from collections.abc import Mapping
from typing import Any

import pytest

from pulse.workflows.tree import MAX_DEPTH, MAX_NODES, Place, Tree, read_tree
from tests.unit.workflows.drawn import inline, place, referenced


def outline(tree: Tree) -> Any:
    def of(here: Place) -> Any:
        return tree.nodes[here.ref]["entityId"], [of(child) for child in here.children]

    assert tree.faults == []
    return None if tree.root is None else of(tree.root)


def faults_of(data: Any) -> list[tuple[str, str]]:
    found = read_tree(data).faults
    assert all(fault.message for fault in found)
    return [(fault.path, fault.code) for fault in found]


def test_both_shapes_are_the_same_tree() -> None:
    newer = referenced(place("a", place("b"), place("c", place("d"))), a={}, b={}, c={}, d={})
    older = {"root": inline("a", inline("b"), inline("c", inline("d")))}
    wanted: Any = ("a", [("b", []), ("c", [("d", [])])])
    assert outline(read_tree(newer)) == outline(read_tree(older)) == wanted


def test_places_know_where_they_were_drawn() -> None:
    newer = read_tree(referenced(place("a", place("b"), place("b")), a={}, b={})).root
    older = read_tree({"root": inline("a", inline("b"), inline("c"))}).root
    assert newer is not None
    assert older is not None
    assert [child.path for child in newer.children] == [
        "workflowData.workflow.children.0",
        "workflowData.workflow.children.1",
    ]
    assert [child.path for child in older.children] == ["workflowData.root.children.0", "workflowData.root.children.1"]


def test_a_node_may_stand_in_several_places() -> None:
    data = referenced(place("a", place("b", place("d")), place("c", place("d"))), a={}, b={}, c={}, d={})
    assert outline(read_tree(data)) == ("a", [("b", [("d", [])]), ("c", [("d", [])])])


@pytest.mark.parametrize("data", [{}, {"nodes": {}}, {"workflow": None}, {"nodes": {"a": {}}, "workflow": None}])
def test_a_workflow_may_be_empty_still(data: dict[str, Any]) -> None:
    tree = read_tree(data)
    assert tree.root is None
    assert tree.faults == []


def test_unknown_fields_mean_nothing() -> None:
    data = referenced({**place("a"), "color": "red"}, a={"presentation": {"type": "circle"}, "odd": [1]})
    data |= {"presentation": {"viewport": {"zoom": 100}}, "legacy": {"root": 1}}
    assert outline(read_tree(data)) == ("a", [])
    assert read_tree(data).nodes["a"]["odd"] == [1]


@pytest.mark.parametrize("children", [None, []])
def test_children_may_be_left_out(children: Any) -> None:
    assert outline(read_tree({"nodes": {"a": {"entityId": "a"}}, "workflow": {"ref": "a"}})) == ("a", [])
    data = {"nodes": {"a": {"entityId": "a"}}, "workflow": {"ref": "a", "children": children}}
    assert outline(read_tree(data)) == ("a", [])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param([], [("workflowData", "not_an_object")], id="list"),
        pytest.param(None, [("workflowData", "not_an_object")], id="nothing"),
        pytest.param({"root": "a"}, [("workflowData.root", "not_an_object")], id="root-text"),
        pytest.param({"root": None}, [("workflowData.root", "not_an_object")], id="root-null"),
        pytest.param({"nodes": []}, [("workflowData.nodes", "not_an_object")], id="nodes-list"),
        pytest.param({"nodes": {"a": 1}}, [("workflowData.nodes.a", "not_an_object")], id="node-number"),
        pytest.param({"workflow": []}, [("workflowData.workflow.ref", "missing")], id="workflow-list"),
        pytest.param({"workflow": {"ref": ["a"]}}, [("workflowData.workflow.ref", "missing")], id="ref-list"),
        pytest.param(referenced(place("x"), a={}), [("workflowData.workflow.ref", "unknown_node")], id="unknown-root"),
        pytest.param(
            referenced(place("a", place("x"), place("y")), a={}),
            [
                ("workflowData.workflow.children.0.ref", "unknown_node"),
                ("workflowData.workflow.children.1.ref", "unknown_node"),
            ],
            id="unknown-children",
        ),
        pytest.param(
            referenced({"ref": "a", "children": {"ref": "b"}}, a={}, b={}),
            [("workflowData.workflow.children", "not_a_list")],
            id="children-object",
        ),
        pytest.param(
            {"root": inline("a", {"entityId": "b", "children": "c"})},
            [("workflowData.root.children.0.children", "not_a_list")],
            id="inline-children-text",
        ),
        pytest.param(
            referenced(place("a", place("a")), a={}), [("workflowData.workflow.children.0.ref", "cycle")], id="self"
        ),
        pytest.param(
            referenced(place("a", place("b", place("c", place("b")))), a={}, b={}, c={}),
            [("workflowData.workflow.children.0.children.0.children.0.ref", "cycle")],
            id="cycle",
        ),
    ],
)
def test_faults_have_their_place(data: Any, found: list[tuple[str, str]]) -> None:
    assert faults_of(data) == found


def chain(length: int) -> Mapping[str, Any]:
    node = inline("a")
    for _ in range(length - 1):
        node = inline("a", node)
    return {"root": node}


def test_a_workflow_is_as_deep_as_it_says_and_no_deeper() -> None:
    assert faults_of(chain(MAX_DEPTH)) == []
    ((path, code),) = faults_of(chain(MAX_DEPTH + 1))
    assert code == "too_deep"
    assert path.count("children") == MAX_DEPTH


def test_a_drawing_that_is_far_too_deep_is_refused_without_a_crash() -> None:
    assert [code for _, code in faults_of(chain(5_000))] == ["too_deep"]


def test_a_workflow_has_so_many_nodes_and_no_more() -> None:
    assert faults_of({"root": inline("a", *[inline("b")] * (MAX_NODES - 1))}) == []
    assert faults_of({"root": inline("a", *[inline("b")] * (MAX_NODES + 9))}) == [
        (f"workflowData.root.children.{MAX_NODES - 1}", "too_many")
    ]


def test_places_count_not_nodes() -> None:
    wide = place("a", *[place("b")] * MAX_NODES)
    assert [code for _, code in faults_of(referenced(wide, a={}, b={}))] == ["too_many"]
