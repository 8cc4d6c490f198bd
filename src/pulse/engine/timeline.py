"""The life of a run, in order: made from its records, so that it is there for every run and costs nothing to keep."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pulse.engine.records import ExecutionLog, RunTimelineEntry, TimelineType, WorkflowRun, WorkflowStepRun


def timeline(
    run: WorkflowRun, steps: Sequence[WorkflowStepRun], logs: Iterable[ExecutionLog]
) -> list[RunTimelineEntry]:
    """Everything that happened, by time; what happened in one millisecond, in the order of cause and effect."""
    by_id = {step.id: step for step in steps}
    beginning = [RunTimelineEntry(run.created_at, "run_created", detail=_beginning(run))]
    middle = list(_of_steps(steps))
    said = [_of_log(log, by_id.get(log.step_run_id or "")) for log in logs]
    entries = [*beginning, *_woven(middle, said), *_ending(run)]
    return sorted(entries, key=lambda entry: entry.timestamp)


def _woven(steps: list[RunTimelineEntry], logs: list[RunTimelineEntry]) -> list[RunTimelineEntry]:
    """Logs behind the start of their step, where the times are the same."""
    waiting: dict[str | None, list[RunTimelineEntry]] = {}
    for log in logs:
        waiting.setdefault(log.step_name, []).append(log)
    placed: list[RunTimelineEntry] = []
    for entry in steps:
        if entry.type in ("step_completed", "step_failed", "step_skipped"):
            placed += waiting.pop(entry.step_name, [])
        placed.append(entry)
    return placed + [log for log in logs if log.step_name in waiting]


def _beginning(run: WorkflowRun) -> dict[str, Any]:
    return {"triggerId": run.trigger_id, "definitionId": run.definition_id, "isReplay": run.is_replay}


def _ending(run: WorkflowRun) -> Iterator[RunTimelineEntry]:
    if run.completed_at is not None:
        yield RunTimelineEntry(run.completed_at, "run_completed")
    if run.failed_at is not None:
        yield RunTimelineEntry(run.failed_at, "run_failed", detail={"error": run.error_message})
    if run.canceled_at is not None:
        yield RunTimelineEntry(run.canceled_at, "run_canceled", detail={"reason": run.cancel_reason})


def _of_steps(steps: Sequence[WorkflowStepRun]) -> Iterator[RunTimelineEntry]:
    """The entries of each step; a parallel step ends after those inside it."""
    around: list[WorkflowStepRun] = []
    for step in steps:
        while around and not step.path.startswith(f"{around[-1].path}."):
            yield from _end_of(around.pop())
        yield from _beginning_of(step)
        if step.step_type == "parallel":
            around.append(step)
        else:
            yield from _end_of(step)
    while around:
        yield from _end_of(around.pop())


def _beginning_of(step: WorkflowStepRun) -> Iterator[RunTimelineEntry]:
    until = {} if step.scheduled_for is None else {"scheduledFor": step.scheduled_for.isoformat()}
    yield _entry(step, step.created_at, "step_scheduled", until)
    if step.started_at is not None:
        yield _entry(step, step.started_at, "step_started", {"attempt": step.attempt} if step.attempt else {})


def _end_of(step: WorkflowStepRun) -> Iterator[RunTimelineEntry]:
    if step.completed_at is None:
        return
    match step.status:
        case "completed":
            yield _entry(step, step.completed_at, "step_completed", {"result": step.result} if step.result else {})
        case "failed":
            yield _entry(step, step.completed_at, "step_failed", {"error": step.error_message, "attempt": step.attempt})
        case "skipped":
            yield _entry(step, step.completed_at, "step_skipped", {"reason": step.skip_reason})
        case _:
            pass


def _entry(step: WorkflowStepRun, at: datetime, kind: TimelineType, detail: dict[str, Any]) -> RunTimelineEntry:
    return RunTimelineEntry(at, kind, step.step_index, step.step_name, step.step_type, detail)


def _of_log(log: ExecutionLog, step: WorkflowStepRun | None) -> RunTimelineEntry:
    detail = {"level": log.level, "message": log.message, "data": log.data}
    if step is None:
        return RunTimelineEntry(log.created_at, "log", detail=detail)
    return RunTimelineEntry(log.created_at, "log", step.step_index, step.step_name, step.step_type, detail)
