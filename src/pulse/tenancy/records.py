"""The records of tenancy, frozen."""

from dataclasses import dataclass, field
from typing import Literal, get_args

SourceKind = Literal["github", "stripe", "slack", "standard", "hmac", "none"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)


@dataclass(frozen=True)
class Organization:
    """A tenant."""

    id: str
    name: str
    created_at: int
    revision: int = 1


@dataclass(frozen=True)
class Environment:
    """A part of an organization with its own workflows and messages, such as *production*."""

    id: str
    organization_id: str
    name: str
    created_at: int
    revision: int = 1


@dataclass(frozen=True)
class ApiKey:
    """A key, as it is kept: the secret part only as its SHA-256. `scopes` empty: it may do everything in its place."""

    id: str
    organization_id: str
    environment_id: str
    name: str
    scopes: tuple[str, ...] = ()
    created_at: int = 0
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def has_ended(self, now: int) -> bool:
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


@dataclass(frozen=True)
class Source:
    """Somebody who sends webhooks. `id` stands in the address and cannot be guessed; `secrets`: newest first."""

    id: str
    organization_id: str
    environment_id: str
    name: str
    kind: SourceKind
    created_at: int
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Variable:
    """A variable of an environment, without its value; each new value is a new `version`."""

    id: str
    organization_id: str
    environment_id: str
    name: str
    version: int
    created_at: int
    updated_at: int
    last_used_at: int | None = None
