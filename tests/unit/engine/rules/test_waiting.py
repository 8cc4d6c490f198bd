"""Delays, waits for signals, signals that are emitted, and the pauses between attempts."""

import pytest

from pulse.engine.definition.steps import Action, Delay, Emit, Parallel, RetryPolicy, Wait
from pulse.engine.rules.progress import News, derived_trigger_id
from tests.unit.engine import made
from tests.unit.engine.rules.driving import ERROR, Driven

A, B = Action("a"), Action("b")


def test_a_delay_is_scheduled_and_over_at_its_time() -> None:
    driven = Driven(Delay("d", minutes=5), A)
    following = driven.look()
    assert (following.due, following.ended, following.execute) == (made.later(minutes=5), None, [])
    assert (driven.row("d").status, driven.row("d").scheduled_for) == ("scheduled", made.later(minutes=5))
    driven.passes(minutes=4, seconds=59.999)
    assert driven.look().changed == {}
    driven.passes(seconds=0.001)
    driven.look()
    assert driven.row("d").status == "completed"
    assert driven.executed == ["a"]


def test_a_delay_does_not_begin_again_after_a_crash() -> None:
    driven = Driven(Delay("d", days=30), A)
    driven.look()
    driven.passes(days=29)
    driven.crash()
    assert driven.look().due == made.later(days=30)


def test_of_several_times_the_run_waits_for_the_first() -> None:
    driven = Driven(Parallel("p", ((Delay("long", hours=2),), (Delay("short", hours=1),), (Wait("w", "s"),))))
    assert driven.look().due == made.later(hours=1)
    driven.passes(hours=1)
    assert driven.look().due == made.later(hours=2)
    driven.passes(hours=1)
    assert driven.look().due is None


def test_a_wait_begins_once_and_ends_with_its_signal() -> None:
    driven = Driven(Wait("w", "approved"), A)
    following = driven.look()
    assert [row.path for row, _ in following.waits] == ["0"]
    assert (following.due, driven.row("w").status) == (None, "scheduled")
    assert driven.look().waits == []
    driven.news["0"] = News({"by": "ann"})
    assert driven.goes_on().ended == "completed"
    assert driven.row("w").result == {"by": "ann"}


@pytest.mark.parametrize(
    ("on_timeout", "ended", "status", "executed"),
    [
        ("fail", "failed", "failed", []),
        ("complete", "completed", "skipped", []),
        ("skip", "completed", "skipped", ["a"]),
    ],
)
def test_a_wait_that_times_out_fails_completes_or_skips(
    on_timeout: str, ended: str, status: str, executed: list[str]
) -> None:
    driven = Driven(Wait("w", "approved", timeout_ms=60_000, on_timeout=on_timeout), A)  # type: ignore[arg-type]
    assert driven.look().due == made.later(minutes=1)
    driven.passes(minutes=1)
    following = driven.goes_on()
    assert (following.ended, driven.row("w").status, driven.executed) == (ended, status, executed)
    assert driven.row("w").skip_reason == ("timeout" if status == "skipped" else None)


def test_the_error_of_a_timeout_says_what_did_not_come() -> None:
    driven = Driven(Wait("w", "approved", timeout_ms=60_000))
    driven.look()
    driven.passes(minutes=1)
    assert driven.look().error == "Step 'w' failed: No signal 'approved' came within 60,000 ms."


def test_a_signal_that_is_there_when_the_time_is_over_counts() -> None:
    driven = Driven(Wait("w", "approved", timeout_ms=60_000))
    driven.look()
    driven.passes(minutes=2)
    driven.news["0"] = News({})
    assert driven.look().ended == "completed"


def test_in_a_branch_a_timeout_that_completes_ends_the_branch() -> None:
    waiting = Wait("w", "approved", timeout_ms=1000, on_timeout="complete")
    driven = Driven(Parallel("p", ((waiting, A), (Delay("d", seconds=1),))), B)
    driven.look()
    driven.passes(seconds=1)
    assert driven.goes_on().ended == "completed"
    assert driven.executed == ["b"]


def test_an_emitted_signal_is_emitted_once_and_the_run_goes_on() -> None:
    driven = Driven(Emit("packed"), A)
    following = driven.look()
    assert [row.step_name for row, _ in following.emits] == ["packed"]
    row = driven.row("packed")
    assert (row.status, row.attempt, row.result) == (
        "completed",
        1,
        {"triggerId": derived_trigger_id(made.NOW, row.id)},
    )
    driven.crash()
    assert driven.look().emits == []


def test_an_emitted_signal_that_is_waited_for_ends_with_its_runs() -> None:
    driven = Driven(Emit("packed", wait=True), A)
    following = driven.look()
    assert (len(following.emits), following.due, driven.row("packed").status) == (1, None, "scheduled")
    assert driven.look().emits == []
    driven.news["0"] = News({"triggerId": "t", "runs": []})
    assert driven.goes_on().ended == "completed"
    assert driven.row("packed").result == {"triggerId": "t", "runs": []}


def test_an_emitted_signal_fails_with_a_run_that_failed() -> None:
    driven = Driven(Emit("packed", wait=True), A)
    driven.look()
    driven.news["0"] = News({}, error="The run r failed.")
    following = driven.goes_on()
    assert (following.ended, following.error) == ("failed", "Step 'packed' failed: The run r failed.")
    assert driven.executed == []


def test_an_attempt_that_failed_is_followed_by_its_pause_and_the_next() -> None:
    driven = Driven(Action("a", retry_policy=RetryPolicy(max_attempts=3, backoff_ms=1000)), B)
    for attempt, pause in ((1, 1), (2, 2)):
        driven.look()
        row = driven.finish("a", ERROR)
        assert (row.status, row.attempt, row.error_message) == ("scheduled", attempt, "ValueError: no")
        following = driven.look()
        assert (following.due, following.execute) == (driven.now + (made.later(seconds=pause) - made.NOW), [])
        driven.passes(seconds=pause)
    assert driven.goes_on(a=ERROR).ended == "failed"
    assert (driven.executed, driven.row("a").attempt) == (["a"] * 3, 3)


def test_a_later_attempt_that_succeeds_leaves_no_error() -> None:
    driven = Driven(Action("a", retry_policy=RetryPolicy(max_attempts=2, backoff_ms=1000)))
    driven.goes_on(a=ERROR)
    driven.passes(seconds=1)
    assert driven.goes_on().ended == "completed"
    row = driven.row("a")
    assert (row.status, row.attempt, row.error_message, row.scheduled_for) == ("completed", 2, None, None)


def test_a_pause_that_is_due_already_is_not_waited_for() -> None:
    driven = Driven(Action("a", retry_policy=RetryPolicy(max_attempts=2)))
    driven.look()
    driven.finish("a", ERROR, draw=0.0)
    assert driven.goes_on().ended == "completed"
