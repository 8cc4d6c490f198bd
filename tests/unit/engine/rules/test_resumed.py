"""What a new holder does with a run, and what a replay leaves out."""

import pytest

from pulse.core.ids import is_id
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, Wait
from pulse.engine.rules.progress import first_step, step_at, step_run_id
from tests.unit.engine import made
from tests.unit.engine.rules.driving import FALSE, Driven

A, B = Action("a"), Action("b")


def test_a_step_that_was_being_executed_is_executed_again_with_the_same_attempt() -> None:
    driven = Driven(A, B)
    (row, _), *_ = driven.look().execute
    driven.crash()
    following = driven.look()
    assert [(each.path, each.attempt, each.id) for each, _ in following.execute] == [("0", 1, row.id)]
    assert following.changed == {}


def test_a_step_that_is_being_executed_here_is_not_begun_again() -> None:
    driven = Driven(A)
    driven.look()
    driven.passes(hours=1)
    following = driven.look()
    assert (following.execute, following.changed, following.ended) == ([], {}, None)


def test_a_step_that_is_recorded_as_ended_is_never_executed_again() -> None:
    driven = Driven(A, B)
    driven.look()
    driven.finish("a")
    driven.crash()
    assert [row.step_name for row, _ in driven.look().execute] == ["b"]


def test_branches_that_were_being_executed_are_all_executed_again() -> None:
    driven = Driven(Parallel("p", ((A,), (B,), (Condition("c"),))))
    driven.look()
    driven.finish("b")
    driven.crash()
    assert [row.step_name for row, _ in driven.look().execute] == ["a", "c"]


def test_the_answer_depends_on_what_is_recorded_only() -> None:
    driven = Driven(Parallel("p", ((A,), (Delay("d", hours=1),), (Wait("w", "s"),), (Emit("e"),))))
    assert driven.ask() == driven.ask()
    driven.look()
    driven.crash()
    first, second = driven.ask(), driven.ask()
    assert first == second
    assert (first.changed, first.waits, first.emits) == ({}, [], [])


def test_a_replay_skips_the_actions_that_are_not_safe() -> None:
    driven = Driven(A, B, Condition("c"), is_replay=True, replay_safe=lambda name: name == "b")
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["b", "c"]
    assert driven.reasons() == {"a": "replay"}


def test_in_a_replay_the_handler_counts_and_not_the_name_of_the_step() -> None:
    driven = Driven(Action("first", handler="safe"), is_replay=True, replay_safe=lambda name: name == "safe")
    driven.goes_on()
    assert driven.executed == ["first"]


def test_a_dry_run_asks_conditions_and_skips_every_action() -> None:
    driven = Driven(
        Condition("c", on_false="skip"), A, B, Emit("e"), is_replay=True, is_dry_run=True, replay_safe=lambda _: True
    )
    following = driven.goes_on(c=FALSE)
    assert (following.ended, following.emits) == ("completed", [])
    assert driven.executed == ["c"]
    assert driven.reasons() == {"a": "condition", "b": "dry_run", "e": "dry_run"}


def test_a_dry_run_waits_as_long_as_a_run_does() -> None:
    driven = Driven(Delay("d", hours=1), A, is_dry_run=True)
    assert driven.look().due == made.later(hours=1)


def test_an_action_that_was_begun_in_a_replay_is_ended_in_it() -> None:
    driven = Driven(A, is_replay=True, replay_safe=lambda _: True)
    driven.look()
    driven.crash()
    assert [row.step_name for row, _ in driven.look().execute] == ["a"]


def test_the_first_step_of_a_run_is_pending_at_its_place() -> None:
    row = first_step(made.RUN_ID, "acme", made.workflow(Delay("d", ms=1)), made.NOW)
    assert (row.path, row.step_type, row.status, row.attempt) == ("0", "delay", "pending", 0)
    assert row.created_at == made.NOW


def test_the_id_of_a_step_is_that_of_its_run_and_its_place() -> None:
    assert is_id(step_run_id(made.RUN_ID, "0"), "stp")
    assert step_run_id(made.RUN_ID, "0") == step_run_id(made.RUN_ID, "0") != step_run_id(made.RUN_ID, "1")


@pytest.mark.parametrize(("path", "name"), [("0", "a"), ("1", "p"), ("1.1.1", "d"), ("1.0.0.1.0", "c")])
def test_a_step_is_found_at_its_path(path: str, name: str) -> None:
    inner = Parallel("inner", ((B,), (Condition("c"),)))
    flow = made.workflow(A, Parallel("p", ((inner,), (Wait("w", "s"), Delay("d", ms=1)))))
    assert step_at(flow, path).name == name
