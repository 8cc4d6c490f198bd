"""Puts the parts together. The only place that names adapters."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pulse.billing.selling import Selling
from pulse.billing.tables import BRANCH as BILLING
from pulse.bootstrap.admin import OwnAdminApi
from pulse.bootstrap.announcements import Changes, PlanChanges
from pulse.bootstrap.parts.drawing import DrawnParts, build_drawn
from pulse.bootstrap.parts.messages import MessageParts, build_messages
from pulse.bootstrap.parts.prompting import EntityUses, PromptParts, build_places, build_prompts
from pulse.bootstrap.parts.tenants import TenantParts, build_tenants
from pulse.bootstrap.parts.uses import LastUses, build_uses
from pulse.bootstrap.parts.world import ModelParts, Outside, build_models, build_oidc, build_outside, build_selling
from pulse.bootstrap.settings import Settings
from pulse.bus.in_process import InProcessBus
from pulse.bus.port import Bus
from pulse.consumer.consumer import Consumer
from pulse.core.clock import SystemClock
from pulse.core.errors import Misconfigured, StorageReadOnly
from pulse.core.ids import Ids
from pulse.effects.catalog import World, all_effects
from pulse.effects.functions import ScriptEffects
from pulse.effects.world.actions import Actions
from pulse.effects.world.sub_workflows import SubWorkflows
from pulse.evaluator.evaluate import Evaluator
from pulse.evaluator.trial import Trials
from pulse.mail.sendgrid import SendGridMailer
from pulse.memory.tables import BRANCH as MEMORY
from pulse.messages.tables import BRANCH as MESSAGES
from pulse.prompts.tables import BRANCH as PROMPTS
from pulse.sandbox.deno.command import chosen_walls, command
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.functions import EFFECTS
from pulse.storage.branches import Branch
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.tenancy.audit.committing import AuditedCommitter
from pulse.tenancy.people.oidc.sign_in import OidcSignIn
from pulse.tenancy.places.changing import PlaceStore
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import tenancy_tables
from pulse.workflows.tables import BRANCH as WORKFLOWS

BRANCHES: Sequence[Branch] = (TENANCY, WORKFLOWS, MESSAGES, PROMPTS, MEMORY, BILLING)
PREFIX = "pulse_"


@dataclass(frozen=True)
class Parts(TenantParts, MessageParts, DrawnParts):
    """Everything a process may need; who needs less uses less."""

    settings: Settings
    clock: SystemClock
    ids: Ids
    last_uses: LastUses
    database: Database
    committer: Committer
    bus: Bus
    changes: Changes
    places: PlaceStore
    oidc: OidcSignIn | None
    plan_changes: PlanChanges
    selling: Selling
    outside: Outside
    models: ModelParts
    prompts: PromptParts
    admin: OwnAdminApi


def build(settings: Settings, local_token: str | None = None) -> Parts:
    """The parts on the configured database and objects; nothing is opened or changed yet."""
    clock, database = SystemClock(), Database(settings.resolved_database_url, prefix=PREFIX)
    ids, bus, vault = Ids(clock), build_bus(settings), Vault(master_keys(settings))
    tables = tenancy_tables(PREFIX)
    last = build_uses(database, tables)
    tenants = build_tenants(
        settings, database, tables, vault, local_token, ids=ids, clock=clock, note_use=last.keys.note
    )
    drawn = build_drawn(settings, database, tables, ids, clock)
    committer = AuditedCommitter(database, tenants.audit.log)
    messages = build_messages(settings, database, committer, ids=ids, clock=clock)
    outside, prompts = build_outside(settings, clock), build_prompts(database, tables, ids, clock)
    users, note_use = (EntityUses(drawn.workflows, tenants.tenancy), prompts.templates), last.credentials.note
    models = build_models(
        settings, outside, database, tables, vault, ids=ids, clock=clock, users=users, note_use=note_use
    )
    plan_changes = PlanChanges(bus)
    return Parts(
        **vars(tenants),
        **vars(messages),
        **vars(drawn),
        settings=settings,
        clock=clock,
        ids=ids,
        last_uses=last,
        database=database,
        committer=committer,
        bus=bus,
        changes=Changes(bus, [drawn.catalog, tenants.variables, models.kept, tenants.authenticator, tenants.sources]),
        places=build_places(database, tables, models.index),
        oidc=build_oidc(settings, outside.egress, database, tables, tenants.people, clock),
        plan_changes=plan_changes,
        selling=build_selling(settings, outside.egress, messages.billing, plan_changes, clock),
        outside=outside,
        models=models,
        prompts=prompts,
        admin=OwnAdminApi(tenants.authenticator),
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
    return DenoSandbox(limits, command(limits, walls, EFFECTS))


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


def build_consumer(parts: Parts, sandbox: DenoSandbox, effects: ScriptEffects) -> Consumer:
    note_use = parts.last_uses.variables.note
    evaluator = Evaluator(parts.catalog, parts.variables, sandbox, effects, parts.clock, note_use)
    return Consumer(parts.queue, evaluator, parts.outcomes)


def build_effects(parts: Parts, actions: Actions | None = None) -> ScriptEffects:
    """Every effect, over what this installation has of the world."""
    settings, outside, models = parts.settings, parts.outside, parts.models
    home = (settings.assistant_organization_id or "", settings.assistant_environment_id or "")
    world = World(
        sub_workflows=SubWorkflows(parts.catalog, parts.links, parts.intake, parts.clock, settings.max_message_bytes),
        egress=outside.egress,
        publisher=outside.publisher,
        mailer=outside.mailer,
        mailer_of_key=lambda key, sender: SendGridMailer(key, outside.egress, sender=sender),
        short_term=outside.short_term,
        vectors=models.vectors,
        caller=models.caller,
        models=models.kept,
        bedrock=outside.formats.get("bedrock") if settings.aws_ambient == "yes" else None,
        aws_region=settings.aws_region,
        actions=actions,
        admin=parts.admin,
        assistant_home=home if all(home) else None,
    )
    return ScriptEffects(all_effects(world), parts.clock, parts.journal)


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
