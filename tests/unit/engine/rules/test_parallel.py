"""Branches begin at once, converge once, and are wound up when one of them fails."""

import pytest

from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step, Wait
from pulse.engine.rules.progress import News
from tests.unit.engine import made
from tests.unit.engine.rules.driving import DONE, ERROR, FALSE, Driven

A, B, C, AFTER = Action("a"), Action("b"), Action("c"), Action("after")


def both(*branches: tuple[Step, ...], name: str = "p") -> Parallel:
    return Parallel(name, branches)


def test_all_branches_begin_at_once() -> None:
    driven = Driven(both((A, C), (B,)), AFTER)
    following = driven.look()
    assert [row.path for row, _ in following.execute] == ["0.0.0", "0.1.0"]
    assert driven.statuses() == {"p": "running", "a": "running", "b": "running"}


def test_a_step_of_a_branch_knows_its_place() -> None:
    driven = Driven(A, both((B,), (Delay("d", ms=5), C)))
    driven.goes_on()
    driven.passes(seconds=1)
    driven.goes_on()
    row, parent = driven.row("c"), driven.row("p")
    assert (row.path, row.step_index, row.branch_index, row.parent_step_run_id) == ("1.1.1", 1, 1, parent.id)
    assert (parent.path, parent.step_index, parent.branch_index, parent.parent_step_run_id) == ("1", 1, None, None)


def test_the_branches_go_on_independently_and_converge_once() -> None:
    driven = Driven(both((A, C), (B,)), AFTER)
    driven.look()
    driven.finish("a")
    driven.look()
    driven.finish("c")
    assert driven.look().execute == []
    assert driven.statuses() == {"p": "running", "a": "completed", "c": "completed", "b": "running"}
    driven.finish("b")
    following = driven.look()
    assert [row.step_name for row, _ in following.execute] == ["after"]
    assert driven.row("p").status == "completed"
    assert "0" not in driven.look().changed


def test_two_branches_that_end_at_once_converge_once() -> None:
    driven = Driven(both((A,), (B,)), AFTER)
    driven.look()
    driven.finish("a")
    driven.finish("b")
    assert [row.step_name for row, _ in driven.look().execute] == ["after"]
    assert driven.look().execute == []


def test_the_run_waits_for_the_slowest_branch() -> None:
    driven = Driven(both((Delay("d", hours=1),), (Wait("w", "s"),), (A,)), AFTER)
    assert driven.goes_on().due == made.later(hours=1)
    driven.passes(hours=1)
    assert driven.goes_on().due is None
    driven.news["0.1.0"] = News({})
    assert driven.goes_on().ended == "completed"


def test_a_failed_branch_fails_the_step_and_the_run() -> None:
    driven = Driven(both((A,), (B,)), AFTER)
    following = driven.goes_on(a=ERROR)
    assert (following.ended, following.error) == ("failed", "Step 'a' failed: ValueError: no")
    assert driven.statuses() == {"p": "failed", "a": "failed", "b": "completed"}
    assert driven.row("p").error_message == "Step 'a' failed: ValueError: no"


def test_what_is_being_executed_is_finished_and_nothing_else_begins() -> None:
    driven = Driven(both((A,), (B, C)), AFTER)
    driven.look()
    driven.finish("a", ERROR)
    following = driven.look()
    assert (following.changed, following.execute, following.ended) == ({}, [], None)
    driven.finish("b")
    assert driven.look().ended == "failed"
    assert driven.statuses() == {"p": "failed", "a": "failed", "b": "completed"}
    assert driven.executed == ["a", "b"]


@pytest.mark.parametrize("other", [Delay("other", hours=1), Wait("other", "s"), Emit("other", wait=True)])
def test_what_is_scheduled_in_another_branch_is_skipped(other: Step) -> None:
    driven = Driven(both((A,), (other, B)), AFTER)
    assert driven.goes_on(a=ERROR).ended == "failed"
    assert driven.reasons() == {"other": "failed"}
    assert driven.executed == ["a"]


def test_an_attempt_that_is_scheduled_in_another_branch_is_skipped() -> None:
    patient = Action("b", retry_policy=RetryPolicy(max_attempts=3))
    driven = Driven(both((A,), (patient,)), AFTER)
    driven.look()
    driven.finish("b", ERROR)
    driven.finish("a", ERROR)
    assert driven.look().ended == "failed"
    assert (driven.statuses()["b"], driven.row("b").attempt) == ("skipped", 1)


def test_a_failure_of_what_was_still_being_executed_fails_the_run_once() -> None:
    driven = Driven(both((A,), (B,)), AFTER)
    driven.look()
    driven.finish("a", ERROR)
    driven.look()
    driven.finish("b", ERROR)
    following = driven.look()
    assert (following.ended, following.error) == ("failed", "Step 'a' failed: ValueError: no")


def test_a_failure_deep_inside_winds_up_all_that_is_around_it() -> None:
    inner = both((A,), (Delay("d", hours=1),), name="inner")
    other = both((B, C), (Wait("w", "s"),), name="other")
    driven = Driven(both((inner,), (other,)), AFTER)
    driven.look()
    driven.finish("a", ERROR)
    assert driven.look().ended is None
    driven.finish("b")
    assert driven.look().ended == "failed"
    assert driven.statuses() == {
        **dict.fromkeys(["p", "inner", "a", "other"], "failed"),
        **dict.fromkeys(["d", "w"], "skipped"),
        "b": "completed",
    }
    assert driven.reasons() == {"d": "failed", "w": "failed"}


def test_what_was_executed_when_its_holder_died_is_finished_in_the_winding_up() -> None:
    driven = Driven(both((A,), (B, C)), AFTER)
    driven.look()
    driven.finish("a", ERROR)
    driven.crash()
    following = driven.look()
    assert [(row.step_name, row.attempt) for row, _ in following.execute] == [("b", 1)]
    assert following.ended is None
    driven.finish("b")
    assert driven.look().ended == "failed"
    assert driven.executed == ["a", "b", "b"]


def test_a_branch_that_completes_early_does_not_fail_the_others() -> None:
    driven = Driven(both((Condition("check"), A), (B, C)), AFTER)
    assert driven.goes_on(check=FALSE).ended == "completed"
    assert driven.executed == ["check", "b", "c", "after"]


def test_parallel_steps_may_be_nested() -> None:
    driven = Driven(both((both((A,), (B,), name="inner"), C), (Delay("d", hours=1),)), AFTER)
    driven.goes_on()
    assert driven.statuses() == {
        **dict.fromkeys(["inner", "a", "b", "c"], "completed"),
        "p": "running",
        "d": "scheduled",
    }
    driven.passes(hours=1)
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["a", "b", "c", "after"]


def test_a_run_that_failed_says_so_again_and_changes_nothing() -> None:
    driven = Driven(both((A,), (B,)), AFTER)
    driven.goes_on(a=ERROR)
    again = driven.look()
    assert (again.ended, again.changed, again.execute) == ("failed", {}, [])


def test_a_call_that_goes_on_is_left_alone() -> None:
    driven = Driven(both((A,), (B, C)))
    driven.look()
    driven.finish("b", DONE)
    following = driven.look()
    assert [row.step_name for row, _ in following.execute] == ["c"]
    assert list(following.changed) == ["0.1.1"]
