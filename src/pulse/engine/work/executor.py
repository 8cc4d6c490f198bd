"""Calls one handler: with its context, within its time, in a thread where it is a plain function."""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Executor as Threads
from typing import Any

from pulse.core.clock import Clock
from pulse.core.ids import Ids
from pulse.engine.context import Emit, Log, Send, WorkflowContext, no_platform
from pulse.engine.definition.steps import Action, Condition
from pulse.engine.errors import ActionFailed, Fatal
from pulse.engine.records import ActionResult, ExecutionLog, Level, WorkflowStepRun, evolve
from pulse.engine.registry import Handler, Registry
from pulse.engine.rules.outcomes import Outcome, storable_text
from pulse.engine.store.forms.values import NotStorable, moment_at, plain_json
from pulse.engine.store.held import Held
from pulse.engine.work.telemetry import Telemetry

MAX_LOGS = 10_000


class HandlerTimeout(ActionFailed):
    """The handler did not end in time."""

    code = "handler_timeout"


class Executor:
    """Calls handlers of one engine."""

    def __init__(self, registry: Registry, ids: Ids, clock: Clock, threads: Threads, telemetry: Telemetry) -> None:
        self._registry = registry
        self._ids = ids
        self._clock = clock
        self._threads = threads
        self._telemetry = telemetry
        self.send: Send = no_platform

    async def execute(self, held: Held, row: WorkflowStepRun, step: Action | Condition, emit: Emit) -> Outcome:
        """What came of it. Raises CancelledError only where this task itself is cancelled."""
        handler = self._registry.handler_for(step)
        if handler is None:
            return Outcome(error=Fatal(f"No {step.type} {step.handler or step.name!r} is registered."))
        context = self._context(held, row, step, emit)
        if not self._telemetry.is_tracing:
            return await self._outcome(handler, context, step)
        with self._telemetry.step(held, row) as span:
            outcome = await self._outcome(handler, context, step)
            span.ended(outcome)
        return outcome

    async def _outcome(self, handler: Handler, context: WorkflowContext, step: Action | Condition) -> Outcome:
        limit = None if step.timeout_ms is None else asyncio.timeout(step.timeout_ms / 1000)
        try:
            if limit is None:
                return _result(step, await self._call(handler, context))
            async with limit:
                answer = await self._call(handler, context)
            return _result(step, answer)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            return Outcome(error=ActionFailed(f"The handler was cancelled: {error}"))
        except TimeoutError as error:
            if limit is None or not limit.expired():
                return Outcome(error=error)
            return Outcome(error=HandlerTimeout(f"The handler did not end within {step.timeout_ms:,} ms."))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises fails its attempt, and nothing else
            return Outcome(error=error)

    async def _call(self, handler: Handler, context: WorkflowContext) -> Any:
        if handler.is_async:
            return await handler.call(context)
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, _in_thread, handler, context)
        return await answer if asyncio.iscoroutine(answer) else answer

    def _context(self, held: Held, row: WorkflowStepRun, step: Action | Condition, emit: Emit) -> WorkflowContext:
        return WorkflowContext(
            tenant_id=held.run.tenant_id,
            trigger=held.trigger,
            run=held.run,
            step=evolve(row, config=step.config),
            config=held.workflow.config,
            is_replay=held.run.is_replay,
            emitter=emit,
            logger=self._logger(held, row),
            sender=self.send,
        )

    def _logger(self, held: Held, row: WorkflowStepRun) -> Log:
        def write(message: str, data: Mapping[str, Any] | None, level: Level) -> None:
            if len(held.logs) >= MAX_LOGS:
                return
            kept = None if data is None else json.loads(plain_json(data, "the data of a log entry"))
            held.logs.append(self.log_entry(held, message, kept, level, row.id))

        return write

    def log_entry(
        self, held: Held, message: str, data: Any, level: Level, step_run_id: str | None = None
    ) -> ExecutionLog:
        now = moment_at(self._clock.now_ms())
        text = storable_text(str(message))
        return ExecutionLog(self._ids.new("log"), held.id, step_run_id, held.run.tenant_id, level, text, data, now)


def _in_thread(handler: Handler, context: WorkflowContext) -> Any:
    try:
        return handler.call(context)
    except (StopIteration, GeneratorExit) as error:
        # No future carries these: whoever waits for it would wait for ever, or be closed itself.
        raise RuntimeError(f"The handler raised {type(error).__name__}.") from error


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _result(step: Action | Condition, answer: Any) -> Outcome:
    if isinstance(step, Condition):
        if not isinstance(answer, bool):
            kind = type(answer).__name__
            return Outcome(error=Fatal(f"A condition answers True or False; this one answered a {kind}."))
        return Outcome({"result": answer}, f'{{"result":{str(answer).lower()}}}')
    if isinstance(answer, ActionResult):
        if not answer.success:
            return Outcome(error=ActionFailed(answer.error or "The action answered success=False without an error."))
        answer = answer.data
    if answer is None:
        return Outcome()
    if not isinstance(answer, dict | Mapping):
        return Outcome(
            error=Fatal(f"An action answers a dict, an ActionResult or None, not a {type(answer).__name__}.")
        )
    try:
        text = plain_json(answer, f"the result of {step.name!r}")
    except NotStorable as error:
        return Outcome(error=Fatal(error.message))
    # What later steps see is what they would see after a restart.
    return Outcome(json.loads(text), text)
