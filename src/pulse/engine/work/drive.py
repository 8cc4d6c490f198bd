"""Drives one run as far as it goes without waiting: ask what is next, record it, do it, take in what came of it.

Nothing is begun before it is recorded, and nothing is taken in before it is recorded either: a crash at any point
leaves a run that the next holder goes on with, and a step that is recorded as ended is never executed again.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from pulse.core.clock import Clock
from pulse.core.errors import Unavailable
from pulse.core.retry import once_available
from pulse.engine.definition.steps import Action, Condition, Emit, handler_of
from pulse.engine.errors import ActionFailed
from pulse.engine.records import FINISHED_STEP, Signal, TriggerEnvelope, WorkflowRun, WorkflowStepRun, evolve
from pulse.engine.registry import Registry
from pulse.engine.rules.matcher import resolved
from pulse.engine.rules.outcomes import Outcome, error_text, settled
from pulse.engine.rules.progress import Advance, derived_trigger_id
from pulse.engine.rules.transitions import check_run
from pulse.engine.store.forms.values import moment_at, ms_of, plain_json
from pulse.engine.store.held import Held, entry, next_of
from pulse.engine.store.journal import Record, Recorded
from pulse.engine.store.new_runs import Origin
from pulse.engine.store.signals import Emission
from pulse.engine.work.executor import Executor
from pulse.storage.claims import NEVER

log = logging.getLogger(__name__)
LONE_DEATHS = 3
LOOK_AGAIN_S = 1.0
FAILURE_TYPE = "run.failed"
HAND_BACK_MS = 2_000


class Office(Protocol):
    """What a drive needs of its engine."""

    clock: Clock
    registry: Registry
    executor: Executor
    handler_grace: timedelta

    async def record(self, record: Record) -> Recorded:
        """Returns when the record is durable. Raises Unavailable."""
        ...

    async def hand_back(self, held: Held, delay_ms: int) -> None:
        """Gives the run to whoever claims it after the delay."""
        ...

    async def emit_from(self, held: Held, row: WorkflowStepRun, signal: Signal, *, wait: bool) -> TriggerEnvelope:
        """Emits for a handler."""
        ...

    async def news_of(self, held: Held) -> None:
        """Puts into `held.news` what has arrived for its waits."""
        ...

    def recorded(self, held: Held, rows: Iterable[WorkflowStepRun]) -> None:
        """Tells the hooks."""
        ...


@dataclass(frozen=True)
class _Call:
    """A handler that is being called."""

    row: WorkflowStepRun
    step: Action | Condition


class Drive:
    """One run in the hands of its holder."""

    def __init__(self, office: Office, held: Held, draw: Callable[[], float] = random.random) -> None:
        self._office = office
        self._held = held
        self._draw = draw
        self._calls: dict[asyncio.Task[Outcome], _Call] = {}
        # The call that is all there is to do: it needs no task of its own.
        self._only: _Call | None = None
        # Rows that changed since the last record.
        self._unrecorded: dict[str, WorkflowStepRun] = {}

    async def to_rest(self) -> None:
        """Returns when the run has ended, waits, or is no longer ours."""
        try:
            self._bury_the_dead()
            while True:
                following = self._next()
                if not await self._record(following):
                    return
                if not self._begin(following):
                    return await self._office.hand_back(self._held, HAND_BACK_MS)
                await self._something_happens(following.due)
        except Exception as error:
            log.exception("the run %s cannot go on", self._held.id)
            await self._give_up(error)
        finally:
            await self._stop()

    async def _give_up(self, error: Exception) -> None:
        """The engine itself cannot go on with the run: it fails and says why, rather than be tried for ever."""
        now, said = self._now(), f"The engine could not go on: {error_text(error)}"
        # What was to be emitted with this record was not.
        unsent = [row for row in self._unrecorded.values() if row.step_type == "emit"]
        left = [row for row in self._held.steps.values() if row.status not in FINISHED_STEP or row in unsent]
        self._change([evolve(row, status="failed", completed_at=now, error_message=said) for row in left])
        await self._record(Advance(ended="failed", error=said, current_step_index=self._held.run.current_step_index))

    # ---- what is next ----------------------------------------------------------------------------------------

    def _next(self) -> Advance:
        executing = [call.row.path for call in self._calls.values()]
        return next_of(self._held, self._now(), self._office.registry.is_replay_safe, executing)

    async def _record(self, following: Advance) -> bool:
        """Whether the run is still ours to drive after this."""
        self._change(following.changed.values())
        record = self._record_of(following)
        if not self._unrecorded and record.is_plain and not self._held.logs:
            return True
        done = await self._durably(record)
        if not done.written:
            log.info("the run %s is no longer ours", self._held.id)
            return False
        rows, self._unrecorded = list(self._unrecorded.values()), {}
        del self._held.logs[: len(record.logs)]
        if done.news:
            self._held.news |= done.news
            self._held.run = evolve(record.run, status="running")
        else:
            self._held.run = record.run
        self._office.recorded(self._held, rows)
        return self._held.run.status == "running"

    async def _durably(self, record: Record) -> Recorded:
        def put_off(error: Unavailable) -> None:
            log.warning("what the run %s did is not recorded yet: %s", self._held.id, error.message)

        return await once_available(partial(self._office.record, record), put_off)

    def _record_of(self, following: Advance) -> Record:
        run = self._run_after(following)
        due = NEVER if following.due is None or run.status != "waiting" else ms_of(following.due)
        return Record(
            self._held,
            run,
            rows=list(self._unrecorded.values()),
            context="{" + ",".join(self._held.context.values()) + "}",
            logs=tuple(self._held.logs),
            emissions=[self._emission(row, step) for row, step in following.emits],
            waits=following.waits,
            due_at=due,
            on_failure=self._failure(run) if run.status == "failed" else None,
        )

    def _run_after(self, following: Advance) -> WorkflowRun:
        run, now = self._held.run, self._now()
        run = evolve(run, current_step_index=following.current_step_index, updated_at=now)
        status = following.ended or ("running" if following.execute or self._calls else "waiting")
        if status == "running":
            return run
        check_run(run.status, status)
        if status == "completed":
            return evolve(run, status=status, completed_at=now)
        if status == "failed":
            return evolve(run, status=status, failed_at=now, error_message=following.error)
        return evolve(run, status=status)

    def _emission(self, row: WorkflowStepRun, step: Emit) -> tuple[WorkflowStepRun, Emission, bool]:
        run, trigger = self._held.run, self._held.trigger
        payload = trigger.payload if step.payload is None else resolved(step.payload, trigger, run.context)
        emitted = evolve(
            trigger,
            id=derived_trigger_id(row.started_at or self._now(), row.id),
            source="workflow",
            type=step.signal_type or step.name,
            payload=payload,
            created_at=self._now(),
            idempotency_key=None,
        )
        parent, its_step = (run.id, row.id) if step.wait else (None, None)
        origin = Origin(is_replay=run.is_replay, parent_run_id=parent, parent_step_run_id=its_step)
        return row, Emission(emitted, plain_json(payload, "the payload of a signal"), origin), step.wait

    def _failure(self, run: WorkflowRun) -> TriggerEnvelope | None:
        """The signal with which the workflow for failures is started."""
        trigger = self._held.trigger
        if self._held.workflow.on_failure is None or trigger.type == FAILURE_TYPE:
            return None
        payload = {
            "runId": run.id,
            "workflow": self._held.workflow.name,
            "error": run.error_message,
            "trigger": {"id": trigger.id, "type": trigger.type, "payload": trigger.payload},
        }
        now = run.failed_at or self._now()
        made = {"id": derived_trigger_id(now, run.id, run.attempt), "type": FAILURE_TYPE, "source": "pulse"}
        return evolve(trigger, payload=payload, created_at=now, idempotency_key=None, **made)

    # ---- doing it --------------------------------------------------------------------------------------------

    def _begin(self, following: Advance) -> bool:
        """Begins the calls; False where a handler is missing here, and the run goes to another worker."""
        missing = False
        for row, step in following.execute:
            if self._office.registry.handler_for(step) is None:
                missing = not self._fail_if_nobody_has(row, step) or missing
                continue
            call = _Call(row, step)
            if len(following.execute) == 1 and not self._calls and not self._may_be_disturbed(following):
                self._only = call
            else:
                self._calls[asyncio.create_task(self._execute(call))] = call
        return not missing or bool(self._calls)

    def _may_be_disturbed(self, following: Advance) -> bool:
        """Whether something else can happen to the run while a handler is called."""
        return following.due is not None or self._held.has_open_waits

    async def _execute(self, call: _Call) -> Outcome:
        emit = partial(self._emit, call.row)
        return await self._office.executor.execute(self._held, call.row, call.step, emit)

    async def _emit(self, row: WorkflowStepRun, signal: Signal, *, wait: bool = False) -> TriggerEnvelope:
        return await self._office.emit_from(self._held, row, signal, wait=wait)

    def _fail_if_nobody_has(self, row: WorkflowStepRun, step: Action | Condition) -> bool:
        since = row.started_at or self._now()
        if self._now() - since < self._office.handler_grace:
            return False
        said = f"No worker has had the {step.type} {handler_of(step)!r} for {self._office.handler_grace}."
        self._change([evolve(row, status="failed", completed_at=self._now(), error_message=said)])
        return True

    async def _something_happens(self, due: datetime | None) -> None:
        """Returns when a call has ended (and takes it in), or when it is time to look again."""
        call, self._only = self._only, None
        if call is not None:
            self._take_in(call, await self._execute(call))
        if not self._calls:
            return
        wait = None
        if due is not None:
            wait = max(0.0, min((due - self._now()).total_seconds(), LOOK_AGAIN_S))
        elif self._held.has_open_waits:
            wait = LOOK_AGAIN_S
        done, _ = await asyncio.wait(self._calls, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            self._take_in(self._calls.pop(task), task.result())
        if self._held.has_open_waits:
            await self._office.news_of(self._held)

    def _take_in(self, call: _Call, outcome: Outcome) -> None:
        row = settled(call.row, call.step, outcome, self._now(), self._draw())
        self._change([row])
        if row.status == "scheduled" or (row.status == "failed" and row.attempt > 1):
            said = f"Attempt {row.attempt} failed: {row.error_message}"
            self._held.logs.append(self._office.executor.log_entry(self._held, said, None, "warn", row.id))
        if row.status == "completed" and isinstance(call.step, Action) and outcome.text is not None:
            self._keep(row, outcome.text)

    def _change(self, rows: Iterable[WorkflowStepRun]) -> None:
        for row in rows:
            self._unrecorded[row.path] = row
            self._held.steps[row.path] = row
            if row.step_type in ("wait", "emit") and row.status == "completed" and row.result is not None:
                self._keep(row, plain_json(row.result, f"the result of {row.step_name!r}"))

    def _keep(self, row: WorkflowStepRun, text: str) -> None:
        """Adds what a step came to, to the context that later steps see."""
        self._held.context[row.step_name] = entry(row.step_name, text)
        run = self._held.run
        self._held.run = evolve(run, context={**run.context, row.step_name: row.result})

    def _bury_the_dead(self) -> None:
        """Three times the worker died while it ran nothing else: what it was doing has failed."""
        if self._held.lone_deaths < LONE_DEATHS:
            return
        error = ActionFailed(f"WorkerCrash: the worker process died {LONE_DEATHS} times while this step ran alone.")
        for row in list(self._held.steps.values()):
            if row.status not in FINISHED_STEP and row.step_type in ("action", "condition"):
                self._change([evolve(row, status="failed", completed_at=self._now(), error_message=str(error))])

    async def _stop(self) -> None:
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls)

    def _now(self) -> datetime:
        return max(moment_at(self._office.clock.now_ms()), self._held.due)
