"""What is wrong with a definition is listed at once, each fault with its path."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pulse.engine.definition.checks import all_steps, faults_of, schedule_of
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step, Wait
from tests.unit.engine.made import workflow


def places(*steps: Step, **fields: Any) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in faults_of(workflow(*steps, **fields))]


def test_every_fault_is_listed_at_once_with_its_path() -> None:
    found = places(
        Delay("wait", days=40),
        Action("a", retry_policy=RetryPolicy(max_attempts=11, backoff_ms=5), timeout_ms=0),
        Parallel(
            "p",
            (
                (
                    Condition("c", on_false=0),
                    Parallel("inner", ((Wait("w", " ", timeout_ms=0),),)),
                ),
                (),
            ),
        ),
        Action("a"),
        tenant_id="",
        cron_expression="61 * * * *",
        concurrency=0,
    )
    assert found == [
        ("tenant_id", "empty"),
        ("concurrency", "out_of_range"),
        ("cron_expression", "bad_minute"),
        ("steps.0", "out_of_range"),
        ("steps.1.timeout_ms", "out_of_range"),
        ("steps.1.retry_policy.max_attempts", "out_of_range"),
        ("steps.1.retry_policy.backoff_ms", "out_of_range"),
        ("steps.2.branches.1", "empty"),
        ("steps.2.branches.0.0.on_false", "out_of_range"),
        ("steps.2.branches.0.1.branches", "too_few"),
        ("steps.2.branches.0.1.branches.0.0.signal_type", "empty"),
        ("steps.2.branches.0.1.branches.0.0.timeout_ms", "out_of_range"),
        ("steps.3.name", "not_unique"),
    ]


def test_the_message_of_a_limit_says_the_limit_and_the_value() -> None:
    (fault,) = faults_of(workflow(Action("a", retry_policy=RetryPolicy(backoff_ms=99))))
    assert fault.message == "backoff_ms must be 100 to 300,000, not 99."
    (fault,) = faults_of(workflow(Delay("d", days=31)))
    assert fault.message == "A delay is between 1 ms and 30 days; this one is 2,678,400,000 ms."


def test_names_are_unique_in_a_workflow_branches_included() -> None:
    inner = Parallel("p", ((Action("a"), Action("b")), (Action("b"),)))
    assert places(Action("a"), inner, Action("p")) == [
        ("steps.1.branches.0.0.name", "not_unique"),
        ("steps.1.branches.1.0.name", "not_unique"),
        ("steps.2.name", "not_unique"),
    ]


def test_the_fault_of_a_name_says_where_it_was_used_first() -> None:
    (fault,) = faults_of(workflow(Action("a"), Parallel("p", ((Action("a"),), (Action("b"),)))))
    assert "'a' is used at steps.0 already" in fault.message


def test_one_handler_may_be_called_by_many_steps() -> None:
    assert places(Action("first", handler="send"), Action("second", handler="send")) == []


def test_a_name_that_breaks_readers_of_json_is_refused() -> None:
    assert places(Action("__proto__")) == [("steps.0.name", "reserved")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a": {1, 2}}, "not_json"),
        ({"a": float("nan")}, "not_json"),
        ({"a": float("inf")}, "not_json"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "not_json"),
        ({"a": "\ud800"}, "not_json"),
        ({"a": ["b", {"c": "\0"}]}, "nul"),
        ({"\0": 1}, "nul"),
        ({"a": "\\\0"}, "nul"),
    ],
)
def test_what_cannot_be_stored_is_refused_wherever_it_stands(value: dict[str, Any], code: str) -> None:
    assert places(Action("a", config=value), config=value) == [("config", code), ("steps.0.config", code)]
    assert places(Wait("w", "s", match=value)) == [("steps.0.match", code)]
    assert places(Emit("e", payload=value)) == [("steps.0.payload", code)]


def test_a_value_that_holds_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["again"] = value
    assert places(Action("a", config=value)) == [("steps.0.config", "not_json")]


@pytest.mark.parametrize("text", [r"\u0000", r"\\u0000", "ä€𝄞", "\x1f", "\u2028"])
def test_a_text_that_only_looks_like_an_escape_is_kept(text: str) -> None:
    assert places(Action("a", config={"pattern": text, text: 1})) == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"cron_expression": "* * * *"}, "cron_expression"),
        ({"cron_expression": "nonsense"}, "cron_expression"),
        ({"cron_expression": "0 2 * * *", "cron_timezone": "Mars/Olympus"}, "cron_timezone"),
        ({"run_at": datetime(2026, 1, 1)}, "run_at"),  # noqa: DTZ001 - what is refused
    ],
)
def test_times_that_cannot_come_are_refused_under_the_workflows_names(fields: dict[str, Any], path: str) -> None:
    assert [place for place, _ in places(Action("a"), **fields)] == [path]


def test_a_workflow_without_times_has_no_schedule() -> None:
    assert schedule_of(workflow(Action("a"))) is None
    schedule = schedule_of(workflow(Action("a"), cron_expression="0 2 * * *", cron_timezone="Europe/Zurich"))
    assert schedule is not None
    assert (schedule.cron, schedule.zone, schedule.missed, schedule.overlap) == (
        "0 2 * * *",
        "Europe/Zurich",
        "last",
        "allow",
    )


def test_all_steps_are_found_those_of_branches_after_their_parallel_step() -> None:
    steps = (Action("a"), Parallel("p", ((Action("b"), Action("c")), (Delay("d", ms=1),))), Action("e"))
    assert [(path, step.name) for path, step in all_steps(steps)] == [
        ("steps.0", "a"),
        ("steps.1", "p"),
        ("steps.1.branches.0.0", "b"),
        ("steps.1.branches.0.1", "c"),
        ("steps.1.branches.1.0", "d"),
        ("steps.2", "e"),
    ]
