"""What follows a condition: the next step, the end, or the step after those that are skipped."""

import pytest

from pulse.engine.definition.steps import Action, Condition, Delay, Parallel, RetryPolicy, Step
from tests.unit.engine.rules.driving import ERROR, FALSE, Driven

A, B, C = Action("a"), Action("b"), Action("c")


def test_steps_follow_one_another() -> None:
    driven = Driven(A, B)
    first = driven.look()
    assert ([row.step_name for row, _ in first.execute], first.ended) == (["a"], None)
    driven.finish("a")
    assert driven.look().current_step_index == 1
    driven.finish("b")
    assert driven.look().ended == "completed"
    assert driven.statuses() == {"a": "completed", "b": "completed"}


def test_a_condition_that_holds_lets_the_next_step_follow() -> None:
    driven = Driven(Condition("c"), A)
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["c", "a"]
    assert driven.row("c").result == {"result": True}


def test_a_condition_that_does_not_hold_completes_the_run() -> None:
    driven = Driven(A, Condition("c"), B)
    following = driven.goes_on(c=FALSE)
    assert (following.ended, following.current_step_index) == ("completed", 1)
    assert driven.statuses() == {"a": "completed", "c": "completed"}


@pytest.mark.parametrize(
    ("on_false", "skipped"),
    [("skip", ["s0"]), (1, ["s0"]), (2, ["s0", "s1"]), (3, ["s0", "s1", "s2"]), (4, ["s0", "s1", "s2"])],
)
def test_on_false_skips_so_many_steps_and_no_more_than_there_are(on_false: "int | str", skipped: list[str]) -> None:
    steps = [Action(f"s{number}") for number in range(3)]
    driven = Driven(Condition("c", on_false=on_false), *steps)  # type: ignore[arg-type]
    assert driven.goes_on(c=FALSE).ended == "completed"
    assert driven.reasons() == dict.fromkeys(skipped, "condition")
    assert driven.executed == ["c", *(step.name for step in steps if step.name not in skipped)]


def test_a_skip_at_the_end_of_the_workflow_completes_it() -> None:
    for on_false in ("skip", 5):
        driven = Driven(A, Condition("c", on_false=on_false))
        assert driven.goes_on(c=FALSE).ended == "completed"
        assert driven.statuses() == {"a": "completed", "c": "completed"}


@pytest.mark.parametrize("skipped", [Delay("d", days=3), Parallel("p", ((B,), (C,))), Condition("other")])
def test_any_kind_of_step_can_be_skipped_whole(skipped: Step) -> None:
    driven = Driven(Condition("c", on_false="skip"), skipped, A)
    assert driven.goes_on(c=FALSE).ended == "completed"
    assert driven.statuses() == {"c": "completed", skipped.name: "skipped", "a": "completed"}


def test_a_condition_within_the_skipped_steps_is_not_asked() -> None:
    driven = Driven(Condition("c", on_false=2), Condition("other"), A, B)
    driven.goes_on(c=FALSE)
    assert driven.executed == ["c", "b"]


def test_a_second_condition_counts_from_itself() -> None:
    driven = Driven(Condition("first", on_false="skip"), A, Condition("second", on_false="skip"), B, C)
    driven.goes_on(first=FALSE, second=FALSE)
    assert driven.executed == ["first", "second", "c"]


def test_in_a_branch_complete_ends_the_branch_and_not_the_run() -> None:
    driven = Driven(Parallel("p", ((Condition("check"), A), (B,))), C)
    assert driven.goes_on(check=FALSE).ended == "completed"
    assert driven.statuses() == {"p": "completed", "check": "completed", "b": "completed", "c": "completed"}
    assert driven.executed == ["check", "b", "c"]


def test_in_a_branch_a_skip_does_not_reach_beyond_the_branch() -> None:
    driven = Driven(Parallel("p", ((Condition("check", on_false=5), A), (B,))), C)
    assert driven.goes_on(check=FALSE).ended == "completed"
    assert driven.reasons() == {"a": "condition"}
    assert sorted(driven.executed) == ["b", "c", "check"]


def test_a_condition_that_fails_fails_the_run() -> None:
    driven = Driven(Condition("check", on_false="skip"), A)
    following = driven.goes_on(check=ERROR)
    assert (following.ended, following.error) == ("failed", "Step 'check' failed: ValueError: no")
    assert driven.executed == ["check"]


def test_a_condition_is_tried_again_as_its_policy_says() -> None:
    driven = Driven(Condition("check", retry_policy=RetryPolicy(max_attempts=2, backoff_ms=1000)), A)
    following = driven.goes_on(check=ERROR)
    assert following.ended is None
    assert driven.statuses() == {"check": "scheduled"}
    driven.passes(seconds=1)
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["check", "check", "a"]


def test_an_action_that_answers_a_result_false_is_no_condition() -> None:
    driven = Driven(A, B)
    assert driven.goes_on(a=FALSE).ended == "completed"
    assert driven.executed == ["a", "b"]
