"""The records of credentials, configurations and legacy models, frozen. None of them shows a secret."""

from dataclasses import dataclass, field
from typing import Literal

from pulse.prompts.buckets import Limits
from pulse.prompts.secrets import Secrets

# What belongs to the installation, and to no organization, is kept under this id; no organization can have it.
SYSTEM = "system"
# A legacy model behind this is asked at AWS Bedrock, with the installation's own rights.
BEDROCK = "bedrock://"
Scope = Literal["system", "organization"]
AuthType = Literal["api_key", "service_account", "iam", "custom_headers", "none"]
AUTH_TYPES: tuple[AuthType, ...] = ("api_key", "service_account", "iam", "custom_headers", "none")


def scope_of(organization_id: str) -> Scope:
    return "system" if organization_id == SYSTEM else "organization"


@dataclass(frozen=True)
class CredentialDraft:
    """A credential as somebody wants it (platform.md 7.1). `provider` is the provider's slug.

    `base_url` replaces the provider's address, for servers that speak its format. In `secrets` None keeps what is
    stored and an empty text (for headers: an empty mapping) removes it.
    """

    name: str
    provider: str
    auth_type: str = "api_key"
    description: str | None = None
    base_url: str | None = None
    aws_region: str | None = None
    limits: Limits = field(default_factory=Limits)
    is_active: bool = True
    secrets: Secrets = field(default_factory=Secrets, repr=False)


@dataclass(frozen=True)
class Credential:
    """A way to a provider, as everybody may see it: `has_…` instead of what is secret."""

    id: str
    organization_id: str
    provider: str
    name: str
    description: str | None
    auth_type: AuthType
    base_url: str | None
    aws_region: str | None
    limits: Limits
    is_active: bool
    has_api_key: bool
    has_service_account: bool
    has_access_keys: bool
    has_custom_headers: bool
    last_validated: int | None
    validation_error: str | None
    last_used_at: int | None
    revision: int
    created_at: int
    updated_at: int

    @property
    def scope(self) -> Scope:
        return scope_of(self.organization_id)


@dataclass(frozen=True)
class ConfigurationDraft:
    """A configuration as somebody wants it: a model, how it is reached, and what is asked of it by default.

    `definition_id` is one of the catalogue's; `model_id` replaces the provider's name of the model, for fine-tuned
    ones, inference profiles and servers of one's own. `default_max_tokens` None is 4,096, or as many as the model
    gives; `default_timeout_ms` bounds a call with all its tries.
    """

    name: str
    definition_id: str
    credential_id: str
    description: str | None = None
    model_id: str | None = None
    default_temperature: float | None = 0.7
    default_max_tokens: int | None = None
    default_timeout_ms: int = 30_000
    is_visible: bool = True
    is_default: bool = False
    priority: int = 100


@dataclass(frozen=True)
class Configuration:
    """A model that is ready to use. `category` is the definition's; the lowest `priority` comes first."""

    id: str
    organization_id: str
    name: str
    description: str | None
    definition_id: str
    credential_id: str
    category: str
    model_id: str | None
    default_temperature: float | None
    default_max_tokens: int
    default_timeout_ms: int
    is_visible: bool
    is_default: bool
    priority: int
    revision: int
    created_at: int
    updated_at: int

    @property
    def scope(self) -> Scope:
        return scope_of(self.organization_id)


@dataclass(frozen=True)
class LegacyDraft:
    """A legacy model as somebody wants it (platform.md 7.2): an address of http or https, or bedrock://<model-id>.

    Of `secrets` it has the token (`api_key`) or the client's key and secret (`access_key`, `secret_key`), never both
    kinds. In a change None keeps what is stored, an empty text removes it, and the kind that is given replaces the
    other one.
    """

    name: str
    url: str
    secrets: Secrets = field(default_factory=Secrets, repr=False)


@dataclass(frozen=True)
class LegacyModel:
    """A legacy model, as everybody may see it: `has_…` instead of what is secret."""

    id: str
    organization_id: str
    name: str
    url: str
    has_token: bool
    has_keys: bool
    revision: int
    created_at: int
    updated_at: int

    @property
    def scope(self) -> Scope:
        return scope_of(self.organization_id)


@dataclass(frozen=True)
class LegacyAccess:
    """What a request to a legacy model needs. It holds secrets: it is for whoever makes the request."""

    name: str
    url: str
    secrets: Secrets = field(repr=False)


@dataclass(frozen=True)
class Part:
    """A part of a list; `limit` None: all of it from `offset` on."""

    offset: int = 0
    limit: int | None = None


WHOLE = Part()
