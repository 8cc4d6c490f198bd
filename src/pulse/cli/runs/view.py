"""Runs as `pulse runs` prints them, for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pulse.cli.messages.view import short_json
from pulse.cli.output import print_table, print_text
from pulse.cli.runs.application import Application, as_json, time_of
from pulse.engine.records import ExecutionLog, RunTimelineEntry, TriggerEnvelope, WorkflowRun, WorkflowStepRun

COLUMNS = ("Id", "Status", "Workflow", "Tenant", "Type", "Created", "Elapsed", "Why")
GOES_ON = "will go on as soon as a running engine takes it."
# How long a run may be ready before it is worth asking whether anybody runs it.
UNCLAIMED = timedelta(seconds=30)


@dataclass(frozen=True)
class Whole:
    """Everything about one run."""

    run: WorkflowRun
    trigger: TriggerEnvelope | None
    steps: Sequence[WorkflowStepRun]
    timeline: Sequence[RunTimelineEntry]
    logs: Sequence[ExecutionLog]

    @property
    def json(self) -> dict[str, Any]:
        parts = {"steps": self.steps, "timeline": self.timeline, "logs": self.logs}
        trigger = {} if self.trigger is None else {"trigger": as_json(self.trigger)}
        return {**as_json(self.run), **trigger, **{name: list(map(as_json, each)) for name, each in parts.items()}}


def workflow_name(run: WorkflowRun) -> str:
    return str(run.definition_snapshot.get("name", run.definition_id))


def line(run: WorkflowRun) -> tuple[Any, ...]:
    """A row of the table."""
    kind = run.definition_snapshot.get("triggerType")
    return (
        run.id,
        _status(run),
        workflow_name(run),
        run.tenant_id,
        kind,
        time_of(run.created_at),
        _took(run),
        _why(run),
    )


def show(whole: Whole, opened: Application) -> None:
    """Prints the run: what it is, its steps, its timeline with its log, and what to do next."""
    for name, value in _head(whole):
        print_text(f"{name:10}{value}")
    print_text("")
    columns = ("Step", "Kind", "Status", "Attempt", "Started", "Took", "Why or result")
    print_table(columns, map(_step_line, whole.steps), "It has not begun its first step.")
    print_text("")
    for entry in whole.timeline:
        print_text(_timeline_line(entry))
    print_text("")
    for sentence in next_steps(whole.run, whole.steps, opened, datetime.now(UTC)):
        print_text(sentence)


def next_steps(run: WorkflowRun, steps: Sequence[WorkflowStepRun], opened: Application, now: datetime) -> Iterator[str]:
    """What somebody who looks at the run may want to do."""
    cancel = f"Cancel it: {opened.command('runs', 'cancel', run.id)}"
    match run.status:
        case "failed":
            failed = next((step.step_name for step in steps if step.status == "failed"), None)
            where = "where it failed" if failed is None else f"at {failed!r}, the step that failed"
            yield f"Let it go on {where}: {opened.command('runs', 'retry', run.id)}"
            yield "At an earlier step: add --from-step NAME."
        case "waiting":
            yield from (_waits(step) for step in steps if step.status == "scheduled")
            yield cancel
        case "pending" | "running":
            begun = max(
                (moment for step in steps for moment in (step.started_at, step.completed_at) if moment), default=None
            )
            if now - (begun or run.created_at) > UNCLAIMED:
                yield "Nothing has happened for a while: is the application's engine running?"
            yield cancel
        case "completed" | "canceled":
            yield f"Run its signal again: {opened.command('runs', 'replay', run.trigger_id)}"


def _head(whole: Whole) -> Iterator[tuple[str, str]]:
    run, trigger = whole.run, whole.trigger
    yield "id", run.id
    yield "status", f"{_status(run)}{f', after {_took(run)}' if _took(run) else ''}"
    yield "workflow", f"{workflow_name(run)} (version {run.definition_version}, {run.definition_id})"
    yield "tenant", run.tenant_id
    if trigger is not None:
        on = f" of {trigger.resource_type or 'resource'} {trigger.resource_id}" if trigger.resource_id else ""
        where = f", environment {trigger.environment}" if trigger.environment else ""
        yield "signal", f"{trigger.type}{on}, from {trigger.source}{where} ({trigger.id})"
        yield "payload", short_json(dict(trigger.payload))
    else:
        yield "signal", run.trigger_id
    if run.parent_run_id is not None:
        yield "parent", run.parent_run_id
    if run.attempt > 1:
        yield "attempt", str(run.attempt)
    if run.error_message is not None:
        yield "error", run.error_message
    if run.cancel_reason is not None:
        yield "reason", run.cancel_reason


def _status(run: WorkflowRun) -> str:
    marks = [mark for mark, is_one in (("dry run", run.is_dry_run), ("replay", run.is_replay)) if is_one]
    return f"{run.status} ({marks[0]})" if marks else run.status


def _took(run: WorkflowRun) -> str:
    ended = run.completed_at or run.failed_at or run.canceled_at
    return "" if ended is None else _span(ended - run.created_at)


def _why(run: WorkflowRun) -> str | None:
    if run.status == "waiting" and run.due_at is not None:
        return f"until {time_of(run.due_at)}"
    return run.error_message or run.cancel_reason


def _step_line(step: WorkflowStepRun) -> tuple[Any, ...]:
    took = _span(step.completed_at - step.started_at) if step.completed_at and step.started_at else ""
    started = "" if step.started_at is None else time_of(step.started_at)
    name = f"{'  ' * (step.path.count('.') // 2)}{step.step_name}"
    return (name, step.step_type, step.status, step.attempt or "", started, took, _of_step(step))


def _of_step(step: WorkflowStepRun) -> str | None:
    if step.skip_reason is not None:
        return SKIPPED.get(step.skip_reason, step.skip_reason)
    if step.status == "scheduled":
        return _until(step)
    return step.error_message or (short_json(dict(step.result)) if step.result else None)


SKIPPED = {
    "condition": "a condition was false",
    "replay": "it is not replay-safe",
    "dry_run": "this is a dry run",
    "canceled": "the run was canceled",
    "failed": "another step failed",
    "timeout": "nothing came in time",
}


def _until(step: WorkflowStepRun) -> str:
    return "for as long as it takes" if step.scheduled_for is None else f"until {time_of(step.scheduled_for)}"


def _waits(step: WorkflowStepRun) -> str:
    what = {"wait": "It waits for a signal", "emit": "It waits for the runs that it started"}.get(step.step_type)
    if what is None:
        what = "It waits to try again" if step.attempt else "It waits"
    return f"{what} at {step.step_name!r}, {_until(step)}."


def _timeline_line(entry: RunTimelineEntry) -> str:
    if entry.type == "log":
        data = entry.detail.get("data")
        more = "" if data is None else f" {short_json(data)}"
        told = f"  {entry.detail['level']}: {entry.detail['message']}{more}"
    else:
        told = _detail(entry.detail)
    return f"{time_of(entry.timestamp)}  {entry.type:16}{entry.step_name or ''}{told}".rstrip()


def _detail(detail: Mapping[str, Any]) -> str:
    told = {name: value for name, value in detail.items() if value is not None and name != "definitionId"}
    return "".join(f"  {name}={value if isinstance(value, str) else short_json(value)}" for name, value in told.items())


def _span(span: timedelta) -> str:
    ms = round(span.total_seconds() * 1000)
    if ms < 1000:
        return f"{ms}ms"
    seconds = ms / 1000
    return f"{seconds:.1f}s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
