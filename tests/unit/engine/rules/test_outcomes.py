"""What a call that ended makes of its step: completed, failed, or another attempt after a pause."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.engine.definition.steps import Action, RetryPolicy
from pulse.engine.errors import ActionFailed, Fatal, RetryAfter
from pulse.engine.records import WorkflowStepRun
from pulse.engine.rules.outcomes import LONGEST_PAUSE_S, MAX_ERROR, Outcome, error_text, pause_ms, settled
from tests.unit.engine import made

PATIENT = RetryPolicy(max_attempts=3, backoff_ms=1000, jitter=False)


class MailDown(ConnectionError):
    """A handler's own exception."""


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def after(outcome: Outcome, policy: RetryPolicy | None = None, attempt: int = 1) -> WorkflowStepRun:
    row = made.row("0", "a", "running", attempt=attempt, error_message="before")
    return settled(row, Action("a", retry_policy=policy), outcome, made.NOW, 0.5)


def test_a_result_completes_the_step() -> None:
    row = after(Outcome({"id": 1}, '{"id":1}'))
    assert (row.status, row.result, row.completed_at, row.error_message) == ("completed", {"id": 1}, made.NOW, None)
    assert after(Outcome()).result is None


def test_without_a_policy_an_error_fails_the_step_at_once() -> None:
    row = after(Outcome(error=ValueError("no")))
    assert (row.status, row.completed_at, row.error_message) == ("failed", made.NOW, "ValueError: no")


def test_with_a_policy_an_error_schedules_the_next_attempt() -> None:
    row = after(Outcome(error=ValueError("no")), PATIENT, attempt=2)
    assert (row.status, row.scheduled_for) == ("scheduled", made.NOW + timedelta(seconds=2))
    assert (row.completed_at, row.attempt, row.error_message) == (None, 2, "ValueError: no")


def test_the_last_attempt_fails_the_step() -> None:
    assert after(Outcome(error=ValueError("no")), PATIENT, attempt=3).status == "failed"


@pytest.mark.parametrize("attempts", [1, 2, 10])
def test_there_are_as_many_attempts_as_the_policy_says(attempts: int) -> None:
    policy = RetryPolicy(max_attempts=attempts)
    tried = [pause_ms(policy, attempt, ValueError(), 1.0) is not None for attempt in range(1, 12)]
    assert tried.count(True) == attempts - 1
    assert tried.index(False) == attempts - 1


def test_the_pause_doubles_up_to_its_limit() -> None:
    policy = RetryPolicy(max_attempts=10, backoff_ms=1000, max_backoff_ms=5000, jitter=False)
    assert [pause_ms(policy, attempt, ValueError(), 0.0) for attempt in range(1, 6)] == [1000, 2000, 4000, 5000, 5000]


@given(st.integers(1, 9), st.floats(0, 1), st.integers(100, 300_000), st.integers(100, 86_400_000))
def test_the_jittered_pause_is_between_nothing_and_the_whole(
    attempt: int, draw: float, backoff_ms: int, longest: int
) -> None:
    policy = RetryPolicy(max_attempts=10, backoff_ms=backoff_ms, max_backoff_ms=longest)
    whole = min(longest, backoff_ms * 2 ** (attempt - 1))
    pause = pause_ms(policy, attempt, ValueError(), draw)
    assert pause is not None
    assert 0 <= pause <= whole
    assert pause == round(whole * draw)


def test_a_fatal_error_is_not_tried_again() -> None:
    assert pause_ms(PATIENT, 1, Fatal("no"), 1.0) is None
    assert after(Outcome(error=Fatal("no")), PATIENT).status == "failed"


@pytest.mark.parametrize(
    ("retry_on", "error", "again"),
    [
        (("ConnectionError",), ConnectionError(), True),
        (("ConnectionError",), MailDown(), True),
        (("OSError",), MailDown(), True),
        (("MailDown",), MailDown(), True),
        ((f"{__name__}.MailDown",), MailDown(), True),
        (("other.MailDown",), MailDown(), False),
        (("MailDown",), ConnectionError(), False),
        (("TimeoutError", "ConnectionError"), ValueError(), False),
        (("Exception",), ValueError(), True),
        ((), ValueError(), True),
    ],
)
def test_with_retry_on_only_those_classes_are_tried_again(
    retry_on: tuple[str, ...], error: Exception, again: bool
) -> None:
    assert (pause_ms(RetryPolicy(max_attempts=2, retry_on=retry_on), 1, error, 1.0) is not None) is again


def test_the_classes_of_give_up_on_are_never_tried_again() -> None:
    policy = RetryPolicy(max_attempts=5, retry_on=("OSError",), give_up_on=("MailDown",))
    assert pause_ms(policy, 1, MailDown(), 1.0) is None
    assert pause_ms(policy, 1, ConnectionError(), 1.0) is not None
    assert pause_ms(RetryPolicy(max_attempts=5, give_up_on=("RetryAfter",)), 1, RetryAfter(1), 1.0) is None


def test_a_class_may_be_given_as_itself() -> None:
    policy = RetryPolicy(max_attempts=5, retry_on=(MailDown,))
    assert pause_ms(policy, 1, MailDown(), 1.0) is not None
    assert pause_ms(policy, 1, OSError(), 1.0) is None


@pytest.mark.parametrize(("seconds", "ms"), [(0, 0), (0.0004, 0), (1.5, 1500), (3600, 3_600_000), (-5, 0)])
def test_an_action_may_say_when_it_wants_to_be_tried_again(seconds: float, ms: int) -> None:
    assert pause_ms(PATIENT, 1, RetryAfter(seconds), 0.5) == ms


@pytest.mark.parametrize(
    ("seconds", "ms"),
    [(float("nan"), 0), (float("inf"), LONGEST_PAUSE_S * 1000), (1e300, LONGEST_PAUSE_S * 1000), (float("-inf"), 0)],
)
def test_a_pause_that_no_clock_knows_is_brought_within_bounds(seconds: float, ms: float) -> None:
    row = after(Outcome(error=RetryAfter(seconds)), PATIENT)
    assert row.scheduled_for == made.NOW + timedelta(milliseconds=ms)


def test_the_wish_for_a_pause_does_not_add_attempts() -> None:
    assert pause_ms(PATIENT, 3, RetryAfter(1), 1.0) is None
    assert pause_ms(RetryPolicy(), 1, RetryAfter(1), 1.0) is None


def test_the_text_of_an_error_names_its_class() -> None:
    assert error_text(ValueError("no")) == "ValueError: no"
    assert error_text(ActionFailed("no")) == "ActionFailed: no"
    assert error_text(KeyError()) == "KeyError"


def test_the_text_of_an_error_can_be_stored_whatever_is_in_it() -> None:
    assert error_text(ValueError("a\0b\ud800c")) == r"ValueError: a\0b\ud800c"
    assert error_text(Unreadable()).startswith("Unreadable")


def test_a_long_error_is_cut() -> None:
    assert len(error_text(ValueError("x" * MAX_ERROR * 2))) == MAX_ERROR
    assert error_text(ValueError("x" * MAX_ERROR)).endswith("…")
    whole = "x" * (MAX_ERROR - len("ValueError: "))
    assert error_text(ValueError(whole)) == f"ValueError: {whole}"
