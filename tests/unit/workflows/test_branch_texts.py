"""The values of branches as the sandbox compares them: as JavaScript writes them, whoever else draws with the node."""

import json
from typing import Any

import pytest

from pulse.workflows.branches import text_of
from tests.unit.workflows.drawn import branch, compiled, entity, place, referenced


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("a b", "a b"),
        ("ä😀", "ä😀"),
        ('"', '"'),
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-1.25, "-1.25"),
        (2**53, "9007199254740992"),
        (1e20, "100000000000000000000"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ({}, "{}"),
        ([], "[]"),
    ],
)
def test_values_are_written_as_javascript_would(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-7, "1e-7"),
        (12345678901234567890, "12345678901234567000"),
        ([1, "a"], '[1,"a"]'),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
    ],
)
def test_large_numbers_and_lists_are_written_as_javascript_would(value: Any, text: str) -> None:
    assert text_of(value) == text


def many(entity_id: str, *logic: tuple[str, Any]) -> Any:
    fields = {"tfCondition": "Multi", "logicField": "kind"}
    return entity(entity_id, "event", **fields, logic=[{"name": name, "value": value} for name, value in logic])


def test_a_branch_that_two_events_share_is_the_same_for_both() -> None:
    one, two = many("one", ("A", "a"), ("Other", "*")), many("two", ("B", "b"), ("Other", "*"))
    tree = place("one", place("a", place("two", place("other"))), place("other"))
    data = referenced(tree, one={}, two={}, a=branch("a"), other=branch("Other"))
    nodes = compiled(data, one, two)["nodes"]
    assert [node["branchValue"] for node in nodes if node["kind"] == "logic-branch"] == ["a", "*"]


def test_a_branch_drawn_by_its_name_may_mean_something_else_to_another_event() -> None:
    one, two = many("one", ("A", "a"), ("Other", "*")), many("two", ("B", "b"), ("Other", "rest"))
    tree = place("one", place("a", place("two", place("other"))), place("other"))
    data = referenced(tree, one={}, two={}, a=branch("a"), other=branch("Other"))
    plan = compiled(data, one, two)
    nodes = plan["nodes"]

    def taken(tree: dict[str, Any]) -> Any:
        below = [nodes[child["node"]].get("branchValue") for child in tree["children"]]
        return [nodes[tree["node"]].get("entityId"), below, *map(taken, tree["children"])]

    assert json.dumps(taken(plan["tree"])).count('"rest"') == 1
    assert json.dumps(taken(plan["tree"])).count('"*"') == 1


# ---- events without a list of branches -------------------------------------------------------------------------------


def opened(tree: dict[str, Any], nodes: list[dict[str, Any]]) -> Any:
    """The plan as (what a node is, [children])."""
    node = nodes[tree["node"]]
    return node.get("branchValue") or node["entityId"], [opened(child, nodes) for child in tree["children"]]


def test_branches_that_are_only_drawn_are_the_events_in_their_order() -> None:
    start, act = entity("start", "event", tfCondition="Multi", logicField="kind"), entity("act")
    drawn = [branch("b"), {"entityId": "act", "branchValue": "a"}, branch("*"), {"entityId": "act", "branchValue": 5}]
    older = {"root": {"entityId": "start", "children": [{**each, "children": []} for each in drawn]}}
    newer = {
        "nodes": {"start": {"entityId": "start"}, **{f"n{at}": each for at, each in enumerate(drawn)}},
        "workflow": place("start", *(place(f"n{at}") for at in range(4))),
    }
    for data in (older, newer):
        plan = compiled(data, start, act)
        wanted: Any = ("start", [("b", []), ("a", [("act", [])]), ("*", []), ("5", [("act", [])])])
        assert opened(plan["tree"], plan["nodes"]) == wanted
        assert plan["nodes"][0]["branches"] == ["b", "a", "*", "5"]
