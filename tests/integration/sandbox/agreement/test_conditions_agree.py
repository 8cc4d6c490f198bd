"""Conditions, a second time: a naive interpreter in Python agrees with the sandbox on random trees and messages.

Trees mix both documented shapes (platform.md 4). Each batch goes the three ways that a condition is evaluated: as the
compiled condition of an event, as `evaluateCondition` of a script, and, where it is false, as the reason that is told.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.core.conditions import compile_condition
from pulse.sandbox.deno.pool import DenoSandbox
from tests.sandbox_support import body, evaluate, event, plan, running, tenant

# ---- the naive interpreter ---------------------------------------------------------------------------------------

MISSING = object()
WITHOUT = {"not_equals", "not_in", "not_contains", "not_exists", "is_null"}


def look_up(field: str, message: Any) -> Any:
    steps = field.strip().replace("[", ".").replace("]", "").split(".")
    if steps[0] == "message" and "message" not in message:
        steps = steps[1:]
    value = message
    for step in steps:
        value = one_step(value, step)
    return value


def one_step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, str):
        return len(value.encode("utf-16-le")) // 2 if step == "length" else MISSING
    if not isinstance(value, list):
        return MISSING
    if step == "length":
        return len(value)
    within = re.fullmatch("0|[1-9][0-9]*", step) and int(step) < len(value)
    return value[int(step)] if within else MISSING


def same(one: Any, other: Any) -> bool:
    """Strict equality: no value that came as JSON is the very object of another."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        return False
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def among(items: Any, value: Any) -> bool:
    return isinstance(items, list) and any(same(item, value) for item in items)


def contains(seen: Any, wanted: Any) -> bool:
    return wanted in seen if isinstance(seen, str) and isinstance(wanted, str) else among(seen, wanted)


def instant(text: str) -> float | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def compared(seen: Any, wanted: Any) -> int | None:
    """Less, same or more; None for what has no order."""
    if isinstance(seen, str) and isinstance(wanted, str):
        one, other = instant(seen), instant(wanted)
        if one is not None and other is not None:
            return (one > other) - (one < other)
        # As JavaScript orders text: by units of UTF-16.
        first, second = seen.encode("utf-16-be"), wanted.encode("utf-16-be")
        return (first > second) - (first < second)
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (seen, wanted))
    return (seen > wanted) - (seen < wanted) if numbers else None


def holds(rule: dict[str, Any], message: Any) -> bool:
    comparison, wanted = str(rule.get("comparison", rule.get("operator"))), rule.get("value")
    seen = look_up(rule["field"], message)
    if seen is MISSING:
        return comparison in WITHOUT
    order = compared(seen, wanted)
    text = isinstance(seen, str) and isinstance(wanted, str)
    answers = {
        "equals": same(seen, wanted),
        "contains": contains(seen, wanted),
        "starts_with": text and str(seen).startswith(str(wanted)),
        "ends_with": text and str(seen).endswith(str(wanted)),
        "greater_than": order == 1,
        "less_than": order == -1,
        "greater_or_equal": order in (0, 1),
        "less_or_equal": order in (0, -1),
        "in": among(wanted, seen),
        "exists": seen is not None,
        "matches": text and bool(re.search(str(wanted), str(seen))),
    }
    opposites = {
        "not_equals": "equals",
        "not_contains": "contains",
        "not_in": "in",
        "not_exists": "exists",
        "is_null": "exists",
    }
    if comparison in opposites:
        return not answers[opposites[comparison]]
    return bool(answers["exists" if comparison == "is_not_null" else comparison])


def outcome(tree: dict[str, Any], message: Any) -> bool:
    if "conditions" not in tree:
        return holds(tree, message)
    inner = [outcome(child, message) for child in tree["conditions"]]
    join = joined_by(tree)
    return any(inner) if join == "OR" else all(inner) if join == "AND" else not all(inner)


def joined_by(tree: dict[str, Any]) -> str:
    kind = tree.get("type", "group")
    return str(tree.get("operator", "AND") if kind == "group" else kind)


def deciding(tree: dict[str, Any], message: Any, wanted: bool) -> Iterator[dict[str, Any]]:
    """The rules and empty groups that may rightly be told as the reason why the tree came out as `wanted`."""
    if outcome(tree, message) != wanted:
        return
    if not tree.get("conditions"):
        yield tree
    for child in tree.get("conditions", []):
        yield from deciding(child, message, wanted != (joined_by(tree) == "NOT"))


# ---- random trees and messages -----------------------------------------------------------------------------------

