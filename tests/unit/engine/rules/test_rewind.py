"""Which steps a retry runs again: those that failed, or one that is named and all that come after it."""

import pytest

from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step
from pulse.engine.records import WorkflowStepRun
from pulse.engine.rules.progress import News
from pulse.engine.rules.rewind import rewound
from tests.unit.engine import made
from tests.unit.engine.rules.driving import ERROR, FALSE, Driven

A, B, C, D = Action("a"), Action("b"), Action("c"), Action("d")
NESTED = made.workflow(A, Parallel("p", ((B, C), (Parallel("q", ((D,), (Action("e"), Action("f")))),))), Action("g"))
PLACES = {"0": "a", "1": "p", "1.0.0": "b", "1.0.1": "c", "1.1.0": "q", "1.1.0.0.0": "d", "1.1.0.1.0": "e"} | {
    "1.1.0.1.1": "f",
    "2": "g",
}


def names(rows: list[WorkflowStepRun]) -> list[str]:
    return sorted(row.step_name for row in rows)


def retry(driven: Driven, from_step: str | None = None) -> list[str]:
    """Rewinds the run; the names of the steps that were removed."""
    changed, removed = rewound(driven.workflow, driven.steps, from_step)
    for row in removed:
        del driven.steps[row.path]
    driven.steps |= {row.path: row for row in changed}
    driven.news.clear()
    driven.executed.clear()
    return names(removed)


def failed(*steps: Step) -> Driven:
    """A run that failed at its step `b`."""
    driven = Driven(*steps)
    assert driven.goes_on(b=ERROR).ended == "failed"
    return driven


def test_the_run_goes_on_at_the_failed_step() -> None:
    driven = failed(A, B, C)
    assert retry(driven) == []
    row = driven.row("b")
    assert (row.status, row.attempt, row.error_message, row.completed_at) == ("pending", 0, None, None)
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["b", "c"]


def test_the_failed_step_has_all_its_attempts_again() -> None:
    driven = Driven(Action("b", retry_policy=RetryPolicy(max_attempts=2, backoff_ms=100)))
    for _ in range(2):
        assert driven.goes_on(b=ERROR).ended is None
        driven.passes(seconds=1)
        assert driven.goes_on(b=ERROR).ended == "failed"
        retry(driven)
    driven.look()
    assert driven.row("b").attempt == 1


def test_its_step_keeps_its_id() -> None:
    driven = failed(B)
    before = driven.row("b").id
    retry(driven)
    driven.look()
    assert driven.row("b").id == before


def test_what_was_skipped_because_of_the_failure_is_run_again() -> None:
    driven = failed(Parallel("p", ((B,), (Delay("d", hours=1), C))))
    assert driven.reasons() == {"d": "failed"}
    retry(driven)
    assert driven.statuses() == {"p": "running", "b": "pending", "d": "pending"}
    assert driven.goes_on().due == made.later(hours=1)
    driven.passes(hours=1)
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["b", "c"]


def test_what_was_completed_in_another_branch_is_not_run_again() -> None:
    driven = failed(Parallel("p", ((A,), (B,))), C)
    retry(driven)
    driven.goes_on()
    assert driven.executed == ["b", "c"]


def test_what_a_condition_skipped_stays_skipped() -> None:
    driven = Driven(Condition("check", on_false="skip"), A, B)
    driven.goes_on(check=FALSE, b=ERROR)
    retry(driven)
    assert driven.reasons() == {"a": "condition"}
    driven.goes_on()
    assert driven.executed == ["b"]


@pytest.mark.parametrize("beside", [False, True])
def test_a_step_that_waited_for_other_runs_waits_for_the_same_ones_again(beside: bool) -> None:
    """It failed because one of them did, or it was skipped because something beside it failed."""
    emit = Emit("packed", wait=True)
    driven = Driven(Parallel("p", ((emit,), (B,)))) if beside else Driven(emit, B)
    driven.goes_on(b=ERROR)
    if not beside:
        driven.news["0"] = News({}, error="The run r failed.")
        driven.goes_on()
    retry(driven)
    assert driven.row("packed").status == "scheduled"
    assert driven.goes_on().emits == []
    driven.news[driven.row("packed").path] = News({"runs": []})
    assert driven.goes_on().ended == "completed"


def test_an_emission_that_had_not_begun_begins_after_the_retry() -> None:
    driven = failed(B, Emit("packed", wait=True))
    retry(driven)
    driven.look()
    driven.finish("b")
    assert len(driven.look().emits) == 1


def test_from_a_step_it_and_all_that_come_after_are_as_if_they_had_never_been() -> None:
    driven = failed(A, C, D, B)
    assert retry(driven, "c") == ["b", "c", "d"]
    assert driven.statuses() == {"a": "completed"}
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["c", "d", "b"]


def test_from_a_step_of_a_branch_the_parallel_step_goes_on_around_it() -> None:
    driven = failed(Parallel("p", ((A, C), (D,))), B)
    assert retry(driven, "c") == ["b", "c"]
    assert driven.statuses() == {"p": "running", "a": "completed", "d": "completed"}
    assert driven.row("p").completed_at is None
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["c", "b"]


def test_from_a_parallel_step_all_its_branches_run_again() -> None:
    driven = failed(Parallel("p", ((A,), (C,))), B)
    assert retry(driven, "p") == ["a", "b", "c", "p"]
    driven.goes_on()
    assert driven.executed == ["a", "c", "b"]


def test_from_a_step_beside_the_failed_one_both_run_again() -> None:
    driven = failed(Parallel("p", ((B,), (A,))), C)
    assert retry(driven, "a") == ["a"]
    assert driven.statuses() == {"p": "running", "b": "pending"}
    driven.goes_on()
    assert driven.executed == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("start", "removed"),
    [
        ("a", "abcdefgpq"),
        ("p", "bcdefgpq"),
        ("b", "bcg"),
        ("c", "cg"),
        ("q", "defgq"),
        ("d", "dg"),
        ("e", "efg"),
        ("f", "fg"),
        ("g", "g"),
    ],
)
def test_after_a_step_is_what_follows_it_and_what_is_around_it_but_no_other_branch(start: str, removed: str) -> None:
    rows = {path: made.row(path, name, "completed") for path, name in PLACES.items()}
    assert names(rewound(NESTED, rows, start)[1]) == sorted(removed)


def test_the_tenth_step_comes_after_the_second() -> None:
    steps = [Action(f"s{number}") for number in range(12)]
    rows = {str(number): made.row(str(number), f"s{number}", "completed") for number in range(12)}
    assert len(rewound(made.workflow(*steps), rows, "s2")[1]) == 10
    assert len(rewound(made.workflow(*steps), rows, "s10")[1]) == 2


def test_a_step_that_the_run_had_not_come_to_removes_nothing() -> None:
    driven = failed(A, B, C)
    assert retry(driven, "c") == []
    driven.goes_on()
    assert driven.executed == ["b", "c"]
