"""What an application registers with its engine."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from pulse.core.errors import InvalidFields
from pulse.engine.definition.checks import faults_of
from pulse.engine.definition.workflow import Workflow
from pulse.engine.registry import ActionHandler, ConditionHandler, Handler, Registry, TriggerRegistration

A = TypeVar("A", bound=ActionHandler)
C = TypeVar("C", bound=ConditionHandler)


class Registrations:
    """The part of an engine that takes registrations, before it is started or after."""

    def __init__(self) -> None:
        self._registry = Registry()
        self._workflows: list[Workflow] = []

    def register_trigger(
        self,
        type: str,  # noqa: A002 - the seed's name
        *,
        source: str,
        resource_type: str | None = None,
        payload_schema: Any = None,
    ) -> None:
        """Declares a type of signal. `payload_schema`: a pydantic model (or type) that every payload must fit.

        Raises Conflict where the type is registered already.
        """
        self._registry.add_trigger(TriggerRegistration(type, source, resource_type, payload_schema))

    def register_action(self, name: str, handler: ActionHandler, *, replay_safe: bool = False) -> None:
        """Registers the handler of action steps of that name: async, or a plain function that is run in a thread.

        It answers a dict (kept in `context[name]`), an ActionResult or None; what it raises fails the attempt.
        `replay_safe`: it may be called in a replay, too. Raises Conflict where the name is registered already.
        """
        self._registry.add_action(name, Handler(handler, replay_safe))

    def register_condition(self, name: str, handler: ConditionHandler) -> None:
        """Registers the handler of condition steps of that name; it answers True or False. Raises Conflict."""
        self._registry.add_condition(name, Handler(handler))

    def register_workflow(self, workflow: Workflow) -> None:
        """Says that there is this workflow: `start` stores it, as a new version where it is not what is stored.

        One that was disabled stays so. Raises InvalidFields with every fault and its path.
        """
        faults = faults_of(workflow)
        if faults:
            raise InvalidFields(faults)
        self._workflows.append(workflow)

    def action(self, name: str, *, replay_safe: bool = False) -> Callable[[A], A]:
        """`register_action` as a decorator."""

        def register(handler: A) -> A:
            self.register_action(name, handler, replay_safe=replay_safe)
            return handler

        return register

    def condition(self, name: str) -> Callable[[C], C]:
        """`register_condition` as a decorator."""

        def register(handler: C) -> C:
            self.register_condition(name, handler)
            return handler

        return register

    @property
    def action_names(self) -> Collection[str]:
        """The actions that are registered."""
        return self._registry.actions.keys()

    @property
    def trigger_types(self) -> Collection[str]:
        """The types of signal that are registered."""
        return self._registry.triggers.keys()
