"""What `pulse doctor` looks at: every configured part, what was found, and what to do about it."""

import asyncio
import shutil
import sqlite3
from dataclasses import dataclass
from typing import Literal

from pulse.bootstrap.joining.application import load_application, require_migrated
from pulse.bootstrap.parts.world import build_egress, build_formats, build_mailer
from pulse.bootstrap.running import find_running
from pulse.bootstrap.settings import Settings, described
from pulse.bootstrap.wiring import BRANCHES, PREFIX, build_bus, limits_of, master_keys
from pulse.core.clock import SystemClock
from pulse.core.errors import Misconfigured, PulseError
from pulse.mail.port import Mailer
from pulse.objects.store import ObstoreObjects
from pulse.sandbox.deno.command import RUNTIME, chosen_walls, find_deno
from pulse.sandbox.deno.walls import examine, self_test, supported
from pulse.storage.database import Database
from pulse.storage.migrations import pending
from pulse.storage.narrowing import ROLE, can_narrow
from pulse.tenancy.audit.reading import AuditReader
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import tenancy_tables

FIXED_SQLITE = (3, 51, 3)
LOW_WATER = 256 << 20
# For how long the chains of the audit are verified, and how many broken ones are told of.
AUDIT_WITHIN_S = 30.0
MOST_BROKEN = 20


@dataclass(frozen=True)
class Finding:
    """A part, whether it is well (`note`: well, but worth knowing), and a sentence."""

    part: str
    state: Literal["ok", "note", "wrong"]
    detail: str


async def examine_all(settings: Settings) -> list[Finding]:
    """Every finding, parts first, then the settings in force."""
    findings = [_folder(settings), *_key(settings), *await _database(settings), await _objects(settings)]
    findings += [await _bus(settings), *await _outside(settings), *await _sandbox(settings)]
    findings += await _application(settings)
    values = [Finding(name, "note", value or "(not set)") for name, value, _ in described(settings)]
    return findings + values


def _folder(settings: Settings) -> Finding:
    if not settings.data.exists():
        return Finding("data folder", "note", f"{settings.data} does not exist yet; the first start makes it")
    if not settings.data.is_dir():
        return Finding("data folder", "wrong", f"{settings.data} is no folder: choose another with --data")
    free = shutil.disk_usage(settings.data).free
    if free < LOW_WATER:
        return Finding("data folder", "wrong", f"only {free >> 20} MiB are free in {settings.data}: make room")
    running = find_running(settings.data)
    if running is not None:
        return Finding("data folder", "ok", f"{settings.data}, in use by process {running.pid} at {running.url}")
    return Finding("data folder", "ok", f"{settings.data}, {free >> 30} GiB free")


def _key(settings: Settings) -> list[Finding]:
    """The master key, where it was given; one that Pulse made for itself is as it must be."""
    if settings.is_embedded and settings.secret_key is None:
        return []
    try:
        Vault(master_keys(settings))
    except PulseError as error:
        return [Finding("secret key", "wrong", error.message)]
    return [Finding("secret key", "ok", "set")]


async def _database(settings: Settings) -> list[Finding]:
    findings = []
    if settings.is_embedded and sqlite3.sqlite_version_info < FIXED_SQLITE:
        words = "has the WAL-reset fault; Pulse avoids it with a single connection that writes and checkpoints"
        findings.append(Finding("SQLite", "note", f"{sqlite3.sqlite_version} {words}"))
    if settings.is_embedded and not (settings.data / "pulse.db").exists():
        return [*findings, Finding("database", "note", "no database yet; the first start makes it")]
    database = Database(settings.resolved_database_url, prefix=PREFIX)
    try:
        async with asyncio.timeout(5):
            missing = await pending(database, BRANCHES)
        more = [] if missing else [*await row_security(database), *await _audit(database)]
    except (PulseError, TimeoutError, OSError) as error:
        return [*findings, Finding("database", "wrong", str(error) or "no answer within five seconds")]
    finally:
        await database.close()
    if missing:
        return [*findings, Finding("database", "wrong", f"{len(missing)} migrations are missing: run `pulse migrate`")]
    return [*findings, Finding("database", "ok", f"{database.dialect}, schema up to date"), *more]


async def row_security(database: Database) -> list[Finding]:
    """Whether PostgreSQL itself keeps organizations apart."""
    if database.dialect != "postgresql":
        return []
    async with database.read() as connection:
        can = await connection.run_sync(can_narrow)
    if can:
        return [Finding("row security", "ok", "what is done for an organization sees its own rows only")]
    advice = f"let an administrator run: CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO {database.url.username};"
    words = "the database does not keep organizations apart by itself; Pulse does, but there is no second line"
    return [Finding("row security", "note", f"{words}: {advice} and start Pulse again")]


