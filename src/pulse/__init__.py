"""Pulse: event-driven workflows. The names exported here are the engine's; the platform is run with `pulse up`."""

from pulse.engine.context import WorkflowContext
from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Wait
from pulse.engine.definition.workflow import RateLimit, Workflow
from pulse.engine.engine import Engine
from pulse.engine.errors import Fatal, RetryAfter
from pulse.engine.records import (
    ActionResult,
    ExecutionLog,
    RunCompleteEvent,
    RunTimelineEntry,
    Signal,
    StepCompleteEvent,
    TriggerEnvelope,
    WorkflowDefinition,
    WorkflowRun,
    WorkflowStepRun,
)
from pulse.engine.store.control import RunFilter

__all__ = [
    "Action",
    "ActionResult",
    "Condition",
    "Delay",
    "Emit",
    "Engine",
    "ExecutionLog",
    "Fatal",
    "Parallel",
    "RateLimit",
    "RetryAfter",
    "RetryPolicy",
    "RunCompleteEvent",
    "RunFilter",
    "RunTimelineEntry",
    "Signal",
    "StepCompleteEvent",
    "TriggerEnvelope",
    "Wait",
    "Workflow",
    "WorkflowContext",
    "WorkflowDefinition",
    "WorkflowRun",
    "WorkflowStepRun",
]
