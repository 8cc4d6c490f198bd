"""What an installation has of the world outside: the way out, mail, models, memories, channels."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from pulse.billing.selling import Announcements, Selling
from pulse.billing.store import BillingStore
from pulse.billing.stripe import StripeApi
from pulse.bootstrap.settings import Settings, web_address
from pulse.core.clock import Clock
from pulse.core.errors import Misconfigured
from pulse.core.ids import Ids
from pulse.effects.world.announcements import Publisher
from pulse.egress.allow import parse_allowed
from pulse.egress.client import HttpEgress
from pulse.egress.listeners import Listener
from pulse.egress.port import Egress
from pulse.mail.outbox import OutboxMailer
from pulse.mail.port import Mailer
from pulse.mail.sendgrid import SendGridMailer
from pulse.mail.smtp import SmtpMailer
from pulse.memory.shelf import ObstoreShelf
from pulse.memory.short_term import ShortTermMemory
from pulse.memory.tables import memory_tables
from pulse.memory.vectors.exact import ExactVectors
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.pgvector import PgVectors, has_pgvector
from pulse.memory.vectors.pinecone import PineconeIndex
from pulse.memory.vectors.store import DatabaseIndex
from pulse.models.anthropic import AnthropicModels
from pulse.models.catalogue import Catalogue, read
from pulse.models.google import GoogleModels
from pulse.models.mock import MockModels
from pulse.models.openai import OpenAIModels
from pulse.models.port import Access, Completion, Delta, Embeddings, Models, Prompt
from pulse.models.responses import ResponsesModels
from pulse.prompts.caller import ModelCaller
from pulse.prompts.checks import CredentialChecks
from pulse.prompts.configurations import ConfigurationStore
from pulse.prompts.credentials import CredentialStore
from pulse.prompts.kept import KeptModels
from pulse.prompts.legacy import LegacyStore
from pulse.prompts.limits import RateLimits
from pulse.prompts.records import SYSTEM
from pulse.prompts.secrets import SecretKeys
from pulse.prompts.tables import prompt_tables
from pulse.prompts.uses import Uses
from pulse.storage.database import Database
from pulse.tenancy.people.oidc.asking import Client
from pulse.tenancy.people.oidc.provider import Provider
from pulse.tenancy.people.oidc.sign_in import OidcSignIn
from pulse.tenancy.people.oidc.store import OidcStore
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import TenancyTables

# A credential that was revoked elsewhere is used no longer than that, even where the announcement is lost.
MODELS_KEPT_S = 30.0


@dataclass
class Outside:
    """The way out, and what goes through it. `listeners` are this process's own: nothing reaches those from here."""

    egress: Egress
    mailer: Mailer
    publisher: Publisher | None
    short_term: ShortTermMemory
    formats: Mapping[str, Models]
    listeners: list[Listener] = field(default_factory=list)

    async def close(self) -> None:
        """Ends what is open."""
        closing = [self.egress.close(), self.mailer.close()]
        if self.publisher is not None:
            closing.append(self.publisher.close())
        for each in closing:
            with contextlib.suppress(Exception):
                await each


@dataclass(frozen=True)
class ModelParts:
    """Models by configuration, and what they are configured with; legacy ones."""

    catalogue: Catalogue
    credentials: CredentialStore
    checks: CredentialChecks
    configurations: ConfigurationStore
    legacy: LegacyStore
    kept: KeptModels
    caller: ModelCaller
    vectors: VectorMemory
    index: DatabaseIndex


def build_outside(settings: Settings, clock: Clock) -> Outside:
    """The way out as configured; nothing is connected yet. Raises Misconfigured."""
    listeners: list[Listener] = []
    egress = build_egress(settings, listeners)
    return Outside(
        egress=egress,
        mailer=build_mailer(settings, clock, egress),
        publisher=_publisher(settings),
        short_term=ShortTermMemory(ObstoreShelf(settings.memory_url)),
        formats=build_formats(settings, egress, clock),
        listeners=listeners,
    )