async def _audit(database: Database) -> list[Finding]:
    """Whether the chains of the audit are whole."""
    found = await AuditReader(database, tenancy_tables(PREFIX).audit).verify(AUDIT_WITHIN_S)
    advice = "somebody changed the database past Pulse: compare with a backup, and with `audit_sealed` in the log"
    if found.broken:
        places = [f"{each.organization_id or 'the installation'}: {each.words}" for each in found.broken[:MOST_BROKEN]]
        more = [f"{len(found.broken) - MOST_BROKEN} others, too"] if len(found.broken) > MOST_BROKEN else []
        return [Finding("audit", "wrong", f"the chain of {place}; {advice}") for place in [*places, *more]]
    if not found.is_whole:
        words = f"the first {found.entries} entries are as they were sealed; there was no time for the rest"
        return [Finding("audit", "note", f"{words}, which GET /api/audit/export lets you verify elsewhere")]
    waiting = f"; {found.unsealed} are not sealed yet" if found.unsealed else ""
    return [Finding("audit", "ok", f"{found.entries} entries in {found.chains} chains, all as sealed{waiting}")]


async def _objects(settings: Settings) -> Finding:
    if settings.objects_url is None:
        return Finding("objects", "ok", "in the data folder")
    try:
        ObstoreObjects(settings.resolved_objects_url)
    except PulseError as error:
        return Finding("objects", "wrong", error.message)
    return Finding("objects", "ok", settings.resolved_objects_url)


async def _bus(settings: Settings) -> Finding:
    try:
        bus = build_bus(settings)
    except PulseError as error:
        return Finding("bus", "wrong", error.message)
    await bus.start()
    trouble = bus.trouble
    await bus.stop()
    if trouble is not None:
        return Finding("bus", "wrong", f"{trouble}; until it does, other processes hear of changes late")
    if settings.resolved_bus_url.startswith("redis"):
        return Finding("bus", "ok", "Redis answers")
    if settings.is_embedded:
        return Finding("bus", "ok", "in this process")
    late = f"other processes hear of changes after up to {settings.cache_refresh_seconds} seconds"
    return Finding("bus", "note", f"in this process only: {late}, unless PULSE_BUS_URL names Redis")


async def _outside(settings: Settings) -> list[Finding]:
    """The way out, mail and models; nothing is made for that."""
    clock = SystemClock()
    try:
        egress = build_egress(settings, [])
    except PulseError as error:
        return [Finding("egress", "wrong", error.message)]
    try:
        mail = await _mail(settings, build_mailer(settings, clock, egress))
    except PulseError as error:
        mail = Finding("mail", "wrong", error.message)
    finally:
        await egress.close()
    formats = ", ".join(sorted(build_formats(settings, egress, clock)))
    opened = settings.egress_allow or "none"
    way_out = Finding("egress", "ok", f"public addresses; opened besides: {opened}")
    return [way_out, mail, Finding("models", "ok", f"formats: {formats}")]


async def _mail(settings: Settings, mailer: Mailer) -> Finding:
    if settings.mail_url is None:
        where = settings.data / "outbox"
        return Finding("mail", "note", f"mail stays in {where}: set PULSE_MAIL_URL for it to leave")
    try:
        async with asyncio.timeout(10):
            await mailer.check()
    except (PulseError, TimeoutError) as error:
        return Finding("mail", "wrong", str(error) or "no answer within ten seconds")
    return Finding("mail", "ok", "the mail server answers")


async def _application(settings: Settings) -> list[Finding]:
    """The application's engine, where one is configured."""
    if settings.app is None:
        return []
    try:
        engine = load_application(settings.app)
    except PulseError as error:
        return [Finding("application", "wrong", error.message)]
    try:
        async with asyncio.timeout(5):
            await require_migrated(engine, settings.app)
    except Misconfigured as error:
        return [Finding("application", "note", error.message)]
    except (PulseError, TimeoutError) as error:
        return [Finding("application", "wrong", str(error) or "its database does not answer within five seconds")]
    finally:
        await engine.stop()
    return [Finding("application", "ok", f"{settings.app}, schema up to date")]


async def _sandbox(settings: Settings) -> list[Finding]:
    limits = limits_of(settings)
    try:
        walls = chosen_walls(settings.sandbox_walls)
        program = examine(find_deno())
    except PulseError as error:
        return [Finding("sandbox", "wrong", error.message)]
    offered = supported()
    findings = [
        Finding("sandbox", "ok", f"{program.path}, {limits.isolate_memory} MiB a process, realms: {limits.realm}"),
        Finding("Landlock", "ok" if offered.landlock else "note", offered.landlock_remark),
        Finding("seccomp", "ok" if offered.seccomp else "note", offered.seccomp_remark),
    ]
    if not walls:
        return [*findings, Finding("walls", "note", "none: a script that breaks out of V8 can do what Pulse can do")]
    try:
        tested = await self_test(program, RUNTIME, settings.data, walls)
    except (OSError, TimeoutError) as error:
        reason = str(error) or "no answer within ten seconds"
        return [*findings, Finding("walls", "note", f"{', '.join(walls)}, but they could not be tested: {reason}")]
    open_ = [probe.attempt for probe in tested.probes if not probe.refused]
    if tested.holds:
        return [
            *findings,
            Finding("walls", "ok", f"{', '.join(walls)}: {len(tested.probes)} attempts to get out, none worked"),
        ]
    return [*findings, Finding("walls", "wrong", tested.complaint or f"these attempts worked: {', '.join(open_)}")]
