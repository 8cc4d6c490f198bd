"""The kinds of step. A step's `name` is unique in its workflow, and, unless `handler` says another, its handler's name.

Types are checked when a step is made; limits and references by `create_workflow` (see checks.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, Literal, TypeAlias

from pulse.core.errors import Fault, InvalidFields
from pulse.engine.checked import checked
from pulse.engine.records import StepType

MS = {"ms": 1, "seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}


@checked
class RetryPolicy:
    """How often an action is tried, and how long it pauses before each further attempt.

    `max_attempts` 1-10 in all. The pause is drawn between 0 and `backoff_ms` doubled with each attempt ("full jitter"),
    at most `max_backoff_ms`; `backoff_ms` is 100-300,000. `retry_on` and `give_up_on` name exception classes, by their
    Python names (`"TimeoutError"`, `"httpx2.ConnectError"`): with `retry_on` only those are tried again; those of
    `give_up_on` never are. Source: the seed's RetryPolicy; jitter as in AWS's "Exponential Backoff And Jitter".
    """

    max_attempts: int = 1
    backoff_ms: int = 1_000
    max_backoff_ms: int = 300_000
    retry_on: Sequence[str | type[BaseException]] = ()
    give_up_on: Sequence[str | type[BaseException]] = ()
    jitter: bool = True

    def __post_init__(self) -> None:
        for name in ("retry_on", "give_up_on"):
            given: Any = getattr(self, name)
            if isinstance(given, list | tuple):
                object.__setattr__(self, name, tuple(map(_class_name, given)))


def _class_name(given: object) -> object:
    """The name under which an exception class is kept: without the module where it is a built-in one."""
    if not isinstance(given, type):
        return given
    return given.__name__ if given.__module__ == "builtins" else f"{given.__module__}.{given.__qualname__}"


@checked
class Action:
    """Calls the action handler of this name; what it returns is kept in `context[name]`.

    `timeout_ms`: how long one attempt may take (unset: as long as it likes). Without `retry_policy` there is one
    attempt. `config` is `ctx.step.config` in the handler.
    """

    type: ClassVar[StepType] = "action"
    name: str
    handler: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    timeout_ms: int | None = None


@checked
class Condition:
    """Asks the condition handler of this name. True: the next step follows.

    `on_false`: `complete` ends the run (in a branch: the branch) as completed, `skip` skips the next step, a number
    skips so many.
    """

    type: ClassVar[StepType] = "condition"
    name: str
    on_false: Literal["complete", "skip"] | int = "complete"
    handler: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    timeout_ms: int | None = None


@checked
class Delay:
    """Waits: the sum of what is given, at most 30 days. Nothing is held meanwhile."""

    type: ClassVar[StepType] = "delay"
    name: str
    ms: float = 0
    seconds: float = 0
    minutes: float = 0
    hours: float = 0
    days: float = 0
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def delay_ms(self) -> int:
        """The whole of it in milliseconds."""
        ms: float = sum(getattr(self, unit) * factor for unit, factor in MS.items())
        return round(ms)


@checked
class Wait:
    """Waits for a signal of `signal_type` of the run's tenant, emitted since the run began; its payload is the result.

    `match`: paths in the signal (`resource_id`, `payload.order.id`) and the values they must have; a value that begins
    with `$.` is a path in the run's own signal (`"$.resource_id"`) or in its context (`"$.context.quote.id"`). A signal
    counts for one wait of a run. `timeout_ms` (unset: for ever), `on_timeout`: `fail` the run, `complete` it, or `skip`
    this step and go on.
    """

    type: ClassVar[StepType] = "wait"
    name: str
    signal_type: str
    match: Mapping[str, Any] = field(default_factory=dict)
    timeout_ms: int | None = None
    on_timeout: Literal["fail", "complete", "skip"] = "fail"
    config: Mapping[str, Any] = field(default_factory=dict)


@checked
class Emit:
    """Emits a signal of the type `name` (or `signal_type`), once however often the run is resumed.

    Strings in `payload` that begin with `$.` are paths, as in `Wait.match`; unset, the payload is that of the run's own
    signal. `wait=True`: the step ends when every run that the signal started has ended, and fails where one failed.
    """

    type: ClassVar[StepType] = "emit"
    name: str
    signal_type: str | None = None
    payload: Mapping[str, Any] | None = None
    wait: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)


@checked
class Parallel:
    """Runs at least two branches at once, each a list of steps of any kind; the next step follows when all have ended.

    A failed branch fails the step: what is being executed in the others is finished and recorded, nothing else begins.
    """

    type: ClassVar[StepType] = "parallel"
    name: str
    branches: "Sequence[Sequence[Step]]"
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        branches: Any = self.branches
        if not isinstance(branches, list | tuple) or not all(isinstance(each, list | tuple) for each in branches):
            raise InvalidFields(
                [Fault("branches", "wrong_type", "Parallel.branches must be a list of lists of steps.")]
            )
        object.__setattr__(self, "branches", tuple(tuple(branch) for branch in branches))


Step: TypeAlias = Action | Condition | Delay | Wait | Emit | Parallel
KINDS: dict[str, type[Step]] = {kind.type: kind for kind in (Action, Condition, Delay, Wait, Emit, Parallel)}


def handler_of(step: Action | Condition) -> str:
    """The name of the handler that the step calls."""
    return step.handler or step.name
