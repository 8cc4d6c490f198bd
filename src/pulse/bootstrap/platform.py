"""The whole platform in one process: its duties in the order in which they start."""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from starlette.types import ASGIApp

from pulse.bootstrap.announcements import PLANS_TOPIC
from pulse.bootstrap.face import face
from pulse.bootstrap.joining.actions import EngineActions
from pulse.bootstrap.joining.application import load_application
from pulse.bootstrap.joining.bridge import joined, let_leave
from pulse.bootstrap.maintenance import Repeated
from pulse.bootstrap.parts.prompting import build_prompt_worker
from pulse.bootstrap.parts.world import prepare_vectors
from pulse.bootstrap.settings import Settings
from pulse.bootstrap.wiring import BRANCHES, Parts, build, build_consumer, build_effects, build_sandbox
from pulse.core.duty import Duty
from pulse.core.errors import PulseError
from pulse.engine.engine import Engine
from pulse.evaluator.trial import Trials
from pulse.storage.leases import Heartbeat, Sweeper
from pulse.storage.lockfile import FolderLock
from pulse.storage.migrations import migrate

log = structlog.get_logger(__name__)
ARCHIVE_EVERY_S = 60.0
RETENTION_EVERY_S = 3_600.0
LAST_USES_EVERY_S = 10.0
SESSIONS_EVERY_S = 3_600.0
SEAL_EVERY_S = 2.0
HELD_EVERY_S = 30.0


class OpenData:
    """The data, opened by this process: its parts, and an HTTP face that needs no server. Nothing is evaluated."""

    def __init__(self, settings: Settings, url: str = "http://pulse.invalid") -> None:
        self.settings = settings
        self.url = url
        self.local_token = f"local_{secrets.token_hex(24)}"
        self.registry = CollectorRegistry()
        self._application: Engine | None = None
        self._lock = FolderLock(settings.data) if settings.is_embedded else None
        try:
            self.parts: Parts = build(settings, self.local_token)
        except PulseError:
            self._unlock()
            raise

    async def prepare(self) -> list[str]:
        """Brings the schema up to date; the revisions that were applied.

        Where the folder's lock proves that nobody else is alive, what others were doing is taken over.
        """
        applied = await migrate(self.parts.database, BRANCHES)
        await self.parts.retention.make_room()
        await prepare_vectors(self.parts.models, self.parts.database)
        if self.settings.is_embedded:
            await self.parts.queue.take_over()
            await self.parts.prompts.cells.take_over()
        return applied

    def let_signals_leave(self) -> None:
        """What is stored here waits in the outbox for the application, where one is configured: nothing delivers it.

        Raises Misconfigured where the application cannot be loaded.
        """
        if self.settings.app is not None:
            self._application = load_application(self.settings.app)
            let_leave(self.parts, self._application)

    def app(self) -> ASGIApp:
        return face(self.parts, self.url, self.registry, {"database": self.database_trouble}, {})

    async def close(self) -> None:
        if self._application is not None:
            await self._application.stop()
        await self.parts.committer.drain()
        with contextlib.suppress(PulseError):
            await self.parts.last_uses.write()
        await self.parts.bus.stop()
        await self.parts.outside.close()
        await self.parts.database.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    async def database_trouble(self) -> str | None:
        """What is wrong with the database, or None."""
        try:
            async with asyncio.timeout(2), self.parts.database.read() as connection:
                await connection.execute(text("SELECT 1"))
        except (PulseError, TimeoutError) as error:
            return str(error) or "no answer within two seconds"
        return None


class Platform:
    """Receiver, consumer, console and housekeeping on opened data; and the application's engine, if there is one."""

    def __init__(self, data: OpenData, application: Engine | None = None) -> None:
        parts = data.parts
        self._data = data
        self._sandbox = build_sandbox(data.settings)
        self._effects = build_effects(parts, None if application is None else EngineActions(application))
        self.consumer = build_consumer(parts, self._sandbox, self._effects)
        parts.intake.worker = self.consumer
        trials = Trials(self._sandbox, parts.ids)
        self.prompts = build_prompt_worker(parts.prompts, parts.models, parts.outside.egress, trials)
        held = Repeated("held-messages", HELD_EVERY_S, parts.held.release_all)
        parts.bus.subscribe(PLANS_TOPIC, lambda _announcement: held.hurry())
        self.duties: list[Duty] = [
            parts.bus,
            self._sandbox,
            self.consumer,
            Heartbeat(self.consumer.renew, self.consumer.lease_lost),
            Sweeper(parts.queue, self.consumer.suspects_may_wait),
            self.prompts,
            Heartbeat(self.prompts.renew, self.prompts.lease_lost),
            Sweeper(parts.prompts.cells, self.prompts.suspects_may_wait),
            Repeated("archiver", ARCHIVE_EVERY_S, self._archive),
            Repeated("retention", RETENTION_EVERY_S, parts.retention.enforce),
            held,
            Repeated("last-uses", LAST_USES_EVERY_S, parts.last_uses.write),
            Repeated("sessions", SESSIONS_EVERY_S, parts.people.sweep),
            Repeated("audit", SEAL_EVERY_S, parts.audit.sealer.seal),
        ]
        self._of_application: Sequence[Duty] = ()
        if application is not None:
            self._of_application = joined(parts, application, data.settings.app or "the application")

    def app(self) -> ASGIApp:
        checks = {"database": self._data.database_trouble, "sandbox": self._sandbox_trouble}
        notes, parts = {"bus": self._bus_trouble}, self._data.parts
        trials = Trials(self._sandbox, parts.ids, self._effects)
        parts.admin.app = face(parts, self._data.url, self._data.registry, checks, notes, trials)
        return parts.admin.app

    async def start(self) -> None:
        database = self._data.parts.database
        if database.dialect == "postgresql" and not database.narrows:
            log.warning("row_security_off", advice="`pulse doctor` says how to switch it on")
        for duty in (*self.duties, *self._of_application):
            await duty.start()

    async def stop(self) -> None:
        """The application first, which may still send; then claiming stops, what runs finishes, and the rest ends."""
        for duty in (*reversed(self._of_application), self.consumer, *reversed(self.duties)):
            with contextlib.suppress(PulseError):
                await duty.stop()

    async def _sandbox_trouble(self) -> str | None:
        return self._sandbox.trouble

    async def _bus_trouble(self) -> str | None:
        return self._data.parts.bus.trouble

    async def _archive(self) -> None:
        await self._data.parts.archive.rewrite_tombstones()
        await self._data.parts.archive.archive_closed_hours()