TEXTS = ["", "a", "ab", "abc", "B", "5", "ä", "😀", "\uffff", "2024-01-02", "2024-01-10", "2024-01-02T03:04:05Z"]
TEXTS += ["2024-01-02T03:04:05.678Z", "2024-01-02T23:00:00-05:00", "2024-1-2", "2024", "true", "null"]
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.sampled_from([0, -0.0, 1, 5, 5.0, 5.5, -1, 1e21, 2**53]) | st.sampled_from(TEXTS)
)
NAMES = st.sampled_from(["a", "b", "type", "0", "length", "x y"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.dictionaries(st.sampled_from(["a", "b", "type", "message"]), VALUES, max_size=4)
STEPS = st.sampled_from(
    ["a", "b", "type", "0", "1", "00", "-1", "length", "x y", "toString", "__proto__", "constructor"]
)
ROOTS = ["a", "b", "type", "gone", "message.a", "message.type"]


def fields(roots: list[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(roots), st.lists(STEPS, max_size=2)).map(
        lambda parts: ".".join([parts[0], *parts[1]])
    )


WITH_VALUE = ["equals", "not_equals", "contains", "not_contains", "starts_with", "ends_with"]
WITH_VALUE += ["greater_than", "less_than", "greater_or_equal", "less_or_equal"]
COMPARED = (
    st.tuples(st.sampled_from(WITH_VALUE), VALUES)
    | st.tuples(st.sampled_from(["in", "not_in"]), st.lists(VALUES, max_size=4))
    | st.tuples(st.sampled_from(["exists", "not_exists", "is_null", "is_not_null"]), st.none())
    | st.tuples(st.just("matches"), st.sampled_from(["", "^a", "b$", "^ab?c?$", "[0-9]+", "^.$", "😀", "a|5"]))
)


def rule(field: str, compared_with: tuple[str, Any], newer: bool) -> dict[str, Any]:
    comparison, value = compared_with
    return {"field": field, "value": value} | (
        {"type": "rule", "comparison": comparison} if newer else {"operator": comparison}
    )


def group(join: str, children: list[dict[str, Any]], newer: bool) -> dict[str, Any]:
    return {"conditions": children} | ({"type": "group", "operator": join} if newer else {"type": join})


def trees(of_fields: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        st.builds(rule, of_fields, COMPARED, st.booleans()),
        lambda inner: st.builds(
            group, st.sampled_from(["AND", "OR", "NOT"]), st.lists(inner, max_size=3), st.booleans()
        ),
        max_leaves=8,
    )


# A script's condition knows no `a[0]`, which is a fault (see below).
IN_SCRIPTS = trees(fields(ROOTS))
TREES = trees(fields([*ROOTS, "a[0]", "message.a[1]", "  b"]) | st.just(" a "))


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DenoSandbox]:
    async with running() as started:
        yield started


def asked(trees: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trees as they are evaluated."""
    compiled = [compile_condition(tree) for tree in trees]
    assert [faults for _, faults in compiled] == [[] for _ in trees]
    return [event(None, entityId=str(at), conditionText=json.dumps(tree)) for at, (tree, _) in enumerate(compiled)]


@settings(max_examples=60, deadline=None)
@given(trees=st.lists(TREES, min_size=1, max_size=25), message=MESSAGES)
async def test_conditions_of_events_agree(sandbox: DenoSandbox, trees: list[Any], message: dict[str, Any]) -> None:
    told = body(await evaluate(sandbox, [plan(event(), *asked(trees))], tenant("events"), message=raw(message)))
    seen = {entry["entityId"]: entry["conditionResult"] for entry in told["log"] if entry["type"] == "event"}
    assert [seen[str(at)] for at in range(len(trees))] == [outcome(tree, message) for tree in trees]


CASES = "___result___ = cases.map(([tree, data]) => evaluateCondition(tree, data))"


@settings(max_examples=40, deadline=None)
@given(cases=st.lists(st.tuples(IN_SCRIPTS, MESSAGES), min_size=1, max_size=25))
async def test_conditions_of_scripts_agree(sandbox: DenoSandbox, cases: list[tuple[Any, dict[str, Any]]]) -> None:
    verdict = await evaluate(sandbox, CASES, tenant("scripts"), message=raw({"cases": cases}))
    assert body(verdict).get("result") == [outcome(tree, message) for tree, message in cases], verdict.error


@settings(max_examples=40, deadline=None)
@given(trees=st.lists(TREES, min_size=1, max_size=25), message=MESSAGES)
async def test_reasons_name_a_rule_that_decided(
    sandbox: DenoSandbox, trees: list[Any], message: dict[str, Any]
) -> None:
    wrong = [tree for tree in trees if not outcome(tree, message)]
    verdict = await evaluate(sandbox, [plan(node) for node in asked(wrong)], tenant("reasons"), message=raw(message))
    reasons = body(verdict)["reasons"]
    assert (verdict.status, len(reasons)) == ("ignore", len(wrong))
    for tree, told in zip(wrong, reasons, strict=True):
        decided = list(deciding(tree, message, wanted=False))
        if "rule" not in told:
            assert any("conditions" in each for each in decided)
            continue
        found = next(each for each in decided if "field" in each and shown(each) == told["rule"])
        assert told.get("seen", MISSING) == look_up(found["field"], message)


def shown(each: dict[str, Any]) -> dict[str, Any]:
    """A rule as it is told: without a value where it compares with none."""
    comparison = each.get("comparison", each.get("operator"))
    wanted = {} if comparison in ("exists", "not_exists", "is_null", "is_not_null") else {"value": each["value"]}
    return {"field": each["field"], "comparison": comparison, **wanted}


def raw(message: Any) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize("field", ["a[0].b", " a.0.b", "a.0.b "])
async def test_a_field_means_the_same_in_a_script(sandbox: DenoSandbox, field: str) -> None:
    tree = {"field": field, "comparison": "equals", "value": 1}
    script = "___result___ = evaluateCondition(tree)"
    verdict = await evaluate(sandbox, script, tenant("scripts"), message=raw({"a": [{"b": 1}], "tree": tree}))
    assert body(verdict).get("result") is True


@pytest.mark.parametrize("field", ["a[0].b", " a.0.b", "a.0.b "])
async def test_a_field_of_an_event_may_be_written_so(sandbox: DenoSandbox, field: str) -> None:
    (node,) = asked([{"field": field, "comparison": "equals", "value": 1}])
    verdict = await evaluate(sandbox, [plan(node)], tenant("events"), message=raw({"a": [{"b": 1}]}))
    assert verdict.status == "success"
