"""The application's actions as scripts call them: each call is a run of the engine, of one step, waited for.

The run's signal has the call's key for its idempotency key: a call that is repeated finds the run that it started.
"""

from typing import Any

from pulse.core.errors import InvalidInput
from pulse.effects.world.actions import ActionFailed
from pulse.engine.definition.steps import Action
from pulse.engine.definition.workflow import Workflow
from pulse.engine.engine import Engine
from pulse.engine.records import Signal, WorkflowRun

PREFIX = "pulse.action."
SOURCE = "script"
MAX_NAME = 200


class EngineActions:
    """Runs actions of one engine; implements `Actions`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[tuple[str, str]] = set()

    async def run(self, organization_id: str, name: str, given: Any, key: str) -> Any:
        if name not in self._engine.action_names:
            raise ActionFailed("unknown_action", f"The application has no action {name[:MAX_NAME]!r}.")
        kind = PREFIX + name
        try:
            await self._make_workflow(organization_id, name, kind)
            signal = Signal(tenant_id=organization_id, source=SOURCE, type=kind, payload=given, idempotency_key=key)
            trigger = await self._engine.emit(signal)
        except InvalidInput as error:
            raise ActionFailed("action_failed", error.message) from None
        return _answer(name, await self._ended(trigger.id))

    async def _make_workflow(self, organization_id: str, name: str, kind: str) -> None:
        """The workflow of that one step, made when the organization first needs it."""
        if (organization_id, name) not in self._known:
            await self._engine.ensure_workflow(Workflow(organization_id, kind, kind, (Action(name),)))
            self._known.add((organization_id, name))

    async def _ended(self, trigger_id: str) -> WorkflowRun:
        (run,) = await self._engine.get_runs_by_trigger(trigger_id)
        return await self._engine.wait_for_run(run.id)


def _answer(name: str, run: WorkflowRun) -> Any:
    if run.status == "completed":
        return run.context.get(name)
    raise ActionFailed("action_failed", run.error_message or f"The run of {name!r} was {run.status}.")
