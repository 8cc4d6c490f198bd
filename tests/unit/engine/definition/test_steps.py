"""Steps and workflows check the types of their fields when they are made: an editor's mistake is seen at once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pulse.core.errors import InvalidFields
from pulse.engine.definition.checks import faults_of
from pulse.engine.definition.steps import (
    KINDS,
    Action,
    Condition,
    Delay,
    Emit,
    Parallel,
    RetryPolicy,
    Wait,
    handler_of,
)
from pulse.engine.definition.workflow import RateLimit, Workflow
from pulse.engine.errors import ActionFailed
from tests.unit.engine.made import workflow

Make = Callable[..., Any]


def refused(make: Make, *given: Any, **fields: Any) -> list[str]:
    with pytest.raises(InvalidFields) as caught:
        make(*given, **fields)
    assert {fault.code for fault in caught.value.faults} == {"wrong_type"}
    return [fault.path for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (Action, {"name": 1}),
        (Action, {"name": None}),
        (Action, {"name": "a", "handler": 2}),
        (Action, {"name": "a", "config": []}),
        (Action, {"name": "a", "config": {1: 2}}),
        (Action, {"name": "a", "retry_policy": {"max_attempts": 3}}),
        (Action, {"name": "a", "retry_policy": 3}),
        (Action, {"name": "a", "timeout_ms": "1000"}),
        (Action, {"name": "a", "timeout_ms": 10.5}),
        (Action, {"name": "a", "timeout_ms": True}),
        (Condition, {"name": "c", "on_false": "stop"}),
        (Condition, {"name": "c", "on_false": True}),
        (Condition, {"name": "c", "on_false": 1.0}),
        (Condition, {"name": "c", "on_false": None}),
        (Delay, {"name": "d", "minutes": "5"}),
        (Delay, {"name": "d", "days": None}),
        (Delay, {"name": "d", "ms": True}),
        (Wait, {"name": "w", "signal_type": 5}),
        (Wait, {"name": "w", "signal_type": "s", "match": "resource_id"}),
        (Wait, {"name": "w", "signal_type": "s", "timeout_ms": 1.5}),
        (Wait, {"name": "w", "signal_type": "s", "on_timeout": "retry"}),
        (Emit, {"name": "e", "signal_type": 1}),
        (Emit, {"name": "e", "payload": []}),
        (Emit, {"name": "e", "wait": 1}),
        (Parallel, {"name": "p", "branches": "ab"}),
        (Parallel, {"name": "p", "branches": [Action("a"), Action("b")]}),
        (Parallel, {"name": "p", "branches": None}),
        (RetryPolicy, {"max_attempts": "3"}),
        (RetryPolicy, {"max_attempts": 2.0}),
        (RetryPolicy, {"backoff_ms": None}),
        (RetryPolicy, {"max_backoff_ms": "1"}),
        (RetryPolicy, {"retry_on": "TimeoutError"}),
        (RetryPolicy, {"retry_on": 5}),
        (RetryPolicy, {"give_up_on": ValueError}),
        (RetryPolicy, {"jitter": 0}),
        (RateLimit, {"per_seconds": 1, "limit": 1.5}),
        (RateLimit, {"limit": 1, "per_seconds": "1"}),
    ],
)
def test_a_value_of_another_type_is_refused_at_its_field(make: Make, fields: dict[str, Any]) -> None:
    assert refused(make, **fields) == [list(fields)[-1]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant_id", 7),
        ("name", None),
        ("trigger_type", ["go"]),
        ("steps", "abc"),
        ("steps", None),
        ("steps", {"a": 1}),
        ("description", 1),
        ("environment_filter", ["production"]),
        ("resource_type_filter", 1),
        ("config", None),
        ("is_enabled", "yes"),
        ("cron_expression", 5),
        ("cron_timezone", None),
        ("run_at", "2026-03-01T08:00:00Z"),
        ("missed_runs", "some"),
        ("overlap", "kill"),
        ("priority", "high"),
        ("priority", 1.5),
        ("concurrency", "2"),
        ("concurrency_key", 1),
        ("rate_limit", (5, 1)),
        ("debounce_key", 1),
        ("debounce_ms", 1.5),
        ("debounce_max_ms", "1"),
        ("on_failure", True),
    ],
)
def test_a_field_of_a_workflow_of_another_type_is_refused_at_its_name(field: str, value: object) -> None:
    known: dict[str, Any] = {"tenant_id": "acme", "name": "f", "trigger_type": "go", "steps": [Action("a")]}
    assert refused(Workflow, **known | {field: value}) == [field]


def test_what_is_no_step_is_refused_at_its_place_in_the_list() -> None:
    steps: list[Any] = [Action("a"), "b", {"type": "action", "name": "c"}]
    assert refused(Workflow, "acme", "f", "go", steps) == ["steps.1", "steps.2"]
    branches: list[Any] = [[Action("a"), 5], [Action("b")]]
    assert refused(Parallel, "p", branches) == ["branches.0.1"]


def test_lists_of_steps_become_tuples_so_that_nobody_changes_them_later() -> None:
    given = [Action("a")]
    made = Workflow("acme", "f", "go", given)
    given.append(Action("b"))
    assert made.steps == (Action("a"),)
    assert Parallel("p", [[Action("a")], [Action("b")]]).branches == ((Action("a"),), (Action("b"),))


def test_exception_classes_are_kept_by_their_names() -> None:
    policy = RetryPolicy(retry_on=(TimeoutError, "ConnectError"), give_up_on=[ActionFailed])
    assert policy.retry_on == ("TimeoutError", "ConnectError")
    assert policy.give_up_on == ("pulse.engine.errors.ActionFailed",)


def test_the_defaults_are_those_of_the_specification() -> None:
    assert Action("a").retry_policy is None
    assert RetryPolicy().max_attempts == 1
    assert Condition("c").on_false == "complete"
    assert Wait("w", "s").on_timeout == "fail"
    assert Workflow("acme", "f", "go", (Action("a"),)).is_enabled


def test_the_kinds_of_steps_are_six() -> None:
    assert {kind: cls.type for kind, cls in KINDS.items()} == {kind: kind for kind in KINDS}
    assert list(KINDS) == ["action", "condition", "delay", "wait", "emit", "parallel"]


def test_a_step_calls_the_handler_of_its_name_or_the_one_it_names() -> None:
    assert handler_of(Action("send")) == "send"
    assert handler_of(Action("send", handler="mail")) == "mail"


@pytest.mark.parametrize(
    ("delay", "ms"),
    [
        (Delay("d", ms=1), 1),
        (Delay("d", seconds=1.5), 1_500),
        (Delay("d", minutes=5), 300_000),
        (Delay("d", hours=1), 3_600_000),
        (Delay("d", days=30), 30 * 86_400_000),
        (Delay("d", days=1, hours=2, minutes=3, seconds=4, ms=5), 86_400_000 + 7_200_000 + 180_000 + 4_000 + 5),
    ],
)
def test_a_delay_is_the_sum_of_what_is_given(delay: Delay, ms: int) -> None:
    assert delay.delay_ms == ms


def test_the_limits_are_not_looked_at_when_a_step_is_made() -> None:
    made = workflow(Delay("d", days=31), run_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert [fault.path for fault in faults_of(made)] == ["steps.0"]
