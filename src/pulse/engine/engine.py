"""The engine, as an application uses it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Self

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from pulse.core.clock import Clock, SystemClock
from pulse.core.errors import InvalidFields, NotFound
from pulse.engine.context import Send
from pulse.engine.definition.checks import faults_of
from pulse.engine.definition.json_form import to_json
from pulse.engine.definition.workflow import Workflow
from pulse.engine.records import (
    FINISHED_RUN,
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
from pulse.engine.registration import Registrations
from pulse.engine.store.control import RunFilter
from pulse.engine.store.forms.tables import BRANCH
from pulse.engine.store.forms.values import Codec, plain_json
from pulse.engine.store.new_runs import Origin
from pulse.engine.store.signals import Emission, Emitted
from pulse.engine.timeline import timeline
from pulse.engine.work.aside import Aside, runs_a_loop
from pulse.engine.work.bureau import Hooks
from pulse.engine.work.plant import Options, Plant
from pulse.storage.claims import LEASE_MS
from pulse.storage.database import Database

log = logging.getLogger(__name__)


class Engine(Registrations):
    """Runs workflows durably on the application's database.

    `database`: an address (`sqlite+aiosqlite:///pulse.db`, `postgresql+asyncpg://…`) or the application's own
    AsyncEngine. `concurrency`: how many runs this process drives at once. `tenant_concurrency`: how many runs of one
    tenant are driven at once, by all processes together (None: no limit; say the same in each; a run whose handler
    waits for a run that it started is not counted). `on_step_complete`, `on_run_complete`: called
    after the record is durable; what they raise is logged. `keep_runs`: how long ended runs are kept (None: for ever).
    `codec` seals payloads, results, contexts and logged data at rest. `handler_grace`: how long a run waits for a
    worker that has its handler. `clock` is for tests (pulse.testing.FakeClock). Source: the seed's EngineConfig.
    """

    def __init__(
        self,
        database: str | AsyncEngine,
        *,
        table_prefix: str = "pulse_",
        concurrency: int = 100,
        tenant_concurrency: int | None = None,
        on_step_complete: Callable[[StepCompleteEvent], Any] | None = None,
        on_run_complete: Callable[[RunCompleteEvent], Any] | None = None,
        clock: Clock | None = None,
        keep_runs: timedelta | None = timedelta(days=90),
        codec: Codec | None = None,
        handler_grace: timedelta = timedelta(hours=1),
        grace_s: float = 10.0,
        lease_ms: int = LEASE_MS,
        metrics: Any = None,
    ) -> None:
        super().__init__()
        self._database = Database(database, prefix=table_prefix, clock=clock)
        options = Options(concurrency, tenant_concurrency, grace_s, lease_ms, handler_grace, keep_runs, codec, metrics)
        hooks = Hooks(on_step_complete, on_run_complete)
        self.plant = Plant(self._database, self._registry, clock or SystemClock(), options, hooks)
        self._store = self.plant.store
        self._bureau = self.plant.bureau
        self._aside: Aside | None = None

    def send_with(self, send: Send) -> None:
        """Says what `ctx.send` does; `pulse up --app` calls it."""
        self._bureau.executor.send = send

    # ---- signals ---------------------------------------------------------------------------------------------

    async def emit(
        self, signal: Signal, *, connection: AsyncConnection | AsyncSession | None = None
    ) -> TriggerEnvelope:
        """Stores the signal and starts every enabled workflow that matches it. Returns when that is durable.

        With `connection`, it is part of the caller's transaction: rolled back with it, visible with it. Raises
        InvalidFields where the payload is not as the type was registered, NotStorable where it is not plain JSON or has
        over 2 MB, Unavailable where the database cannot take it.
        """
        if connection is None:
            return (await self._bureau.emit(signal)).trigger
        if isinstance(connection, AsyncSession):
            connection = await connection.connection()
        emission = self._bureau.emission(signal, Origin())
        (emitted,) = await connection.run_sync(self._store.signals.emit, [emission])
        _announce_after_commit(connection, self._bureau.announce)
        return emitted.trigger

    async def emit_many(self, signals: Sequence[Signal]) -> list[TriggerEnvelope]:
        """Emits several in one transaction: all of them are stored, or none."""
        emissions = [self._bureau.emission(signal, Origin()) for signal in signals]
        emitted = await self._database.transact(lambda connection: self._store.signals.emit(connection, emissions))
        for each in emitted:
            self._bureau.pass_on(each)
        return [each.trigger for each in emitted]

    def emit_sync(self, signal: Signal, *, timeout_s: float = 30.0) -> TriggerEnvelope:
        """`emit` for code without an event loop, a sync handler say. Raises RuntimeError in a thread that runs one."""
        if runs_a_loop():
            raise RuntimeError("emit_sync would block this thread's event loop: use `await engine.emit(...)`.")
        loop = self.plant.loop
        if loop is not None and loop.is_running():
            return asyncio.run_coroutine_threadsafe(self.emit(signal), loop).result(timeout_s)
        emission = self._bureau.emission(signal, Origin())
        if self._aside is None:
            self._aside = Aside(self._database.opened_anew())
        (emitted,) = self._aside.run(partial(self._emit_one, emission), timeout_s)
        return emitted.trigger

    def _emit_one(self, emission: Emission, connection: Connection) -> list[Emitted]:
        return self._store.signals.emit(connection, [emission])

    # ---- lifecycle -------------------------------------------------------------------------------------------

    async def migrate(self) -> list[str]:
        """Makes or upgrades the engine's tables; the revisions that were applied. Safe to call from many at once."""
        # Alembic takes a while to import, and few processes migrate.
        from pulse.storage.migrations import migrate

        return await migrate(self._database, [BRANCH])

    async def start(self) -> None:
        """Begins to drive runs and to fire schedules in this process."""
        for workflow in self._workflows:
            await self.ensure_workflow(workflow)
        await self.plant.start()

    async def stop(self) -> None:
        """Stops claiming, lets handlers end within `grace_s`, hands the other runs back, and closes the database."""
        await self.plant.stop()
        await self._database.close()
        if self._aside is not None:
            self._aside.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    # ---- workflows -------------------------------------------------------------------------------------------

    async def create_workflow(self, workflow: Workflow) -> WorkflowDefinition:
        """Stores the workflow; under a name that its tenant has already, as a new version.

        Runs that began keep the version with which they began. Raises InvalidFields with every fault and its path.
        Handlers that are not registered here are accepted, with a warning.
        """
        faults = faults_of(workflow)
        if faults:
            raise InvalidFields(faults)
        unknown = self._registry.unknown_handlers(workflow)
        if unknown:
            log.warning("workflow %r names what is not registered here: %s", workflow.name, ", ".join(unknown))
        created = await self._store.definitions.create(workflow)
        self.plant.schedules_changed()
        return created

    async def ensure_workflow(self, workflow: Workflow) -> None:
        """Stores the workflow unless it is stored as it is; one that was disabled stays so. Raises InvalidFields."""
        stored = await self._store.definitions.by_name(workflow.tenant_id, workflow.name)
        if stored is None:
            await self.create_workflow(workflow)
        elif stored.definition != to_json(workflow):
            await self.create_workflow(replace(workflow, is_enabled=stored.is_enabled))

    async def enable_workflow(self, definition_id: str, *, tenant_id: str | None = None) -> None:
        """Signals start it again, and its schedule fires. Raises NotFound."""
        await self._store.definitions.enable(definition_id, True, tenant_id)
        self.plant.schedules_changed()

    async def disable_workflow(self, definition_id: str, *, tenant_id: str | None = None) -> None:
        """Signals no longer start it; runs that began go on. Raises NotFound."""
        await self._store.definitions.enable(definition_id, False, tenant_id)

    async def get_workflow(self, definition_id: str, *, tenant_id: str | None = None) -> WorkflowDefinition | None:
        return await self._store.definitions.get(definition_id, tenant_id)

    async def list_workflows(
        self, tenant_id: str | None = None, *, limit: int = 100, after: str | None = None
    ) -> list[WorkflowDefinition]:
        """By id; `after` is the id of the last one of the page before."""
        return await self._store.definitions.listed(tenant_id, limit, after)

    # ---- runs ------------------------------------------------------------------------------------------------

    async def get_trigger(self, trigger_id: str, *, tenant_id: str | None = None) -> TriggerEnvelope | None:
        return await self._store.reading.trigger(trigger_id, tenant_id)

    async def get_run(self, run_id: str, *, tenant_id: str | None = None) -> WorkflowRun | None:
        return await self._store.reading.run(run_id, tenant_id)

    async def wait_for_run(
        self, run_id: str, *, timeout_s: float | None = None, tenant_id: str | None = None
    ) -> WorkflowRun:
        """The run, when it has ended, wherever it is driven. Raises NotFound, and TimeoutError after `timeout_s`."""
        async with asyncio.timeout(timeout_s):
            while True:
                run = await self.get_run(run_id, tenant_id=tenant_id)
                if run is None:
                    raise NotFound(f"There is no run {run_id!r}.")
                if run.status in FINISHED_RUN:
                    return run
                await self._bureau.until_a_run_ends()

    async def get_run_steps(self, run_id: str, *, tenant_id: str | None = None) -> list[WorkflowStepRun]:
        """In the order of the definition, those of branches included; empty for an unknown run."""
        run = await self.get_run(run_id, tenant_id=tenant_id)
        return [] if run is None else await self._store.reading.steps(run)

    async def get_run_logs(self, run_id: str, *, tenant_id: str | None = None) -> list[ExecutionLog]:
        run = await self.get_run(run_id, tenant_id=tenant_id)
        return [] if run is None else await self._store.reading.logs(run_id)

    async def get_run_timeline(self, run_id: str, *, tenant_id: str | None = None) -> list[RunTimelineEntry]:
        """Everything that happened to the run, in order; empty for an unknown run."""
        run = await self.get_run(run_id, tenant_id=tenant_id)
        if run is None:
            return []
        return timeline(run, await self._store.reading.steps(run), await self._store.reading.logs(run_id))

    async def get_runs_by_trigger(self, trigger_id: str, *, tenant_id: str | None = None) -> list[WorkflowRun]:
        return await self._store.reading.runs_by_trigger(trigger_id, tenant_id)

    async def list_runs(
        self, where: RunFilter | None = None, *, limit: int = 100, before: str | None = None
    ) -> list[WorkflowRun]:
        """The newest first; `before` is the id of the last one of the page before."""
        return await self._store.reading.runs(where or RunFilter(), limit, before)

    async def get_failed_runs(self, tenant_id: str | None = None, *, limit: int = 1000) -> list[WorkflowRun]:
        """The runs that failed for good, the newest first: they stay until they are retried or their time is over."""
        return await self.list_runs(RunFilter(tenant_id=tenant_id, status="failed"), limit=limit)

    async def cancel_run(self, run_id: str, reason: str | None = None, *, tenant_id: str | None = None) -> WorkflowRun:
        """Ends a run that has not ended, and the runs that it waits for; a handler that is being called is cancelled.

        Raises NotFound; IllegalTransition where it has ended.
        """
        run, canceled = await self._store.control.cancel(run_id, reason, tenant_id)
        await self.plant.were_canceled(canceled)
        return run

    async def cancel_runs(self, where: RunFilter, reason: str | None = None) -> int:
        """Cancels every run that the filter names and that has not ended; how many there were."""
        canceled = await self._store.control.cancel_matching(where, reason)
        await self.plant.were_canceled(canceled)
        return len(canceled)

    async def retry_run(
        self, run_id: str, *, from_step: str | None = None, tenant_id: str | None = None
    ) -> WorkflowRun:
        """Lets a failed run go on at its failed step, with all its attempts; or at the step of the name `from_step`.

        Raises NotFound; IllegalTransition where it has not failed.
        """
        run = await self._store.control.retry(run_id, from_step, tenant_id)
        self._bureau.announce()
        return run

    async def retry_runs(self, where: RunFilter) -> int:
        """Retries every failed run that the filter names; how many there were."""
        retried = await self._store.control.retry_matching(where)
        self._bureau.announce()
        return len(retried)

    async def replay(
        self,
        trigger_id: str,
        dry_run: bool = False,  # noqa: FBT001, FBT002 - the seed's signature
        *,
        definition: str = "current",
        tenant_id: str | None = None,
    ) -> list[WorkflowRun]:
        """Runs a stored signal again, through the matcher (or, with `definition="original"`, as it ran first).

        Actions that are not replay-safe are skipped; with `dry_run` all are. Raises NotFound.
        """
        trigger = await self.get_trigger(trigger_id, tenant_id=tenant_id)
        if trigger is None:
            raise NotFound(f"There is no trigger {trigger_id!r}.")
        only = None
        if definition == "original":
            runs = await self.get_runs_by_trigger(trigger_id)
            only = tuple((run.definition_id, run.definition_version) for run in runs if not run.is_replay)
        origin = Origin(is_replay=True, is_dry_run=dry_run, nonce=self._store.ground.ids.new("rpl"))
        payload = plain_json(trigger.payload, "the payload of a signal")
        emission = Emission(trigger, payload, origin, only=only, stored=True)
        emitted = await self._store.committer.write(self._store.signals.emit, emission)
        self._bureau.announce()
        found = [await self.get_run(run_id) for run_id in emitted.run_ids]
        return [run for run in found if run is not None]


def _announce_after_commit(connection: AsyncConnection, announce: Callable[[], None]) -> None:
    sync = connection.sync_connection
    if sync is not None:
        event.listen(sync, "commit", lambda _connection: announce(), once=True)
