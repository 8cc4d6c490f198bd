"""One engine's office: what its drives need, and what follows in this process from what became durable."""

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from pulse.core.clock import Clock
from pulse.core.ids import derive_id
from pulse.engine.records import (
    FINISHED_RUN,
    FINISHED_STEP,
    RunCompleteEvent,
    Signal,
    StepCompleteEvent,
    TriggerEnvelope,
    WorkflowStepRun,
)
from pulse.engine.registry import Registry
from pulse.engine.store.forms.values import check_text, moment_at, plain_json
from pulse.engine.store.held import Held
from pulse.engine.store.journal import Record, Recorded
from pulse.engine.store.new_runs import Origin
from pulse.engine.store.parts import Store
from pulse.engine.store.signals import Emission, Emitted
from pulse.engine.work.alarm import Alarm
from pulse.engine.work.executor import Executor
from pulse.engine.work.notices import Notices
from pulse.engine.work.telemetry import Telemetry
from pulse.engine.work.worker import Worker
from pulse.storage.claims import NEVER, Claimed

log = logging.getLogger(__name__)
LOOK_AGAIN_S = 0.5
Hook = Callable[[Any], Any]


@dataclass(frozen=True)
class Hooks:
    """What the application wants to hear."""

    on_step_complete: Hook | None = None
    on_run_complete: Hook | None = None


@dataclass
class Bureau:
    """Implements `drive.Office`. `worker` and `alarm` are set by the engine that makes it."""

    store: Store
    registry: Registry
    executor: Executor
    clock: Clock
    hooks: Hooks
    telemetry: Telemetry
    notices: Notices
    handler_grace: timedelta
    _promised: int = 0
    _hooked: set[asyncio.Task[None]] = field(default_factory=set)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    worker: Worker = field(init=False)
    alarm: Alarm = field(init=False)

    # ---- signals ---------------------------------------------------------------------------------------------

    async def emit(self, signal: Signal, origin: Origin | None = None) -> Emitted:
        """Stores the signal, and begins or announces what it started. Returns after the commit."""
        with self.telemetry.emit(signal.type, signal.tenant_id):
            take = origin is None and self.worker.room() > self._promised
            emission = self.emission(signal, origin or Origin(), take=take)
            self._promised += take
            try:
                return await self.store.committer.write(self.store.signals.emit, emission, self.pass_on)
            finally:
                self._promised -= take

    def emission(self, signal: Signal, origin: Origin, *, take: bool = False) -> Emission:
        """The signal as it will be stored. Raises InvalidFields and NotStorable."""
        self.registry.check(signal)
        payload = plain_json(signal.payload, "the payload of a signal")
        check_text(signal, "a signal")
        envelope = TriggerEnvelope(
            id=self.store.ground.ids.new("trg"),
            tenant_id=signal.tenant_id,
            source=signal.source,
            type=signal.type,
            resource_type=signal.resource_type,
            resource_id=signal.resource_id,
            environment=signal.environment,
            payload=signal.payload,
            created_at=moment_at(self.clock.now_ms()),
            idempotency_key=signal.idempotency_key,
            traceparent=self.telemetry.traceparent(),
        )
        return Emission(envelope, payload, origin, take)

    def pass_on(self, emitted: Emitted) -> None:
        """What follows from a signal that is durable."""
        if emitted.held is not None:
            self.worker.take(emitted.held)
        if emitted.woke_others:
            self.announce()

    def announce(self) -> None:
        """Runs may be ready: for this worker, and for those of other processes."""
        self.worker.hint()
        self.notices.runs_are_ready()

    async def emit_from(self, held: Held, row: WorkflowStepRun, signal: Signal, *, wait: bool) -> TriggerEnvelope:
        linked = Origin(
            is_replay=held.run.is_replay,
            parent_run_id=held.id if wait else None,
            parent_step_run_id=derive_id("stp", row.id, signal.idempotency_key or "") if wait else None,
        )
        emitted = await self.emit(signal, linked)
        if wait:
            # Others may run in its place meanwhile: what it waits for could be behind it.
            self.worker.concurrency += 1
            try:
                await self._until_ended(emitted.trigger.id)
            finally:
                self.worker.concurrency -= 1
        return emitted.trigger

    async def _until_ended(self, trigger_id: str) -> None:
        self.worker.hint()
        while await self.store.reading.unfinished(trigger_id):
            await self.until_a_run_ends()

    async def until_a_run_ends(self) -> None:
        """Returns when a run has ended in this process, or after a while: it may have ended in another."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S):
                ended = self._ended
                await ended.wait()

    # ---- what drives record ----------------------------------------------------------------------------------

    async def record(self, record: Record) -> Recorded:
        if record.is_plain:
            return await self.store.committer.write(self.store.journal.advance, record)
        verb = self.store.journal.finish if record.is_end else self.store.journal.settle
        if record.waits:
            # Apart from others, because it locks types of signals against everybody who emits them.
            settle = partial(_only, self.store.journal.settle, record)
            done: Recorded = await self.store.database.transact(settle)
        else:
            done = await self.store.committer.write(verb, record)
        if done.started or record.on_failure is not None or record.run.parent_run_id or self._holds_others_back(record):
            self.announce()
        if record.due_at < NEVER:
            self.alarm.hint(record.due_at)
        return done

    def _holds_others_back(self, record: Record) -> bool:
        """Whether other runs could be waiting for this one to leave."""
        return record.held.lane is not None or self.store.claims.limits_tenants

    async def hand_back(self, held: Held, delay_ms: int) -> None:
        await self.store.claims.release([Claimed(held.id, held.run.tenant_id, held.epoch)], delay_ms)

    async def news_of(self, held: Held) -> None:
        async with self.store.database.read() as connection:
            news = await connection.run_sync(self.store.queue.news, [held.id])
        held.news |= news.get(held.id, {})

    def recorded(self, held: Held, rows: Iterable[WorkflowStepRun]) -> None:
        for row in rows:
            if row.status in FINISHED_STEP:
                self.telemetry.step_ended(row)
                self._call(self.hooks.on_step_complete, StepCompleteEvent(held.run, row))
        if held.run.status in FINISHED_RUN:
            self.run_ended(held.run)

    def run_ended(self, run: Any) -> None:
        """A run has ended, and that is durable."""
        # Whoever waits from now on waits for the next one.
        ended, self._ended = self._ended, asyncio.Event()
        ended.set()
        self.telemetry.run_ended(run)
        self._call(self.hooks.on_run_complete, RunCompleteEvent(run, run.status))

    def _call(self, hook: Hook | None, event: object) -> None:
        """Calls a hook; what it raises is logged and nothing else."""
        if hook is None:
            return
        try:
            answer = hook(event)
        except Exception:
            log.exception("a hook failed")
            return
        if inspect.isawaitable(answer):
            task = asyncio.ensure_future(_logged(answer))
            self._hooked.add(task)
            task.add_done_callback(self._hooked.discard)

    async def hooks_done(self) -> None:
        """Returns when every hook that was called has ended."""
        if self._hooked:
            await asyncio.wait(self._hooked)


async def _logged(answer: Any) -> None:
    try:
        await answer
    except Exception:
        log.exception("a hook failed")


def _only(verb: Any, record: Record, connection: Any) -> Any:
    return verb(connection, [record])[0]
