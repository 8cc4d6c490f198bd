"""What the engine keeps and hands out: frozen records, with the seed's fields in Python's spelling.

Times are aware datetimes in UTC; JSON values are plain Python values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from pulse.engine.checked import checked

R = TypeVar("R")
RunStatus = Literal["pending", "running", "waiting", "completed", "failed", "canceled"]
StepStatus = Literal["pending", "scheduled", "running", "completed", "failed", "skipped"]
StepType = Literal["action", "condition", "delay", "parallel", "wait", "emit"]
SkipReason = Literal["condition", "replay", "dry_run", "canceled", "failed", "timeout"]
Level = Literal["debug", "info", "warn", "error"]
JsonObject = Mapping[str, Any]
FINISHED_RUN: frozenset[RunStatus] = frozenset({"completed", "failed", "canceled"})
FINISHED_STEP: frozenset[StepStatus] = frozenset({"completed", "failed", "skipped"})


def evolve(record: R, **changes: object) -> R:
    """A copy of a frozen record with other values in some fields, like `dataclasses.replace`.

    Much quicker than that, which makes the record anew field by field: nothing is checked.
    """
    copy = object.__new__(type(record))
    copy.__dict__.update(record.__dict__)
    copy.__dict__.update(changes)
    return copy


@checked
class Signal:
    """An event of the application: what `emit` takes.

    `payload` is a JSON object, at most 2 MB. `idempotency_key` is unique per tenant: a repeat returns the envelope of
    the first and starts nothing. Source: the seed's TriggerInput.
    """

    tenant_id: str
    source: str
    type: str
    resource_type: str | None = None
    resource_id: str | None = None
    environment: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None


@dataclass(frozen=True)
class TriggerEnvelope:
    """A signal that was accepted: it is stored under `id`. `traceparent` is the W3C trace it was emitted in."""

    id: str
    tenant_id: str
    source: str
    type: str
    resource_type: str | None
    resource_id: str | None
    environment: str | None
    payload: JsonObject
    created_at: datetime
    idempotency_key: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class WorkflowRun:
    """One execution of a workflow for one signal.

    `context` holds what each action returned, by step name. `definition_snapshot` is the workflow as it was when the
    run began. `error_message` says why it failed; `attempt` counts from 1 and grows with each `retry_run`.
    """

    id: str
    definition_id: str
    tenant_id: str
    trigger_id: str
    status: RunStatus
    context: JsonObject
    current_step_index: int
    is_replay: bool
    definition_snapshot: JsonObject
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    failed_at: datetime | None = None
    canceled_at: datetime | None = None
    cancel_reason: str | None = None
    error_message: str | None = None
    definition_version: int = 1
    is_dry_run: bool = False
    attempt: int = 1
    parent_run_id: str | None = None
    parent_step_run_id: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True)
class WorkflowStepRun:
    """One step of one run. `path` is its place: "2", or "2.0.1" for the second step of the first branch of step 2.

    `attempt` counts from 1; `config` is the step's own, from the definition; `skip_reason` says why it was skipped.
    """

    id: str
    run_id: str
    tenant_id: str
    step_index: int
    step_type: StepType
    step_name: str
    status: StepStatus
    created_at: datetime
    path: str
    scheduled_for: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    result: JsonObject | None = None
    error_message: str | None = None
    branch_index: int | None = None
    parent_step_run_id: str | None = None
    attempt: int = 0
    skip_reason: SkipReason | None = None
    config: JsonObject = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The same as `step_name`."""
        return self.step_name


@dataclass(frozen=True)
class WorkflowDefinition:
    """A workflow as it is stored: `version` grows with each `create_workflow` under its name.

    `definition` is the whole workflow in its JSON form; the fields beside it are those of the seed's record.
    """

    id: str
    tenant_id: str
    name: str
    description: str | None
    trigger_type: str
    environment_filter: str | None
    resource_type_filter: str | None
    steps: list[JsonObject]
    config: JsonObject
    is_enabled: bool
    cron_expression: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    definition: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutionLog:
    """A line that a handler (or the engine, about a run) wrote."""

    id: str
    run_id: str
    step_run_id: str | None
    tenant_id: str
    level: Level
    message: str
    data: JsonObject | None
    created_at: datetime


TimelineType = Literal[
    "run_created",
    "step_scheduled",
    "step_started",
    "step_completed",
    "step_failed",
    "step_skipped",
    "log",
    "run_completed",
    "run_failed",
    "run_canceled",
]


@dataclass(frozen=True)
class RunTimelineEntry:
    """One moment in the life of a run."""

    timestamp: datetime
    type: TimelineType
    step_index: int | None = None
    step_name: str | None = None
    step_type: StepType | None = None
    detail: JsonObject = field(default_factory=dict)


@checked
class ActionResult:
    """What an action may return instead of a plain dict: `success=False` fails the attempt with `error`."""

    success: bool = True
    data: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True)
class StepCompleteEvent:
    """What `on_step_complete` gets, after the step was recorded."""

    run: WorkflowRun
    step: WorkflowStepRun


@dataclass(frozen=True)
class RunCompleteEvent:
    """What `on_run_complete` gets, after the run ended and was recorded."""

    run: WorkflowRun
    status: RunStatus
