"""One engine's machinery, put together: the store, the worker, and the duties in the order in which they start."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pulse.core.clock import Clock
from pulse.core.duty import Duty
from pulse.core.errors import Conflict
from pulse.engine.registry import Registry
from pulse.engine.store.forms.values import Codec
from pulse.engine.store.parts import open_store
from pulse.engine.store.retention import Retention
from pulse.engine.work.alarm import AT_ONCE, Alarm
from pulse.engine.work.bureau import Bureau, Hooks
from pulse.engine.work.executor import Executor
from pulse.engine.work.notices import RUNS, Notices
from pulse.engine.work.telemetry import Telemetry
from pulse.engine.work.worker import Worker
from pulse.storage.database import Database
from pulse.storage.leases import Heartbeat, Sweeper

# How long a quiet engine waits before it looks by itself; on PostgreSQL hints come from other processes.
QUIET_S = {"sqlite": 1.0, "postgresql": 5.0}
SCHEDULES_S = 5.0
RETENTION_S = 600.0
THREADS = 32


@dataclass(frozen=True)
class Options:
    """See Engine."""

    concurrency: int
    tenant_concurrency: int | None
    grace_s: float
    lease_ms: int
    handler_grace: timedelta
    keep_runs: timedelta | None
    codec: Codec | None
    metrics: Any

    def __post_init__(self) -> None:
        for name in ("concurrency", "tenant_concurrency"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, and is {value}.")


class Plant:
    """Starts and stops what one engine runs."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        clock: Clock,
        options: Options,
        hooks: Hooks,
    ) -> None:
        self.clock = clock
        owner = f"{os.getpid()}-{secrets.token_hex(8)}"
        self.store = open_store(
            database,
            registry,
            clock,
            owner=owner,
            lease_ms=options.lease_ms,
            tenant_limit=options.tenant_concurrency,
            codec=options.codec,
        )
        self._telemetry = telemetry = Telemetry(options.metrics)
        self._threads = ThreadPoolExecutor(min(THREADS, options.concurrency), thread_name_prefix="pulse-handler")
        executor = Executor(registry, self.store.ground.ids, clock, self._threads, telemetry)
        self._notices = Notices(database.url, f"{database.prefix}runs", owner)
        self._notices.heard = self._heard
        self.bureau = Bureau(
            self.store, registry, executor, clock, hooks, telemetry, self._notices, options.handler_grace
        )
        quiet_s = QUIET_S[database.dialect]
        self.worker = self.bureau.worker = Worker(
            self.bureau,
            self.store.queue,
            concurrency=options.concurrency,
            grace_s=options.grace_s,
            longest_wait_s=quiet_s,
        )
        alarm = self.bureau.alarm = Alarm("alarm", self.wake, clock, quiet_s)
        self._schedules = Alarm("schedules", self.fire, clock, SCHEDULES_S)
        self._retention = Retention(self.store.ground, options.keep_runs)
        self.duties: Sequence[Duty] = (
            self._notices,
            self.worker,
            Heartbeat(self.worker.renew, self.worker.lease_lost, options.lease_ms),
            Sweeper(self.store.queue, self.worker.suspects_may_wait, options.lease_ms),
            alarm,
            self._schedules,
            Alarm("retention", self._delete_old, clock, RETENTION_S),
        )
        self.loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        if self.loop is not None:
            raise Conflict("The engine runs already: stop it before it is started again.")
        self.loop = asyncio.get_running_loop()
        self._telemetry.look_again()
        for duty in self.duties:
            await duty.start()

    async def stop(self) -> None:
        """Stops claiming first, lets what runs finish, and ends the other duties after."""
        if self.loop is not None:
            for duty in (self.worker, *reversed(self.duties)):
                with contextlib.suppress(Exception):
                    await duty.stop()
            self.loop = None
        await self._notices.stop()
        await self.bureau.hooks_done()
        await self.store.committer.drain()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def wake(self) -> int | None:
        """Makes the runs ready whose time has come; when the next one's comes."""
        due = await self.store.queue.next_due()
        if due is None or due > self.clock.now_ms():
            return due
        if await self.store.queue.wake():
            self.bureau.announce()
        return AT_ONCE

    async def fire(self) -> int | None:
        """Fires the schedules that are due; when the next one is."""
        due = await self.store.schedules.next_at()
        if due is None or due > self.clock.now_ms():
            return due
        emitted = await self.store.schedules.fire_due()
        for each in emitted:
            self.bureau.pass_on(each)
        following = await self.store.schedules.next_at()
        if following is None or following > self.clock.now_ms():
            return following
        # What is due still, and did not fire, waits for an earlier run to end.
        return AT_ONCE if emitted else None

    def schedules_changed(self) -> None:
        self._schedules.hint(self.clock.now_ms())

    async def were_canceled(self, run_ids: Sequence[str]) -> None:
        """Stops what runs of them, here and elsewhere, and tells the hooks."""
        for run_id in run_ids:
            self.worker.cancelled(run_id)
            self._notices.run_was_ended(run_id)
            run = await self.store.reading.run(run_id, None)
            if run is not None:
                self.bureau.run_ended(run)
        self.bureau.announce()

    async def _delete_old(self) -> int | None:
        return AT_ONCE if await self._retention.enforce() else None

    def _heard(self, said: str) -> None:
        if said == RUNS:
            self.worker.hint()
        else:
            self.worker.cancelled(said)
