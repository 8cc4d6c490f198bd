"""Condition trees: both documented shapes come into one evaluated form, and every fault is named with its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.conditions import (
    COMPARISONS,
    MAX_DEPTH,
    MAX_RULES,
    WITHOUT_VALUE,
    compile_condition,
    dotted,
)

NEWER = {"type": "rule", "field": "type", "comparison": "equals", "value": "chat"}
OLDER = {"field": "type", "operator": "equals", "value": "chat"}
COMPILED = {"field": "type", "path": ["type"], "comparison": "equals", "value": "chat"}


def compiled(tree: Any) -> dict[str, Any] | None:
    form, faults = compile_condition(tree)
    assert faults == []
    return form


def faults_of(tree: Any, path: str = "condition") -> list[tuple[str, str]]:
    form, faults = compile_condition(tree, path)
    assert faults
    assert form is None, "a tree with faults is not evaluated"
    assert all(fault.message for fault in faults)
    return [(fault.path, fault.code) for fault in faults]


@pytest.mark.parametrize("tree", [None, {}])
def test_no_tree_is_no_condition(tree: Any) -> None:
    assert compile_condition(tree) == (None, [])


@pytest.mark.parametrize("rule", [NEWER, OLDER], ids=["newer", "older"])
def test_a_bare_rule_is_a_tree(rule: dict[str, Any]) -> None:
    assert compiled(rule) == COMPILED


@pytest.mark.parametrize("join", ["AND", "OR", "NOT"])
def test_both_shapes_of_a_group_mean_the_same(join: str) -> None:
    newer = {"type": "group", "operator": join, "conditions": [NEWER, NEWER]}
    older = {"type": join, "conditions": [OLDER, OLDER]}
    assert compiled(newer) == compiled(older) == {"op": join, "of": [COMPILED, COMPILED]}


def test_the_shapes_mix_in_one_tree() -> None:
    inner = {"type": "group", "operator": "NOT", "conditions": [OLDER]}
    tree = {"type": "OR", "conditions": [NEWER, inner, {"type": "AND", "conditions": []}]}
    assert compiled(tree) == {"op": "OR", "of": [COMPILED, {"op": "NOT", "of": [COMPILED]}, {"op": "AND", "of": []}]}


@pytest.mark.parametrize("group", [{"type": "group", "conditions": [NEWER]}, {"conditions": [NEWER]}])
def test_a_group_that_names_no_join_is_and(group: dict[str, Any]) -> None:
    assert compiled(group) == {"op": "AND", "of": [COMPILED]}


def test_the_newer_name_of_the_comparison_wins() -> None:
    assert compiled({"field": "a", "comparison": "exists", "operator": "is_null"}) == {
        "field": "a",
        "path": ["a"],
        "comparison": "exists",
    }


@pytest.mark.parametrize("value", [0, "", False, None, [], {"a": 1}, 1.5])
def test_a_value_is_kept_as_it_is(value: Any) -> None:
    form = compiled({"field": "a", "comparison": "equals", "value": value})
    assert form is not None
    assert form["value"] == value
    assert type(form["value"]) is type(value)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("type", ["type"]),
        ("payload.amount", ["payload", "amount"]),
        ("items[0].name", ["items", "0", "name"]),
        ("items.0.name", ["items", "0", "name"]),
        ("grid[1][22]", ["grid", "1", "22"]),
        (" message.type ", ["message", "type"]),
        ("odd[x]", ["odd[x]"]),
    ],
)
def test_paths_are_cut(field: str, path: list[str]) -> None:
    assert dotted(field) == path
    form = compiled({"field": field, "comparison": "exists"})
    assert form is not None
    assert form["path"] == path
    assert form["field"] == field


@pytest.mark.parametrize("comparison", sorted(COMPARISONS))
def test_every_comparison_of_both_lists_compiles(comparison: str) -> None:
    value: Any = ["a"] if comparison in {"in", "not_in"} else "a"
    with_value = {} if comparison in WITHOUT_VALUE else {"value": value}
    newer = {"type": "rule", "field": "a", "comparison": comparison, **with_value}
    older = {"field": "a", "operator": comparison, **with_value}
    assert compiled(newer) == compiled(older)


def test_the_documented_comparisons_are_known() -> None:
    newer = "equals not_equals contains starts_with ends_with greater_than less_than greater_or_equal less_or_equal"
    older = "equals not_equals contains not_contains starts_with ends_with greater_than less_than is_null is_not_null"
    more = "in not_in exists not_exists matches"
    assert set(f"{newer} {older} {more}".split()) == COMPARISONS


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        pytest.param([], [("condition", "not_an_object")], id="list"),
        pytest.param("type = 1", [("condition", "not_an_object")], id="text"),
        pytest.param(0, [("condition", "not_an_object")], id="number"),
        pytest.param(
            {"type": "XOR", "conditions": [NEWER]}, [("condition.operator", "unknown_join")], id="unknown-join"
        ),
        pytest.param(
            {"type": "group", "operator": "and", "conditions": []}, [("condition.operator", "unknown_join")], id="case"
        ),
        pytest.param(
            {"type": "group", "operator": ["AND"], "conditions": []},
            [("condition.operator", "unknown_join")],
            id="join-list",
        ),
        pytest.param({"type": "AND", "conditions": {}}, [("condition.conditions", "not_a_list")], id="conditions"),
        pytest.param({"type": "AND", "conditions": None}, [("condition.conditions", "not_a_list")], id="no-conditions"),
        pytest.param({"comparison": "equals", "value": 1}, [("condition.field", "missing")], id="field"),
        pytest.param(
            {"field": "  ", "comparison": "equals", "value": 1}, [("condition.field", "missing")], id="blank-field"
        ),
        pytest.param(
            {"field": 7, "comparison": "equals", "value": 1}, [("condition.field", "missing")], id="field-number"
        ),
        pytest.param(
            {"field": "a", "comparison": "like", "value": 1},
            [("condition.comparison", "unknown_comparison")],
            id="unknown-comparison",
        ),
        pytest.param({"field": "a"}, [("condition.comparison", "unknown_comparison")], id="no-comparison"),
        pytest.param(
            {"field": "a", "comparison": ["equals"], "value": 1},
            [("condition.comparison", "unknown_comparison")],
            id="comparison-list",
        ),
        pytest.param(
            {"field": "a", "comparison": {"equals": 1}, "value": 1},
            [("condition.comparison", "unknown_comparison")],
            id="comparison-object",
        ),
        pytest.param({"field": "a", "comparison": "equals"}, [("condition.value", "missing")], id="no-value"),
        pytest.param(
            {"field": "a", "comparison": "in", "value": "a,b"}, [("condition.value", "not_a_list")], id="in-text"
        ),
        pytest.param({"field": "a", "comparison": "not_in"}, [("condition.value", "missing")], id="not-in-nothing"),
        pytest.param(
            {"field": "a", "comparison": "matches", "value": 3}, [("condition.value", "not_text")], id="matches-number"
        ),
    ],
)
def test_faults_have_their_place(tree: Any, found: list[tuple[str, str]]) -> None:
    assert faults_of(tree) == found


def test_every_fault_of_a_tree_is_found_at_once() -> None:
    tree = {
        "type": "group",
        "operator": "MAYBE",
        "conditions": [
            {"field": "", "comparison": "is_like"},
            NEWER,
            {"type": "AND", "conditions": ["x", {"field": "a", "comparison": "in", "value": 1}]},
        ],
    }
    assert faults_of(tree, "entity.condition") == [
        ("entity.condition.operator", "unknown_join"),
        ("entity.condition.conditions.0.field", "missing"),
        ("entity.condition.conditions.0.comparison", "unknown_comparison"),
        ("entity.condition.conditions.2.conditions.0", "not_an_object"),
        ("entity.condition.conditions.2.conditions.1.value", "not_a_list"),
    ]


def nested(levels: int) -> dict[str, Any]:
    tree: dict[str, Any] = NEWER
    for _ in range(levels):
        tree = {"type": "NOT", "conditions": [tree]}
    return tree


def test_conditions_nest_to_the_limit_and_not_beyond() -> None:
    assert compiled(nested(MAX_DEPTH)) is not None
    ((path, code),) = faults_of(nested(MAX_DEPTH + 1))
    assert code == "too_deep"
    assert path.count(".conditions.0") == MAX_DEPTH + 1


def test_a_tree_that_is_far_too_deep_is_refused_without_a_crash() -> None:
    assert [code for _, code in faults_of(nested(5_000))] == ["too_deep"]


def test_rules_are_counted_and_told_once() -> None:
    tree = {"type": "OR", "conditions": [NEWER] * MAX_RULES}
    assert compiled(tree) is not None
    tree["conditions"] = [NEWER] * (MAX_RULES + 10)
    assert faults_of(tree) == [(f"condition.conditions.{MAX_RULES}", "too_many")]


SOUP = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["AND", "group", "equals"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "operator", "conditions", "field", "comparison", "value", "other"]), inner
        )
    ),
    max_leaves=20,
)


@given(SOUP)
def test_whatever_comes_is_compiled_or_refused(tree: Any) -> None:
    form, faults = compile_condition(tree)
    assert form is None or not faults
    assert all(fault.path.startswith("condition") for fault in faults)
    if form is None and not faults:
        assert tree in (None, {})
