"""What a run does next: a pure function of its definition, its recorded steps and the time.

A run is driven by one holder at a time, which asks `advance` again after everything that happened: a handler ended, a
time came, a signal arrived. The answer says which step rows change, which handlers are to be called, and whether the
run waits, ended, or goes on. It is computed from records alone, so that a worker that takes over after a crash comes to
the same answer; that is also why branches converge exactly once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from pulse.core.ids import derive_id, first_id_at
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, Step, Wait, handler_of
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import FINISHED_STEP, SkipReason, WorkflowRun, WorkflowStepRun, evolve
from pulse.engine.rules.transitions import check_step

Standing = Literal["open", "done", "failed"]


@dataclass(frozen=True)
class News:
    """What arrived for a step that waits: the payload of a signal, or how its children ended."""

    result: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class Situation:
    """All that `advance` looks at. `executing`: paths of the steps whose handlers are being called by this holder."""

    run: WorkflowRun
    workflow: Workflow
    steps: Mapping[str, WorkflowStepRun]
    now: datetime
    executing: frozenset[str] = frozenset()
    news: Mapping[str, News] = field(default_factory=dict)
    replay_safe: Callable[[str], bool] = lambda _handler: False


@dataclass
class Advance:
    """What is to be done. `changed` are step rows to record, before anything of `execute` is begun."""

    changed: dict[str, WorkflowStepRun] = field(default_factory=dict)
    execute: list[tuple[WorkflowStepRun, Action | Condition]] = field(default_factory=list)
    waits: list[tuple[WorkflowStepRun, Wait]] = field(default_factory=list)
    emits: list[tuple[WorkflowStepRun, Emit]] = field(default_factory=list)
    due: datetime | None = None
    ended: Literal["completed", "failed"] | None = None
    error: str | None = None
    current_step_index: int = 0


def advance(situation: Situation) -> Advance:
    """What the run does now."""
    return _Walk(situation).whole()


def first_step(run_id: str, tenant_id: str, workflow: Workflow, now: datetime) -> WorkflowStepRun:
    """The row with which a run begins."""
    return _new_row(run_id, tenant_id, workflow.steps[0], "0", now=now, parent=None, branch=None)


def step_run_id(run_id: str, path: str) -> str:
    """The id of a step of a run: the same on every attempt, whoever makes the row."""
    return derive_id("stp", run_id, path)


def derived_trigger_id(at: datetime, *parts: str | int) -> str:
    """The id of a trigger that the engine itself makes: of that time, and the same for the same parts."""
    return derive_id("trg", first_id_at("trg", round(at.timestamp() * 1000)), *parts)


class _Walk:
    def __init__(self, situation: Situation) -> None:
        self._at = situation
        self._rows = dict(situation.steps)
        self._next = Advance(current_step_index=situation.run.current_step_index)

    def whole(self) -> Advance:
        standing = self._sequence(self._at.workflow.steps, "", None, None)
        if standing == "done":
            self._next.ended = "completed"
        elif standing == "failed":
            failed = next(row for row in self._rows.values() if row.status == "failed" and row.step_type != "parallel")
            self._next.ended = "failed"
            self._next.error = f"Step {failed.step_name!r} failed: {failed.error_message}"
        return self._next

    def _sequence(self, steps: Sequence[Step], prefix: str, parent: str | None, branch: int | None) -> Standing:
        skipping = 0
        for index, step in enumerate(steps):
            path = f"{prefix}{index}"
            if not prefix:
                self._next.current_step_index = index
            row = self._rows.get(path) or self._fresh(step, path, parent, branch)
            if skipping:
                skipping -= 1
                if row.status not in FINISHED_STEP:
                    self._skip(row, "condition")
                continue
            standing = self._step(step, row)
            if standing != "done":
                return standing
            outcome = self._rows[path]
            if _ends_early(step, outcome):
                return "done"
            skipping = _skipped_after(step, outcome)
        return "done"

    def _step(self, step: Step, row: WorkflowStepRun) -> Standing:
        if row.status in FINISHED_STEP:
            return "failed" if row.status == "failed" else "done"
        match step:
            case Action() | Condition():
                return self._call(step, row)
            case Delay():
                return self._delay(step, row)
            case Wait():
                return self._wait(step, row)
            case Emit():
                return self._emit(step, row)
            case Parallel():
                return self._parallel(step, row)

    def _call(self, step: Action | Condition, row: WorkflowStepRun) -> Standing:
        if row.status == "pending" and isinstance(step, Action):
            why = self._unwanted(step)
            if why is not None:
                return self._skip(row, why)
        if row.status == "running":
            if row.path not in self._at.executing:
                self._next.execute.append((row, step))
            return "open"
        if row.scheduled_for is not None and row.scheduled_for > self._at.now:
            return self._until(row.scheduled_for)
        started = self._put(
            evolve(row, status="running", attempt=row.attempt + 1, started_at=self._at.now, scheduled_for=None)
        )
        self._next.execute.append((started, step))
        return "open"

    def _unwanted(self, step: Action) -> SkipReason | None:
        if self._at.run.is_dry_run:
            return "dry_run"
        if self._at.run.is_replay and not self._at.replay_safe(handler_of(step)):
            return "replay"
        return None

    def _delay(self, step: Delay, row: WorkflowStepRun) -> Standing:
        if row.status == "pending":
            due = self._at.now + timedelta(milliseconds=step.delay_ms)
            row = self._put(evolve(row, status="scheduled", scheduled_for=due))
        due = row.scheduled_for or self._at.now
        return self._until(due) if due > self._at.now else self._complete(row, None)

    def _wait(self, step: Wait, row: WorkflowStepRun) -> Standing:
        if row.status == "pending":
            due = None if step.timeout_ms is None else self._at.now + timedelta(milliseconds=step.timeout_ms)
            row = self._put(evolve(row, status="scheduled", scheduled_for=due, started_at=self._at.now))
            self._next.waits.append((row, step))
        news = self._at.news.get(row.path)
        if news is not None:
            return self._complete(row, news.result)
        if row.scheduled_for is None or row.scheduled_for > self._at.now:
            return self._until(row.scheduled_for)
        if step.on_timeout == "fail":
            return self._fail(row, f"No signal {step.signal_type!r} came within {step.timeout_ms:,} ms.")
        return self._skip(row, "timeout")

    def _emit(self, step: Emit, row: WorkflowStepRun) -> Standing:
        if row.status == "pending":
            if self._at.run.is_dry_run:
                return self._skip(row, "dry_run")
            row = self._put(evolve(row, status="scheduled", started_at=self._at.now, attempt=row.attempt + 1))
            self._next.emits.append((row, step))
            if not step.wait:
                return self._complete(row, {"triggerId": derived_trigger_id(self._at.now, row.id)})
        news = self._at.news.get(row.path)
        if news is None:
            return self._until(None)
        return self._complete(row, news.result) if news.error is None else self._fail(row, news.error)

    def _parallel(self, step: Parallel, row: WorkflowStepRun) -> Standing:
        if row.status == "pending":
            row = self._put(evolve(row, status="running", started_at=self._at.now))
        inside = f"{row.path}."
        if any(each.status == "failed" for path, each in self._rows.items() if path.startswith(inside)):
            return self._wind_up(row, inside)
        standings = [
            self._sequence(branch, f"{inside}{number}.", row.id, number) for number, branch in enumerate(step.branches)
        ]
        if "failed" in standings:
            return self._wind_up(row, inside)
        return "open" if "open" in standings else self._complete(row, None)

    def _wind_up(self, row: WorkflowStepRun, inside: str) -> Standing:
        """A branch failed: what is being executed in the others is finished, nothing else begins."""
        within = [each for path, each in self._rows.items() if path.startswith(inside)]
        busy = [each for each in within if each.status == "running" and each.step_type != "parallel"]
        if busy:
            for each in busy:
                if each.path not in self._at.executing and all(each is not begun for begun, _ in self._next.execute):
                    self._next.execute.append((each, cast(Action | Condition, step_at(self._at.workflow, each.path))))
            return "open"
        failed = next(each for each in within if each.status == "failed" and each.step_type != "parallel")
        for each in within:
            if each.step_type == "parallel" and each.status == "running":
                self._fail(each, f"Step {failed.step_name!r} failed.")
            elif each.status not in FINISHED_STEP:
                self._skip(each, "failed")
        return self._fail(row, f"Step {failed.step_name!r} failed: {failed.error_message}")

    # ---- rows ------------------------------------------------------------------------------------------------

    def _fresh(self, step: Step, path: str, parent: str | None, branch: int | None) -> WorkflowStepRun:
        run, now = self._at.run, self._at.now
        return _new_row(run.id, run.tenant_id, step, path, now=now, parent=parent, branch=branch)

    def _put(self, row: WorkflowStepRun) -> WorkflowStepRun:
        before = self._rows.get(row.path)
        check_step("pending" if before is None else before.status, row.status)
        self._rows[row.path] = self._next.changed[row.path] = row
        return row

    def _complete(self, row: WorkflowStepRun, result: Mapping[str, Any] | None) -> Standing:
        self._put(evolve(row, status="completed", completed_at=self._at.now, result=result, error_message=None))
        return "done"

    def _skip(self, row: WorkflowStepRun, why: SkipReason) -> Standing:
        self._put(evolve(row, status="skipped", completed_at=self._at.now, skip_reason=why, scheduled_for=None))
        return "done"

    def _fail(self, row: WorkflowStepRun, error: str) -> Standing:
        self._put(evolve(row, status="failed", completed_at=self._at.now, error_message=error))
        return "failed"

    def _until(self, due: datetime | None) -> Standing:
        if due is not None and (self._next.due is None or due < self._next.due):
            self._next.due = due
        return "open"


def _new_row(
    run_id: str, tenant_id: str, step: Step, path: str, *, now: datetime, parent: str | None, branch: int | None
) -> WorkflowStepRun:
    return WorkflowStepRun(
        id=step_run_id(run_id, path),
        run_id=run_id,
        tenant_id=tenant_id,
        step_index=int(path.rpartition(".")[2]),
        step_type=step.type,
        step_name=step.name,
        status="pending",
        created_at=now,
        path=path,
        branch_index=branch,
        parent_step_run_id=parent,
        config=step.config,
    )


def _ends_early(step: Step, row: WorkflowStepRun) -> bool:
    if isinstance(step, Condition):
        return row.status == "completed" and not _holds(row) and step.on_false == "complete"
    return isinstance(step, Wait) and row.skip_reason == "timeout" and step.on_timeout == "complete"


def _skipped_after(step: Step, row: WorkflowStepRun) -> int:
    if not isinstance(step, Condition) or row.status != "completed" or _holds(row):
        return 0
    return 1 if step.on_false == "skip" else cast(int, step.on_false)


def _holds(row: WorkflowStepRun) -> bool:
    return bool(row.result and row.result.get("result"))


def step_at(workflow: Workflow, path: str) -> Step:
    """The step with that path: "2", or "2.0.1" for the second step of the first branch of step 2."""
    first, *rest = map(int, path.split("."))
    step = workflow.steps[first]
    for branch, index in zip(rest[::2], rest[1::2], strict=True):
        step = cast(Parallel, step).branches[branch][index]
    return step
