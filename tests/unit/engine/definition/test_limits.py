"""Every limit of a definition, at both of its edges."""

from dataclasses import replace
from typing import Any

import pytest

from pulse.engine.definition.checks import MAX_DEPTH, MAX_STEPS, faults_of
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step, Wait
from pulse.engine.definition.workflow import RateLimit
from tests.unit.engine.made import workflow

DAY_MS = 86_400_000


def policy(**fields: Any) -> RetryPolicy:
    return RetryPolicy(**fields)


def places(*steps: Step, **fields: Any) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in faults_of(workflow(*steps, **fields))]


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (Delay("d", ms=1), Delay("d", ms=0)),
        (Delay("d", ms=0.6), Delay("d", ms=0.4)),
        (Delay("d", days=30), Delay("d", days=30, ms=1)),
        (Delay("d", days=31, hours=-24), Delay("d", hours=-1)),
    ],
)
def test_a_delay_is_a_millisecond_to_thirty_days(allowed: Delay, refused: Delay) -> None:
    assert places(allowed) == []
    assert places(refused) == [("steps.0", "out_of_range")]


@pytest.mark.parametrize("units", [{"ms": float("nan")}, {"seconds": float("inf")}, {"days": 1e305}, {"days": 10**400}])
def test_a_delay_that_no_number_holds_is_refused_and_does_not_break_the_check(units: dict[str, Any]) -> None:
    assert places(Delay("d", **units)) == [("steps.0", "out_of_range")]


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [("max_attempts", 1, 10), ("backoff_ms", 100, 300_000), ("max_backoff_ms", 100, DAY_MS)],
)
@pytest.mark.parametrize("make", [Action, Condition])
def test_a_retry_policy_keeps_within_its_limits(make: Any, field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert places(make("a", retry_policy=policy(**{field: value}))) == []
    for value in (lowest - 1, highest + 1, -1):
        assert places(make("a", retry_policy=policy(**{field: value}))) == [
            (f"steps.0.retry_policy.{field}", "out_of_range")
        ]


@pytest.mark.parametrize(
    ("step", "highest"),
    [(Action("a"), 7 * DAY_MS), (Condition("c"), 7 * DAY_MS), (Wait("w", "s"), 366 * DAY_MS)],
)
def test_a_timeout_is_at_least_a_millisecond(step: Any, highest: int) -> None:
    for value in (None, 1, highest):
        assert places(replace(step, timeout_ms=value)) == []
    for value in (0, -1, highest + 1):
        assert places(replace(step, timeout_ms=value)) == [("steps.0.timeout_ms", "out_of_range")]


@pytest.mark.parametrize("on_false", ["complete", "skip", 1, 3, MAX_STEPS])
def test_on_false_completes_skips_or_counts(on_false: Any) -> None:
    assert places(Condition("c", on_false=on_false)) == []


@pytest.mark.parametrize("on_false", [0, -1, MAX_STEPS + 1])
def test_on_false_skips_at_least_one_step(on_false: int) -> None:
    assert places(Condition("c", on_false=on_false)) == [("steps.0.on_false", "out_of_range")]


def test_a_workflow_has_at_least_one_step() -> None:
    assert places() == [("steps", "empty")]
    assert places(Action("a")) == []


def test_a_workflow_has_at_most_a_thousand_steps_those_of_branches_counted() -> None:
    inside = [Action(f"b{number}") for number in range(MAX_STEPS - 2)]
    assert places(Parallel("p", (tuple(inside), (Action("c"),)))) == []
    assert places(Parallel("p", (tuple(inside), (Action("c"), Action("d"))))) == [("steps", "too_many")]


def test_a_parallel_step_has_at_least_two_branches_and_none_is_empty() -> None:
    assert places(Parallel("p", ((Action("a"),), (Action("b"),)))) == []
    assert places(Parallel("p", ((Action("a"),),))) == [("steps.0.branches", "too_few")]
    assert places(Parallel("p", ())) == [("steps.0.branches", "too_few")]
    assert places(Parallel("p", ((Action("a"),), ()))) == [("steps.0.branches.1", "empty")]


def nested(depth: int) -> Step:
    """A step with that many parallel steps around it."""
    step: Step = Action("innermost")
    for level in range(depth):
        step = Parallel(f"p{level}", ((step,), (Action(f"a{level}"),)))
    return step


def test_parallel_steps_may_be_nested_sixteen_deep() -> None:
    assert places(nested(MAX_DEPTH)) == []
    (fault, *_) = faults_of(workflow(nested(MAX_DEPTH + 1)))
    assert fault.code == "too_deep"
    assert fault.path.count("branches") == MAX_DEPTH + 1


@pytest.mark.parametrize("field", ["tenant_id", "name", "trigger_type"])
def test_the_texts_of_a_workflow_have_one_to_two_hundred_characters(field: str) -> None:
    assert places(Action("a"), **{field: "x" * 200}) == []
    assert places(Action("a"), **{field: "x" * 201}) == [(field, "too_long")]
    assert places(Action("a"), **{field: ""}) == [(field, "empty")]
    assert places(Action("a"), **{field: " \t"}) == [(field, "empty")]
    assert places(Action("a"), **{field: "a\0b"}) == [(field, "nul")]


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (Action(""), "name"),
        (Action("a", handler=""), "handler"),
        (Condition("c", handler=" "), "handler"),
        (Wait("w", ""), "signal_type"),
        (Emit("e", signal_type=""), "signal_type"),
    ],
)
def test_the_texts_of_a_step_are_not_empty(step: Step, path: str) -> None:
    assert places(step) == [(f"steps.0.{path}", "empty")]


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("priority", -2_147_483_647, 2_147_483_647),
        ("concurrency", 1, 100_000),
        ("debounce_max_ms", 1, 30 * DAY_MS),
    ],
)
def test_numbers_of_a_workflow_keep_within_their_limits(field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert places(Action("a"), **{field: value}) == []
    for value in (lowest - 1, highest + 1):
        assert places(Action("a"), **{field: value}) == [(field, "out_of_range")]


def test_a_debounce_needs_its_key_and_its_time() -> None:
    for value in (1, 30 * DAY_MS):
        assert places(Action("a"), debounce_key="resource_id", debounce_ms=value) == []
    for value in (0, 30 * DAY_MS + 1):
        assert places(Action("a"), debounce_key="resource_id", debounce_ms=value) == [("debounce_ms", "out_of_range")]
    assert places(Action("a"), debounce_key="resource_id") == [("debounce_key", "incomplete")]
    assert places(Action("a"), debounce_ms=5) == [("debounce_key", "incomplete")]


def test_a_concurrency_key_needs_a_number() -> None:
    assert places(Action("a"), concurrency_key="payload.account", concurrency=1) == []
    assert places(Action("a"), concurrency_key="payload.account") == [("concurrency_key", "incomplete")]


def test_a_rate_limit_keeps_within_its_limits() -> None:
    for limit in (RateLimit(1, 0.001), RateLimit(1_000_000, 31 * 86_400)):
        assert places(Action("a"), rate_limit=limit) == []
    assert places(Action("a"), rate_limit=RateLimit(0, 0)) == [
        ("rate_limit.limit", "out_of_range"),
        ("rate_limit.per_seconds", "out_of_range"),
    ]
    assert places(Action("a"), rate_limit=RateLimit(1_000_001, float("nan"))) == [
        ("rate_limit.limit", "out_of_range"),
        ("rate_limit.per_seconds", "out_of_range"),
    ]
