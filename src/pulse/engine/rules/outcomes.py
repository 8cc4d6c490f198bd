"""What came of calling a handler, and what it makes of the step: pure functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pulse.core.retry import backoff_ms
from pulse.engine.definition.steps import Action, Condition, RetryPolicy
from pulse.engine.errors import Fatal, RetryAfter
from pulse.engine.records import WorkflowStepRun, evolve

ONCE = RetryPolicy()
MAX_ERROR = 4_000
# As long as a delay may be: what a handler asks for beyond it (or a NaN) is brought within.
LONGEST_PAUSE_S = 30 * 86_400.0


@dataclass(frozen=True)
class Outcome:
    """A call that ended: with a `result` (and its JSON text), or with an `error`."""

    result: dict[str, Any] | None = None
    text: str | None = None
    error: BaseException | None = None


def settled(
    row: WorkflowStepRun, step: Action | Condition, outcome: Outcome, now: datetime, draw: float
) -> WorkflowStepRun:
    """The step's row after the call: completed, failed, or scheduled for its next attempt. `draw` is 0 to 1."""
    if outcome.error is None:
        return evolve(row, status="completed", completed_at=now, result=outcome.result, error_message=None)
    message = error_text(outcome.error)
    pause = pause_ms(step.retry_policy or ONCE, row.attempt, outcome.error, draw)
    if pause is None:
        return evolve(row, status="failed", completed_at=now, error_message=message)
    due = now + timedelta(milliseconds=pause)
    return evolve(row, status="scheduled", scheduled_for=due, error_message=message)


def pause_ms(policy: RetryPolicy, attempt: int, error: BaseException, draw: float) -> int | None:
    """How long to wait before the next attempt; None where there is none."""
    if isinstance(error, Fatal) or attempt >= policy.max_attempts:
        return None
    names = {name for kind in type(error).__mro__ for name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}")}
    if names.intersection(policy.give_up_on) or (policy.retry_on and not names.intersection(policy.retry_on)):
        return None
    if isinstance(error, RetryAfter):
        return round(min(max(0.0, error.seconds), LONGEST_PAUSE_S) * 1000)
    return backoff_ms(attempt, policy.backoff_ms, policy.max_backoff_ms, draw if policy.jitter else 1.0)


def error_text(error: BaseException) -> str:
    """The error in one text that can be stored."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - the handler's own class, which fails its attempt whatever it says
        said = "(its text cannot be read)"
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    text = storable_text(text)
    return text if len(text) <= MAX_ERROR else f"{text[: MAX_ERROR - 1]}…"


def storable_text(text: str) -> str:
    """The text without what no database keeps: NUL characters and halves of surrogate pairs are written as escapes."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
