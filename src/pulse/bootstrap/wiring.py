"""Puts the parts together. The only place that names adapters."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pulse.bootstrap.announcements import Changes
from pulse.bootstrap.settings import Settings
from pulse.bus.in_process import InProcessBus
from pulse.bus.port import Bus
from pulse.consumer.consumer import Consumer
from pulse.core.clock import SystemClock
from pulse.core.errors import Misconfigured, StorageReadOnly
from pulse.core.ids import Ids
from pulse.effects.calls import ScriptEffects
from pulse.effects.sub_workflows import SubWorkflows
from pulse.evaluator.evaluate import Evaluator
from pulse.evaluator.trial import Trials
from pulse.messages.archive import Archive
from pulse.messages.intake import Intake
from pulse.messages.links import Links
from pulse.messages.outcomes import Outcomes
from pulse.messages.queue import MessageQueue
from pulse.messages.reading import MessageReader
from pulse.messages.replay import Replay
from pulse.messages.retention import Retention
from pulse.messages.tables import BRANCH as MESSAGES
from pulse.messages.tables import message_tables
from pulse.messages.waiting import Waiting
from pulse.objects.store import ObstoreObjects
from pulse.sandbox.deno.command import chosen_walls, command
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.functions import effect_names
from pulse.storage.branches import Branch
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.outbox import Outbox
from pulse.tenancy.access import Authenticator
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import tenancy_tables
from pulse.tenancy.variables import VariableStore
from pulse.tenancy.vault import Vault, new_master_key
from pulse.workflows.catalog import Catalog
from pulse.workflows.drawn import DrawnWorkflows
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tables import BRANCH as WORKFLOWS
from pulse.workflows.tables import workflow_tables
from pulse.workflows.versions import WorkflowVersions

BRANCHES: Sequence[Branch] = (TENANCY, WORKFLOWS, MESSAGES)
PREFIX = "pulse_"


@dataclass(frozen=True)
class Parts:
    """Everything a process may need; who needs less uses less."""

    settings: Settings
    clock: SystemClock
    ids: Ids
    database: Database
    committer: Committer
    bus: Bus
    changes: Changes
    tenancy: TenancyStore
    sources: SourceStore
    variables: VariableStore
    authenticator: Authenticator
    workflows: WorkflowStore
    versions: WorkflowVersions
    catalog: Catalog
    intake: Intake
    links: Links
    outbox: Outbox
    queue: MessageQueue
    outcomes: Outcomes
    reader: MessageReader
    waiting: Waiting
    replay: Replay
    archive: Archive
    retention: Retention


def build(settings: Settings, local_token: str | None = None) -> Parts:
    """The parts on the configured database and objects; nothing is opened or changed yet."""
    clock, database = SystemClock(), Database(settings.resolved_database_url, prefix=PREFIX)
    ids, committer = Ids(clock), Committer(database)
    tenancy, drawn, messages = tenancy_tables(PREFIX), workflow_tables(PREFIX), message_tables(PREFIX)
    claims = Claims(database, messages.messages, owner=f"{os.getpid()}-{secrets.token_hex(8)}")
    tenancy_store = TenancyStore(database, tenancy, ids, clock)
    workflow_store = WorkflowStore(database, drawn, ids, clock)
    versions, bus = WorkflowVersions(database, drawn), build_bus(settings)
    catalog = Catalog(DrawnWorkflows(database, drawn), versions, settings.cache_refresh_seconds)
    objects = ObstoreObjects(settings.resolved_objects_url)
    archive = Archive(database, messages, objects, ids, clock, settings.results_layout)
    intake, reader = Intake(database, messages, committer, claims), MessageReader(database, messages, archive.fetch)
    waiting = Waiting(reader.message)
    vault = Vault(master_keys(settings))
    variables = VariableStore(database, tenancy, vault, ids, clock, refresh_seconds=settings.cache_refresh_seconds)
    return Parts(
        settings=settings,
        clock=clock,
        ids=ids,
        database=database,
        committer=committer,
        bus=bus,
        changes=Changes(bus, [catalog, variables]),
        tenancy=tenancy_store,
        sources=SourceStore(database, tenancy, vault, clock),
        variables=variables,
        authenticator=Authenticator(tenancy_store, local_token),
        workflows=workflow_store,
        versions=versions,
        catalog=catalog,
        intake=intake,
        links=Links(database, messages),
        outbox=Outbox(database, messages.outbox),
        queue=MessageQueue(database, messages, claims, clock),
        outcomes=Outcomes(messages, committer, claims, intake, waiting.ended),
        reader=reader,
        waiting=waiting,
        replay=Replay(reader, intake, ids, clock),
        archive=archive,
        retention=Retention(database, messages, archive, clock, settings.message_retention_days),
    )


def build_bus(settings: Settings) -> Bus:
    """The bus as configured; nothing is connected yet. Raises Misconfigured."""
    scheme = settings.resolved_bus_url.partition(":")[0]
    if scheme == "memory":
        return InProcessBus()
    if scheme not in ("redis", "rediss"):
        raise Misconfigured("PULSE_BUS_URL (or REDIS_URL, where that is not set) must be memory: or redis://…")
    try:
        from pulse.bus.redis import RedisBus
    except ModuleNotFoundError:
        raise Misconfigured("PULSE_BUS_URL names Redis, whose client is not here: install pulse[redis].") from None
    return RedisBus(settings.resolved_bus_url)


def build_sandbox(settings: Settings) -> DenoSandbox:
    """The sandbox as configured. Raises Misconfigured where this machine cannot have it."""
    limits = limits_of(settings)
    walls = chosen_walls(settings.sandbox_walls)
    return DenoSandbox(limits, command(limits, walls, effect_names()))


def build_trials(settings: Settings) -> tuple[Trials, DenoSandbox]:
    """Test runs in a sandbox of their own, which the caller starts and stops; they reach nothing that is stored."""
    sandbox = build_sandbox(settings)
    return Trials(sandbox, Ids(SystemClock())), sandbox


def limits_of(settings: Settings) -> Limits:
    return Limits(
        script_timeout_ms=settings.script_timeout_ms,
        message_timeout_ms=settings.message_timeout_ms,
        isolate_memory=settings.isolate_memory,
        busy_processes=settings.worker_pool_size,
        idle_processes=settings.sandbox_idle_max,
        realm=settings.sandbox_realm,
    )


def build_consumer(parts: Parts, sandbox: DenoSandbox) -> Consumer:
    evaluator = Evaluator(parts.catalog, parts.variables, sandbox, build_effects(parts), parts.clock)
    return Consumer(parts.queue, evaluator, parts.outcomes)


def build_effects(parts: Parts) -> ScriptEffects:
    """Every effect, by the name that the sandbox asks for it."""
    sub_workflows = SubWorkflows(
        parts.catalog, parts.links, parts.intake, parts.clock, parts.settings.max_message_bytes
    )
    return ScriptEffects({"triggerWorkflow": sub_workflows.trigger, "workflowNode": sub_workflows.node})


def master_keys(settings: Settings) -> list[str]:
    """The keys of PULSE_SECRET_KEY; in embedded mode one is made and kept in the data folder."""
    if settings.secret_key is not None:
        return [key.strip() for key in settings.secret_key.get_secret_value().split(",") if key.strip()]
    if not settings.is_embedded:
        raise Misconfigured(
            "PULSE_SECRET_KEY must be set where PULSE_DATABASE_URL names a server. "
            "Make one with: openssl rand -base64 32 | tr '+/' '-_'"
        )
    return [_kept_key(settings.data / "secret.key")]


def _kept_key(path: Path) -> str:
    try:
        if not path.exists():
            write_private(path, new_master_key())
        return path.read_text().strip()
    except OSError as error:
        raise StorageReadOnly(f"The data folder {path.parent} cannot be used: {error.strerror}.") from None


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, and makes it durable; it is there whole or not at all."""
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageReadOnly(f"{path} cannot be written: {error.strerror}.") from None


def _sync_folder(folder: Path) -> None:
    """A new name in a folder is durable only when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