def build_models(
    settings: Settings,
    outside: Outside,
    database: Database,
    tenancy: TenancyTables,
    vault: Vault,
    *,
    ids: Ids,
    clock: Clock,
    users: Sequence[Uses],
    note_use: Callable[[str, int], None],
) -> ModelParts:
    """Models on that database; `users` are asked before a configuration or a legacy model is deleted.

    `note_use` is told of uses of credentials.
    """
    tables, catalogue = prompt_tables(database.prefix), read()
    keys = SecretKeys(tenancy, tables.system_keys, SYSTEM, vault, clock)
    credentials = CredentialStore(database, tables, keys, catalogue, ids, clock)
    checks = CredentialChecks(credentials, catalogue, outside.formats)
    configurations = ConfigurationStore(database, tables, credentials, catalogue, ids, clock, users=users)
    legacy = LegacyStore(database, tables, keys, ids, clock, users=users)
    kept = KeptModels(configurations, legacy, min(MODELS_KEPT_S, settings.cache_refresh_seconds))
    caller = ModelCaller(kept, RateLimits(database, tables), outside.formats, note_use=note_use)
    documents = memory_tables(database.prefix)
    index = DatabaseIndex(database, documents, ExactVectors(documents, database.dialect), PlaceHold(tenancy), clock)
    vectors = _vectors(settings, outside.egress, caller, index)
    return ModelParts(catalogue, credentials, checks, configurations, legacy, kept, caller, vectors, index)


def build_egress(settings: Settings, listeners: Sequence[Listener]) -> Egress:
    """The way out, which leads to none of these listeners. Raises Misconfigured."""
    return HttpEgress(parse_allowed(settings.egress_allow or ""), own_listeners=lambda: tuple(listeners))


def build_oidc(
    settings: Settings, egress: Egress, database: Database, tenancy: TenancyTables, people: People, clock: Clock
) -> OidcSignIn | None:
    """Signing in with the identity provider, if one is configured. Raises Misconfigured."""
    issuer, client_id, secret = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret
    if issuer is None and client_id is None and secret is None:
        return None
    if issuer is None or client_id is None:
        raise Misconfigured("An identity provider needs both PULSE_OIDC_ISSUER and PULSE_OIDC_CLIENT_ID.")
    parts = web_address("PULSE_OIDC_ISSUER", issuer)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Misconfigured("PULSE_OIDC_ISSUER must begin with https://: what it says decides who comes in.")
    client = Client(
        issuer,
        client_id,
        None if secret is None else secret.get_secret_value(),
        settings.oidc_name or "",
        settings.oidc_create_users == "yes",
    )
    return OidcSignIn(Provider(client, egress, clock), OidcStore(database, tenancy, clock), people)


