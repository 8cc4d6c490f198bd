"""The settings, and the only place that reads the environment (and the TOML file that PULSE_CONFIG names)."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

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
    secret_key: SecretStr | None = Field(
        None,
        alias="PULSE_SECRET_KEY",
        description="Master key for stored secrets, old keys after it; made in the data folder if unset.",
    )
    app: str | None = Field(
        None,
        alias="PULSE_APP",
        description="Engine of an application that `pulse up` runs as well (module:engine); `pulse runs` is about it.",
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
    def resolved_objects_url(self) -> str:
        return self.objects_url or (self.data.absolute() / "objects").as_uri()

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
