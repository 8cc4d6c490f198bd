"""What is wrong with a workflow beyond the types of its fields: every fault at once, each with its path."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pulse.core.errors import Fault
from pulse.core.schedule import Schedule, faults
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step, Wait
from pulse.engine.definition.workflow import Workflow

MAX_DELAY_MS = 30 * 86_400_000
MAX_TIMEOUT_MS = 7 * 86_400_000
MAX_WAIT_MS = 366 * 86_400_000
ATTEMPTS, BACKOFF_MS = (1, 10), (100, 300_000)
MAX_NAME = 200
MAX_STEPS = 1_000
MAX_DEPTH = 16
MAX_PRIORITY = 2_147_483_647
RESERVED = frozenset({"__proto__"})
# The escape of a NUL character in JSON, and not that of a backslash before "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def faults_of(workflow: Workflow) -> list[Fault]:
    """Every fault of the definition; an empty list if it can be run."""
    return [*_of_workflow(workflow), *_of_steps(workflow.steps, "steps", 0), *_of_names(workflow)]


def _of_workflow(workflow: Workflow) -> Iterator[Fault]:
    for name in ("tenant_id", "name", "trigger_type"):
        yield from _text(getattr(workflow, name), name)
    if not workflow.steps:
        yield Fault("steps", "empty", "A workflow needs at least one step.")
    yield from _between(workflow.priority, (-MAX_PRIORITY, MAX_PRIORITY), "priority")
    if workflow.concurrency is not None:
        yield from _between(workflow.concurrency, (1, 100_000), "concurrency")
    if workflow.concurrency_key is not None and workflow.concurrency is None:
        yield Fault(
            "concurrency_key", "incomplete", "concurrency_key needs concurrency: how many at once for each key."
        )
    yield from _of_debounce(workflow)
    yield from _of_times(workflow)
    if workflow.rate_limit is not None:
        yield from _between(workflow.rate_limit.limit, (1, 1_000_000), "rate_limit.limit")
        yield from _between(workflow.rate_limit.per_seconds, (0.001, 86_400 * 31), "rate_limit.per_seconds")
    yield from _storable(workflow.config, "config")


def _of_times(workflow: Workflow) -> Iterator[Fault]:
    schedule = schedule_of(workflow)
    if workflow.run_at is not None and workflow.run_at.tzinfo is None:
        yield Fault("run_at", "no_zone", "run_at needs a time zone: datetime(..., tzinfo=UTC), say.")
    elif schedule is not None:
        names = {"cron": "cron_expression", "zone": "cron_timezone", "at_ms": "run_at", "missed": "missed_runs"}
        for fault in faults(schedule):
            yield Fault(names.get(fault.path, fault.path), fault.code, fault.message)


def schedule_of(workflow: Workflow) -> Schedule | None:
    """The times at which the workflow's trigger is emitted by itself; None where it has none."""
    if workflow.cron_expression is None and workflow.run_at is None:
        return None
    return Schedule(
        cron=workflow.cron_expression,
        zone=workflow.cron_timezone,
        at_ms=None if workflow.run_at is None else round(workflow.run_at.timestamp() * 1000),
        missed=workflow.missed_runs,
        overlap=workflow.overlap,
    )


def _of_debounce(workflow: Workflow) -> Iterator[Fault]:
    if (workflow.debounce_key is None) != (workflow.debounce_ms is None):
        yield Fault("debounce_key", "incomplete", "debounce_key and debounce_ms belong together: give both or neither.")
    for name in ("debounce_ms", "debounce_max_ms"):
        value = getattr(workflow, name)
        if value is not None:
            yield from _between(value, (1, MAX_DELAY_MS), name)


def _of_names(workflow: Workflow) -> Iterator[Fault]:
    first: dict[str, str] = {}
    places = list(all_steps(workflow.steps))
    if len(places) > MAX_STEPS:
        yield Fault(
            "steps", "too_many", f"A workflow may have at most {MAX_STEPS:,} steps; this one has {len(places):,}."
        )
    for path, step in places:
        if step.name in first:
            yield Fault(
                f"{path}.name",
                "not_unique",
                f"The step name {step.name!r} is used at {first[step.name]} already: names are unique in a workflow.",
            )
        first.setdefault(step.name, path)


def all_steps(steps: Sequence[Step], path: str = "steps") -> Iterator[tuple[str, Step]]:
    """Every step with its path in the definition, those of branches after their parallel step."""
    for index, step in enumerate(steps):
        here = f"{path}.{index}"
        yield here, step
        if isinstance(step, Parallel):
            for number, branch in enumerate(step.branches):
                yield from all_steps(branch, f"{here}.branches.{number}")