def build_selling(
    settings: Settings, egress: Egress, billing: BillingStore, announcements: Announcements, clock: Clock
) -> Selling:
    """Selling plans by Stripe, where both its secrets are set: without them nothing is sold. Raises Misconfigured."""
    key, signing = [
        "" if secret is None else secret.get_secret_value()
        for secret in (settings.stripe_secret_key, settings.stripe_webhook_secret)
    ]
    secrets = [secret.strip() for secret in signing.split(",") if secret.strip()]
    wanted = {"STRIPE_SECRET_KEY": key.strip(), "STRIPE_WEBHOOK_SECRET": secrets}
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        return Selling(billing, announcements, clock, missing=missing)
    parts = web_address("PULSE_STRIPE_URL", settings.stripe_url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Misconfigured("PULSE_STRIPE_URL must begin with https://: the secret key is sent there.")
    payments = StripeApi(egress, key.strip(), secrets, base_url=settings.stripe_url)
    return Selling(billing, announcements, clock, payments)


def build_mailer(settings: Settings, clock: Clock, egress: Egress) -> Mailer:
    """The mailer as PULSE_MAIL_URL says. Raises Misconfigured."""
    url, sender = settings.mail_url.get_secret_value() if settings.mail_url else "outbox:", settings.mail_from
    scheme, _, rest = url.partition(":")
    if scheme == "outbox":
        folder = settings.data / "outbox"
        return OutboxMailer(folder, clock) if sender is None else OutboxMailer(folder, clock, sender=sender)
    if scheme in ("smtp", "smtps"):
        return SmtpMailer(url, clock, sender=sender)
    if scheme == "ses":
        try:
            from pulse.mail.ses import SesMailer
        except ModuleNotFoundError:
            raise Misconfigured("PULSE_MAIL_URL names SES, whose client is not here: install pulse[aws].") from None
        return SesMailer(clock, sender=sender, region=settings.aws_region)
    if scheme == "sendgrid" and rest:
        return SendGridMailer(rest, egress, sender=sender)
    raise Misconfigured("PULSE_MAIL_URL must be outbox:, smtp://…, smtps://…, ses: or sendgrid:<key>.")


def build_formats(settings: Settings, egress: Egress, clock: Clock) -> dict[str, Models]:
    """The wire formats by name."""
    formats: dict[str, Models] = {
        "openai": OpenAIModels(egress, clock),
        "openai-responses": ResponsesModels(egress, clock),
        "anthropic": AnthropicModels(egress, clock),
        "google": GoogleModels(egress, clock),
        "mock": MockModels(),
    }
    if find_spec("aiobotocore") is not None:
        formats["bedrock"] = _Later(lambda: _bedrock(settings, clock))
    return formats


def _bedrock(settings: Settings, clock: Clock) -> Models:
    from pulse.models.bedrock import BedrockModels

    return BedrockModels(clock, ambient=settings.aws_ambient == "yes", region=settings.aws_region)


class _Later:
    """A wire format whose libraries take long to import: made when it is first needed; implements `Models`."""

    def __init__(self, make: Callable[[], Models]) -> None:
        self._make = make
        self._made: Models | None = None

    def _known(self) -> Models:
        self._made = self._made or self._make()
        return self._made

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        return await self._known().complete(access, prompt)

    def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        return self._known().stream(access, prompt)

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        return await self._known().embed(access, model, texts)

    async def check(self, access: Access) -> None:
        await self._known().check(access)


def _publisher(settings: Settings) -> Publisher | None:
    if settings.redis_url is None:
        return None
    try:
        from pulse.bus.redis import RedisChannels
    except ModuleNotFoundError:
        raise Misconfigured("REDIS_URL is set, but Redis's client is not here: install pulse[redis].") from None
    return RedisChannels(settings.redis_url)


class _Embedder:
    """The installation's embedding model; implements `Embedder`."""

    def __init__(self, caller: ModelCaller, configuration_id: str) -> None:
        self._caller = caller
        self._configuration_id = configuration_id

    @property
    def name(self) -> str:
        return self._configuration_id

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return (await self._caller.embed(SYSTEM, self._configuration_id, texts)).completion.vectors


def _vectors(settings: Settings, egress: Egress, caller: ModelCaller, index: DatabaseIndex) -> VectorMemory:
    """Documents in the database, or in Pinecone. Raises Misconfigured."""
    wanted = settings.embedding_model_id
    embedder = _Embedder(caller, wanted) if wanted else None
    if settings.vector_backend == "database":
        return VectorMemory(index, embedder=embedder, texts=index)
    if settings.pinecone_host is None or settings.pinecone_api_key is None:
        raise Misconfigured("ASSISTANT_VECTOR_BACKEND=pinecone needs PINECONE_HOST and PINECONE_API_KEY.")
    key = settings.pinecone_api_key.get_secret_value()
    return VectorMemory(PineconeIndex(settings.pinecone_host, key, egress), embedder=embedder)


async def prepare_vectors(models: ModelParts, database: Database) -> None:
    """Has PostgreSQL compare vectors itself, where it has the extension for it."""
    if await has_pgvector(database):
        vectors = PgVectors(database, memory_tables(database.prefix))
        await vectors.prepare()
        models.index.use(vectors)
