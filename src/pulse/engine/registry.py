"""What the application registered: the types of its signals, and the handlers of its workflows."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from pulse.core.errors import Conflict, Fault, InvalidFields
from pulse.engine.context import WorkflowContext
from pulse.engine.definition.checks import all_steps
from pulse.engine.definition.steps import Action, Condition, handler_of
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import ActionResult, Signal

if TYPE_CHECKING:
    from pydantic import TypeAdapter

ActionHandler: TypeAlias = Callable[
    [WorkflowContext], "Awaitable[Mapping[str, Any] | ActionResult | None] | Mapping[str, Any] | ActionResult | None"
]
ConditionHandler: TypeAlias = Callable[[WorkflowContext], "Awaitable[bool] | bool"]


@dataclass(frozen=True)
class Handler:
    """A registered action or condition."""

    call: Callable[[WorkflowContext], Any]
    replay_safe: bool = False

    @cached_property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.call) or inspect.iscoroutinefunction(
            getattr(self.call, "__call__", None)  # noqa: B004 - an object with an async __call__
        )


@dataclass(frozen=True)
class TriggerRegistration:
    """What the application says about a type of signal. `payload_schema`: a pydantic model, or a type it knows."""

    type: str
    source: str
    resource_type: str | None = None
    payload_schema: Any = None

    @cached_property
    def adapter(self) -> "TypeAdapter[Any] | None":
        from pydantic import TypeAdapter

        return None if self.payload_schema is None else TypeAdapter(self.payload_schema)


class Registry:
    """One engine's registrations. A name is registered once."""

    def __init__(self) -> None:
        self.triggers: dict[str, TriggerRegistration] = {}
        self.actions: dict[str, Handler] = {}
        self.conditions: dict[str, Handler] = {}

    def add_trigger(self, registration: TriggerRegistration) -> None:
        self._once("trigger", registration.type, self.triggers)
        self.triggers[registration.type] = registration

    def add_action(self, name: str, handler: Handler) -> None:
        self._once("action", name, self.actions)
        self.actions[name] = handler

    def add_condition(self, name: str, handler: Handler) -> None:
        self._once("condition", name, self.conditions)
        self.conditions[name] = handler

    def handler_for(self, step: Action | Condition) -> Handler | None:
        known = self.actions if isinstance(step, Action) else self.conditions
        return known.get(handler_of(step))

    def is_replay_safe(self, name: str) -> bool:
        """Whether the action of that name may be called again in a replay; False for one that is not registered."""
        handler = self.actions.get(name)
        return handler is not None and handler.replay_safe

    def unknown_handlers(self, workflow: Workflow) -> list[str]:
        """The handlers that the workflow names and nobody registered here."""
        steps = [step for _, step in all_steps(workflow.steps) if isinstance(step, Action | Condition)]
        return sorted({f"{step.type} {handler_of(step)!r}" for step in steps if self.handler_for(step) is None})

    def check(self, signal: Signal) -> None:
        """Raises InvalidFields where the signal is not as its type was registered; an unregistered type may be any."""
        registration = self.triggers.get(signal.type)
        if registration is None or registration.adapter is None:
            return
        from pydantic import ValidationError

        try:
            registration.adapter.validate_python(dict(signal.payload))
        except ValidationError as error:
            raise InvalidFields(
                [
                    Fault(".".join(["payload", *map(str, fault["loc"])]), fault["type"], f"{fault['msg']}.")
                    for fault in error.errors()
                ]
            ) from None

    @staticmethod
    def _once(kind: str, name: str, known: Mapping[str, object]) -> None:
        if name in known:
            raise Conflict(f"The {kind} {name!r} is registered already: a name is registered once.", name=name)
