"""Pulse: event-driven workflows. The names exported here are the engine's; the platform is run with `pulse up`.

Each name is imported when it is first used, so that a program that names Pulse and does nothing with it loses no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_NAMES = {
    "pulse.engine.context": ("WorkflowContext",),
    "pulse.engine.definition.steps": (
        "Action",
        "Condition",
        "Delay",
        "Emit",
        "Parallel",
        "RetryPolicy",
        "Wait",
    ),
    "pulse.engine.definition.workflow": (
        "RateLimit",
        "Workflow",
    ),
    "pulse.engine.engine": ("Engine",),
    "pulse.engine.errors": (
        "Fatal",
        "RetryAfter",
    ),
    "pulse.engine.records": (
        "ActionResult",
        "ExecutionLog",
        "RunCompleteEvent",
        "RunTimelineEntry",
        "Signal",
        "StepCompleteEvent",
        "TriggerEnvelope",
        "WorkflowDefinition",
        "WorkflowRun",
        "WorkflowStepRun",
    ),
    "pulse.engine.store.control": ("RunFilter",),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pulse' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