def _of_steps(steps: Sequence[Step], path: str, depth: int) -> Iterator[Fault]:
    if depth > MAX_DEPTH:
        yield Fault(path, "too_deep", f"Parallel steps may be nested at most {MAX_DEPTH} deep.")
        return
    for index, step in enumerate(steps):
        here = f"{path}.{index}"
        if type(step) not in _CHECKS:
            yield Fault(here, "not_a_step", f"{type(step).__name__} is no step: use Action, Condition, Delay, …")
            continue
        yield from _text(step.name, f"{here}.name")
        if step.name in RESERVED:
            yield Fault(f"{here}.name", "reserved", f"{step.name} cannot be the name of a step.")
        yield from _storable(step.config, f"{here}.config")
        yield from _CHECKS[type(step)](step, here)
        for number, branch in enumerate(step.branches if isinstance(step, Parallel) else ()):
            yield from _of_steps(branch, f"{here}.branches.{number}", depth + 1)


def _of_call(step: Action | Condition, path: str) -> Iterator[Fault]:
    if step.handler is not None:
        yield from _text(step.handler, f"{path}.handler")
    if step.timeout_ms is not None:
        yield from _between(step.timeout_ms, (1, MAX_TIMEOUT_MS), f"{path}.timeout_ms")
    if step.retry_policy is not None:
        yield from _of_retry(step.retry_policy, f"{path}.retry_policy")
    if isinstance(step, Condition) and isinstance(step.on_false, int):
        yield from _between(step.on_false, (1, MAX_STEPS), f"{path}.on_false")


def _of_retry(policy: RetryPolicy, path: str) -> Iterator[Fault]:
    yield from _between(policy.max_attempts, ATTEMPTS, f"{path}.max_attempts")
    yield from _between(policy.backoff_ms, BACKOFF_MS, f"{path}.backoff_ms")
    yield from _between(policy.max_backoff_ms, (BACKOFF_MS[0], 86_400_000), f"{path}.max_backoff_ms")


def _of_delay(step: Delay, path: str) -> Iterator[Fault]:
    try:
        delay_ms = step.delay_ms
    except (OverflowError, ValueError):
        yield Fault(path, "out_of_range", "A delay is between 1 ms and 30 days; this one is no finite time.")
        return
    if not 1 <= delay_ms <= MAX_DELAY_MS:
        yield Fault(path, "out_of_range", f"A delay is between 1 ms and 30 days; this one is {delay_ms:,} ms.")


def _of_wait(step: Wait, path: str) -> Iterator[Fault]:
    yield from _text(step.signal_type, f"{path}.signal_type")
    yield from _storable(step.match, f"{path}.match")
    if step.timeout_ms is not None:
        yield from _between(step.timeout_ms, (1, MAX_WAIT_MS), f"{path}.timeout_ms")


def _of_emit(step: Emit, path: str) -> Iterator[Fault]:
    if step.signal_type is not None:
        yield from _text(step.signal_type, f"{path}.signal_type")
    if step.payload is not None:
        yield from _storable(step.payload, f"{path}.payload")


def _of_parallel(step: Parallel, path: str) -> Iterator[Fault]:
    if len(step.branches) < 2:
        yield Fault(f"{path}.branches", "too_few", "A parallel step needs at least two branches.")
    for number, branch in enumerate(step.branches):
        if not branch:
            yield Fault(f"{path}.branches.{number}", "empty", "A branch needs at least one step.")


_CHECKS: dict[type, Callable[[Any, str], Iterator[Fault]]] = {
    Action: _of_call,
    Condition: _of_call,
    Delay: _of_delay,
    Wait: _of_wait,
    Emit: _of_emit,
    Parallel: _of_parallel,
}


def _between(value: float, limits: tuple[float, float], path: str) -> Iterator[Fault]:
    if not limits[0] <= value <= limits[1]:
        yield Fault(
            path, "out_of_range", f"{path.rpartition('.')[2]} must be {limits[0]:,} to {limits[1]:,}, not {value:,}."
        )


def _text(value: str, path: str) -> Iterator[Fault]:
    if not value.strip():
        yield Fault(path, "empty", f"{path.rpartition('.')[2]} must not be empty.")
    elif len(value) > MAX_NAME:
        yield Fault(path, "too_long", f"{path.rpartition('.')[2]} may have at most {MAX_NAME} characters.")
    if "\0" in value:
        yield Fault(path, "nul", f"{path.rpartition('.')[2]} has a NUL character, which cannot be stored.")


def _storable(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        yield Fault(path, "not_json", f"{path.rpartition('.')[2]} must be plain JSON: {error}.")
        return
    if _NUL.search(text):
        yield Fault(path, "nul", f"{path.rpartition('.')[2]} has a NUL character, which cannot be stored.")
