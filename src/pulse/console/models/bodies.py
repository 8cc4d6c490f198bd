"""The bodies of models, prompt templates and their runs. What they say is checked by the stores."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from pulse.console.bodies import Body, Name
from pulse.prompts.records import Scope

ModelType = Literal["user", "system"]
# Whose a legacy model is, and what that is called elsewhere.
SCOPES: Mapping[ModelType, Scope] = {"user": "organization", "system": "system"}


class OwnedBody(Body):
    """What belongs to an organization (the key's, unless named), or with the scope `system` to the installation."""

    scope: Scope | None = None
    organization_id: str | None = None


class CredentialBody(OwnedBody):
    """A credential (platform.md 7.1). What is secret goes in and is never shown.

    In a change a secret that is left out stays as it is, and one that is empty is removed. `baseUrl` is for servers of
    one's own that speak the provider's format; without `authType` it is the provider's.
    """

    name: Name
    provider_id: str
    description: str | None = None
    auth_type: str | None = None
    base_url: str | None = None
    aws_region: str | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    is_active: bool = True
    api_key: SecretStr | None = None
    service_account_json: SecretStr | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    custom_headers: dict[str, SecretStr] | None = None


class ConfigurationBody(OwnedBody):
    """A configuration (platform.md 7.1): a model, its credential, and what is asked by default.

    `modelId` replaces the provider's name of the model. `defaultTimeout` is in milliseconds and bounds a call with all
    its tries; `defaultTemperature` null leaves the temperature to the model.
    """

    name: Name
    model_definition_id: str
    credential_id: str
    description: str | None = None
    model_id: str | None = None
    default_temperature: float | None = 0.7
    default_max_tokens: int | None = None
    default_timeout: int = 30_000
    is_visible: bool = True
    is_default: bool = False
    priority: int = 100


class LegacyModelBody(Body):
    """A legacy model (platform.md 7.2). `modelUrl` is an address of http or https, or bedrock://<model-id>.

    It has a `token`, or a `clientKey` and a `secretKey`, never both kinds; they go in and are never shown. In a change
    what is left out stays as it is, what is empty is removed, and the kind that is given replaces the other one.
    """

    name: Name
    model_url: str
    model_type: ModelType | None = None
    organization_id: str | None = None
    token: SecretStr | None = None
    client_key: SecretStr | None = None
    secret_key: SecretStr | None = None

    @property
    def scope(self) -> Scope | None:
        return None if self.model_type is None else SCOPES[self.model_type]


class TemplateBody(Body):
    """A prompt template. `text` and `system` may have {{placeholders}}; the model is what is offered first."""

    name: Name
    text: str
    system: str | None = None
    description: str | None = None
    model_configuration_id: str | None = None
    organization_id: str | None = None
    environment_id: str | None = None


class VariableSetBody(Body):
    """Values for the placeholders of a template, under a name."""

    name: Name
    values: dict[str, Any] = Field(default_factory=dict)


class VariantBody(Body):
    """One column of a run; without a version it is the newest one."""

    model_configuration_id: str
    version: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    temperature: float | None = None
    max_tokens: int | None = None


class RowBody(Body):
    """One row of a run: values for the placeholders, and addresses of pictures that go with the text."""

    name: str | None = None
    values: dict[str, Any] = Field(default_factory=dict)
    images: list[str] = Field(default_factory=list)


class RunBody(Body):
    """A run: every row (of the sets named, then those given; none: one without values) with every variant.

    Without variants it is the template's model, or the default one. `sentiment` is "lexicon", null, or the id of the
    configuration that is asked; `schema` a JSON Schema for the answers. Assertions are objects with a `type`:
    contains, not_contains, regex, json_schema, javascript, judge, sentiment.
    """

    variants: list[VariantBody] = Field(default_factory=list)
    set_ids: list[str] = Field(default_factory=list)
    rows: list[RowBody] = Field(default_factory=list)
    assertions: list[Any] = Field(default_factory=list)
    sentiment: str | None = "lexicon"
    schema_: dict[str, Any] | None = Field(None, alias="schema")
