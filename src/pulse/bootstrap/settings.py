"""The settings, and the only place that reads the environment (and the TOML file that PULSE_CONFIG names)."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from pulse.core.errors import Misconfigured

MIB = 1 << 20


class Settings(BaseSettings):
    """Each field is set by the environment variable of its alias; the description says what it does."""

    # Under its alias alone: a DATABASE_URL or SECRET_KEY of another program is none of ours.
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    data: Path = Field(
        Path(".pulse"), alias="PULSE_DATA", description="Folder that holds all state of the embedded mode."
    )
    database_url: str | None = Field(
        None, alias="PULSE_DATABASE_URL", description="Database; unset: SQLite in the data folder."
    )
    objects_url: str | None = Field(
        None,
        alias="PULSE_OBJECTS_URL",
        description="Object store of the archive (file:///…, s3://bucket/prefix); unset: in the data folder.",
    )
    bus_url: str | None = Field(
        None,
        alias="PULSE_BUS_URL",
        description="Announcements between processes (memory:, redis://…); unset: REDIS_URL, or memory:.",
    )
    redis_url: str | None = Field(None, alias="REDIS_URL", description="Redis, where PULSE_BUS_URL names none.")
    mail_url: SecretStr | None = Field(
        None,
        alias="PULSE_MAIL_URL",
        description="How mail leaves (outbox:, smtp://user:password@host:587, ses:, sendgrid:key); unset: outbox:.",
    )
    mail_from: str | None = Field(None, alias="PULSE_MAIL_FROM", description="Who mail is from, where it does not say.")
    egress_allow: str | None = Field(
        None,
        alias="EGRESS_ALLOW",
        description="Private addresses that scripts and models may reach all the same: host, host:port or CIDR, with "
        "commas between them.",
    )
    aws_region: str = Field("us-east-2", alias="AWS_REGION", description="AWS region, where nothing else names one.")
    aws_ambient: Literal["no", "yes"] = Field(
        "no",
        alias="PULSE_AWS_AMBIENT",
        description="Whether bedrock:// and credentials without keys may use this machine's own AWS rights.",
    )
    embedding_model_id: str | None = Field(
        None,
        alias="EMBEDDING_MODEL_ID",
        description="Model configuration (of the installation) that embeds documents; unset: they are found by words.",
    )
    vector_backend: Literal["database", "pinecone"] = Field(
        "database", alias="ASSISTANT_VECTOR_BACKEND", description="Where documents are kept for vectorSearch."
    )
    pinecone_host: str | None = Field(None, alias="PINECONE_HOST", description="Host of the Pinecone index for that.")
    pinecone_api_key: SecretStr | None = Field(None, alias="PINECONE_API_KEY", description="Key of that index.")
    assistant_organization_id: str | None = Field(
        None,
        alias="ASSISTANT_WORKFLOW_ORG_ID",
        description="Organization whose workflows may speak for others as the assistant.",
    )
    assistant_environment_id: str | None = Field(
        None, alias="ASSISTANT_WORKFLOW_ENV_ID", description="Environment of the assistant's workflows."
    )
    secret_key: SecretStr | None = Field(
        None,
        alias="PULSE_SECRET_KEY",
        description="Master key for stored secrets, old keys after it; made in the data folder if unset.",
    )
    public_url: str | None = Field(
        None,
        alias="PULSE_PUBLIC_URL",
        description="Where people reach this installation (https://pulse.example.com); unset: where it listens.",
    )
    oidc_issuer: str | None = Field(
        None,
        alias="PULSE_OIDC_ISSUER",
        description="Identity provider (OpenID Connect) that people may sign in with; it sends them back to "
        "/api/session/oidc/callback of PULSE_PUBLIC_URL.",
    )
    oidc_client_id: str | None = Field(
        None, alias="PULSE_OIDC_CLIENT_ID", description="What this installation is called at the identity provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, alias="PULSE_OIDC_CLIENT_SECRET", description="Its secret there; unset: a public client (PKCE alone)."
    )
    oidc_name: str | None = Field(
        None, alias="PULSE_OIDC_NAME", description="What the button of that sign-in says; unset: single sign-on."
    )
    oidc_create_users: Literal["no", "yes"] = Field(
        "no",
        alias="PULSE_OIDC_CREATE_USERS",
        description="Whether whoever signs in there with a verified mail address becomes a user here.",
    )
    stripe_secret_key: SecretStr | None = Field(
        None,
        alias="STRIPE_SECRET_KEY",
        description="Key of the Stripe account that plans are sold by; unset: none are.",
    )
    stripe_webhook_secret: SecretStr | None = Field(
        None,
        alias="STRIPE_WEBHOOK_SECRET",
        description="Signing secret of the endpoint /api/stripe/webhook there; while it is rotated both, with a comma.",
    )
    stripe_url: str = Field(
        "https://api.stripe.com", alias="PULSE_STRIPE_URL", description="Stripe's API; another address for tests."
    )
    app: str | None = Field(
        None,
        alias="PULSE_APP",
        description="Engine of an application that `pulse up` runs as well (module:engine); `pulse runs` is about it.",
    )
    trusted_proxies: str | None = Field(
        None,
        alias="PULSE_TRUSTED_PROXIES",
        description="Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses and networks.",
    )
    max_message_bytes: int = Field(
        MIB, alias="MAX_MESSAGE_BYTES", ge=1024, le=16 * MIB, description="Largest message, in bytes."
    )
    message_timeout_ms: int = Field(
        900_000, alias="MESSAGE_TIMEOUT", ge=100, description="Longest life of one evaluation, in ms."
    )
    message_retention_days: int = Field(
        30, alias="MESSAGE_RETENTION_DAYS", ge=1, description="Days that ended messages are kept."
    )
    cache_refresh_seconds: int = Field(
        300, alias="CACHE_REFRESH_SECONDS", ge=1, description="How often workflows are read again."
    )
    results_layout: Literal["segment", "object"] = Field(
        "segment", alias="RESULTS_LAYOUT", description="Archive as segments only, or one object a message besides."
    )
    sandbox_realm: Literal["fresh", "verified"] = Field(
        "verified", alias="SANDBOX_REALM", description="A new realm for each message, or one that proved to be clean."
    )
    sandbox_walls: Literal["auto", "required", "off"] = Field(
        "auto", alias="SANDBOX_WALLS", description="Landlock and seccomp around sandbox processes."
    )
    sandbox_idle_max: int = Field(
        16, alias="SANDBOX_IDLE_MAX", ge=0, description="Idle sandbox processes that are kept."
    )
    script_timeout_ms: int = Field(
        5_000, alias="SCRIPT_TIMEOUT", ge=50, description="Longest run without a pause, in ms."
    )
    isolate_memory: int = Field(
        128, alias="ISOLATE_MEMORY", ge=32, le=4096, description="Memory of a sandbox process, in MiB."
    )
    worker_pool_size: int = Field(
        4, alias="WORKER_POOL_SIZE", ge=1, description="Sandbox processes that run JavaScript at once."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, InitSettingsSource(settings_cls, _of_file(os.environ.get("PULSE_CONFIG"))))

    @property
    def is_embedded(self) -> bool:
        return self.database_url is None or self.database_url.startswith("sqlite")

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data / 'pulse.db'}"

    @property
    def own_address(self) -> str | None:
        """PULSE_PUBLIC_URL without a slash at its end. Raises Misconfigured."""
        if self.public_url is None:
            return None
        if web_address("PULSE_PUBLIC_URL", self.public_url).path.strip("/"):
            raise Misconfigured("PULSE_PUBLIC_URL must have no path: Pulse has a host name for itself.")
        return self.public_url.rstrip("/")

    @property
    def resolved_objects_url(self) -> str:
        return self.objects_url or (self.data.absolute() / "objects").as_uri()

    @property
    def memory_url(self) -> str:
        """Where short-term memory is: in the same store as the archive, whose keys begin with organizations."""
        return f"{self.resolved_objects_url.rstrip('/')}/memory"

    @property
    def resolved_bus_url(self) -> str:
        return self.bus_url or self.redis_url or "memory:"


def load_settings(data: Path | None = None, **overrides: Any) -> Settings:
    """The settings in force. Raises Misconfigured with a sentence a setting that is wrong."""
    if data is not None:
        overrides["PULSE_DATA"] = data
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise Misconfigured(f"Some settings are not as they must be. {'; '.join(faults)}.") from None


def web_address(name: str, text: str) -> SplitResult:
    """The parts of an address that people or other servers reach. Raises Misconfigured, with the setting's name."""
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_web = urlsplit(""), False
    if not is_web or parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable() or " " in text:
        raise Misconfigured(f"{name} must be an address such as https://id.example.com, and nothing after its path.")
    return parts


def _of_file(name: str | None) -> dict[str, Any]:
    """What the TOML file says, under the names of the environment variables. Raises Misconfigured."""
    if not name:
        return {}
    try:
        with Path(name).open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise Misconfigured(f"PULSE_CONFIG names {name}, which cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Misconfigured(f"PULSE_CONFIG names {name}, which is not TOML: {error}.") from None
    unknown = sorted(values.keys() - {field.alias for field in Settings.model_fields.values()})
    if unknown:
        raise Misconfigured(f"PULSE_CONFIG names {name}, with settings that Pulse does not know: {', '.join(unknown)}.")
    return values


def described(settings: Settings) -> list[tuple[str, str, str]]:
    """(name, value, description) of every setting, with secrets masked."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        rows.append((str(field.alias), "" if value is None else _masked(str(value)), field.description or ""))
    return rows


def _masked(text: str) -> str:
    """The setting without the passwords that an address may hold."""
    text = re.sub(r"(://[^:/?#]*:).*@", r"\1***@", text)
    return re.sub(r"(?i)([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*", r"\1***", text)
