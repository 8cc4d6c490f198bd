"""The bodies of the API, as pydantic reads them: unknown fields are refused, faults have their path."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from pulse.tenancy.variables import MAX_VALUE, NAME

Name = Annotated[str, Field(min_length=1, max_length=200)]
# Checked by the store, whose words never repeat a value.
VariableName = Annotated[str, Field(json_schema_extra={"pattern": NAME})]
Value = Annotated[SecretStr, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_VALUE})]
IDENTIFIER = r"^[A-Za-z_$][A-Za-z0-9_$]{0,63}$"


class Body(BaseModel):
    """What every body is like: camelCase, and nothing unknown."""

    # Bodies come from outside only: they have no other names than those that people see.
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)  # type: ignore[pydantic-alias]


class NamedBody(Body):
    """Something that has only a name."""

    name: Name


class Argument(Body):
    """An argument of an entity: it becomes a global of this name."""

    name: Annotated[str, Field(pattern=IDENTIFIER)]
    argument_value: Any = None


class Branch(Body):
    """A branch of a Multi event."""

    name: str
    value: str | int | float | bool


class EntityBody(Body):
    """A workflow entity (platform.md 5)."""

    name: Name
    entity_type: Literal["event", "prompt", "action", "result"]
    description: str | None = None
    organization_id: str | None = None
    environment_id: str | None = None
    condition: dict[str, Any] | None = None
    tf_condition: Literal["Single Path", "True/False", "Multi", "Iterable"] = "Single Path"
    logic_field: str | None = None
    logic: list[Branch] = []
    pre_script: str | None = None
    post_script: str | None = None
    script: str | None = None
    arguments: list[Argument] = []
    prompt: str | None = None
    model_configuration_id: str | None = None
    image_recognition: bool | None = None
    result_status: str | None = None
    on_error: Literal["stop", "continue"] | None = None
    workflow_entity_type_id: str | None = None
    model_id: str | None = None


class WorkflowBody(Body):
    """A workflow; `workflowData` keeps fields that Pulse does not know."""

    name: Name
    description: str | None = None
    organization_id: str | None = None
    environment_id: str | None = None
    is_active: bool = True
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 100
    workflow_data: dict[str, Any] = Field(default_factory=dict)


class CopyBody(Body):
    """Where the copy of a workflow shall be (an environment's id or name), and its name there if it is another one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"environmentId": "production"}]})

    environment_id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Name | None = None


class TriggerBody(Body):
    """A message to one workflow, entered at its first node or at the given entity."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"payload": {"number": 7}}]})

    payload: Any = None
    entity_id: str | None = None


class Pin(Body):
    """What a node comes to in a test run: it only sets these names; an event's condition is what is said here."""

    globals: dict[str, Any] = {}
    condition: bool | None = None


class TestBody(Body):
    """A test run. `pins` go by a node's id or name; `effects` are answers by function, `allow` those to be executed.

    `workflowData` is a draft in the place of what is stored; `at` the time that scripts see.
    """

    message: dict[str, Any]
    pins: dict[str, Pin] = {}
    effects: dict[str, Any] = {}
    allow: list[str] = []
    entity_id: str | None = None
    workflow_data: dict[str, Any] | None = None
    at: str | None = None


class ReplayOneBody(Body):
    """How to send a message again: with another payload or as another message, on the present or its old version.

    With `reuseEffects` it takes over what a failed message's scripts did already, instead of doing it again.
    """

    payload: Any = None
    message: dict[str, Any] | None = None
    version: Literal["current", "old"] = "current"
    reuse_effects: bool = False


class ReplayBody(Body):
    """Which messages to send again; `dryRun` only counts them.

    `after` goes on behind a message of that id: `next` in the answer is what to give for the next part.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "fail", "from": "2026-01-31T12:00:00Z", "dryRun": True}]}
    )

    status: Literal["success", "fail", "ignore", "canceled"] | None = None
    type: str | None = None
    workflow_id: str | None = None
    environment_id: str | None = None
    from_: str | None = Field(None, alias="from")
    to: str | None = None
    ids: list[str] | None = Field(None, min_length=1, max_length=1_000)
    limit: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    after: str | None = None
    version: Literal["current", "old"] = "current"
    reuse_effects: bool = False
    dry_run: bool = False


class ValueBody(Body):
    """A new value of a variable. It is never shown again."""

    value: Value


class VariableBody(ValueBody):
    """A new variable of an environment."""

    name: VariableName
    organization_id: str | None = None
    environment_id: str | None = None
