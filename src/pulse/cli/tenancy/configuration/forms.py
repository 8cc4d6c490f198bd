"""What each kind of file says. No id appears and no secret: what another file holds is named, secrets are counted.

A field that ends in `From` names a variable of the shell that holds a secret or a value; it is read when it is needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from pulse.cli.workflows.apply import not_json
from pulse.console.bodies import Body, Name
from pulse.core.errors import Fault
from pulse.prompts.faults import storable
from pulse.prompts.records import Scope
from pulse.tenancy.records import SourceKind

FORMAT: Literal["pulse-organization-1"] = "pulse-organization-1"
Text = Annotated[str | None, AfterValidator(lambda text: text or None)]
ShellName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
CredentialSecret = Literal["apiKey", "serviceAccountJson", "accessKeyId", "secretAccessKey", "customHeaders"]
LegacySecret = Literal["token", "clientKey", "secretKey"]
Role = Literal["Admin", "User", "Guest"]
# What somebody may have written into a file, and should not have.
_FROM_SHELL = {
    *("apiKey", "serviceAccountJson", "accessKeyId", "secretAccessKey", "sessionToken", "customHeaders"),
    *("token", "clientKey", "secretKey", "value"),
}
_SECRET_FIELDS = {*_FROM_SHELL, "secret", "password"}


def _sorted(value: Any) -> Any:
    """The same JSON, its names in their order."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


class Form(Body):
    """What every file has in common: a name, by which it is known."""

    name: Name

    def document(self, *without: str) -> dict[str, Any]:
        """As it stands in a file, without what is as usual and without these fields."""
        found = self.model_dump(by_alias=True, exclude_defaults=True)
        return {name: value for name, value in found.items() if name not in without}

    def compared(self) -> dict[str, Any]:
        """What of it can be compared with what is there: nothing of secrets, and of where they come from."""
        return {name: value for name, value in self.document("secrets").items() if not name.endswith("From")}


class OrganizationForm(Form):
    """The organization; `format` marks a folder as one that an export has written."""

    format: Literal["pulse-organization-1"]


class VariableForm(Form):
    """A variable, without its value."""

    value_from: ShellName | None = None


class SourceForm(Form):
    """A source of webhooks, without its secret."""

    kind: SourceKind


class EnvironmentForm(Form):
    """An environment, with what has no file of its own."""

    variables: list[VariableForm] = Field(default_factory=list)
    sources: list[SourceForm] = Field(default_factory=list)


class TeamForm(Form):
    """A team. Without `members` it has those that it had."""

    members: list[str] | None = None
    rights: Annotated[dict[str, Role], AfterValidator(_sorted)] = Field(default_factory=dict)


class CredentialForm(Form):
    """A model credential. `secrets` are those that it has; `authType` is the usual one of the provider, if left out."""

    provider: str
    auth_type: str | None = None
    description: Text = None
    base_url: Text = None
    aws_region: Text = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    is_active: bool = True
    secrets: list[CredentialSecret] = Field(default_factory=list)
    api_key_from: ShellName | None = None
    service_account_json_from: ShellName | None = None
    access_key_id_from: ShellName | None = None
    secret_access_key_from: ShellName | None = None
    session_token_from: ShellName | None = None
    custom_headers_from: dict[str, ShellName] | None = None


class ModelForm(Form):
    """A model configuration. `model` is one of the catalogue; `modelId` is the provider's own name of it."""

    model: str
    credential: Name
    credential_scope: Scope = "organization"
    description: Text = None
    model_id: Text = None
    default_temperature: float | None = 0.7
    default_max_tokens: int | None = None
    default_timeout: int = 30_000
    is_visible: bool = True
    is_default: bool = False
    priority: int = 100


class LegacyForm(Form):
    """A legacy model."""

    model_url: str
    secrets: list[LegacySecret] = Field(default_factory=list)
    token_from: ShellName | None = None
    client_key_from: ShellName | None = None
    secret_key_from: ShellName | None = None


class SetForm(Form):
    """Values for the placeholders of a prompt template."""

    values: Annotated[dict[str, Any], AfterValidator(_sorted)] = Field(default_factory=dict)


class PromptForm(Form):
    """A prompt template with its sets of values."""

    description: Text = None
    model_configuration: Name | None = None
    model_configuration_scope: Scope = "organization"
    system: Text = None
    text: str
    variable_sets: list[SetForm] = Field(default_factory=list)


F = TypeVar("F", bound=Form)


def read_form(kind: type[F], raw: Any) -> tuple[F | None, list[Fault]]:
    """The form, or what is wrong with it, in words that repeat nothing but names of fields."""
    if not isinstance(raw, dict):
        return None, [Fault("", "not_an_object", "This is a mapping: names and what they stand for.")]
    faults = [_plainly(fault) for fault in not_json(raw, "")]
    if faults:
        return None, faults
    try:
        form = kind.model_validate(raw)
    except ValidationError as error:
        return None, [_fault(found["loc"], found["type"], found["msg"]) for found in error.errors()]
    named: list[Form] = [form, *_parts(form)]
    return form, [Fault("name", "invalid_text", _UNSTORABLE) for each in named if not storable(each.name)]


_UNSTORABLE = "A name is Unicode text without NUL characters."


def _parts(form: Form) -> Sequence[Form]:
    if isinstance(form, EnvironmentForm):
        return [*form.variables, *form.sources]
    return form.variable_sets if isinstance(form, PromptForm) else []


def _plainly(fault: Fault) -> Fault:
    if fault.code != "not_json":
        return fault
    return Fault(fault.path, fault.code, "Put this in quotes: it is a date, or something else that JSON does not have.")


def _fault(place: Sequence[str | int], code: str, words: str) -> Fault:
    path = ".".join(map(str, place))
    if code == "extra_forbidden" and place[-1] in _SECRET_FIELDS:
        told = (
            "What is secret has no place in a file: take it out, of the history of git too, and name a shell variable"
        )
        return Fault(path, "secret", f"{told} that holds it, in {place[-1]}From.")
    if code == "extra_forbidden":
        return Fault(path, "unknown_field", "There is no such field.")
    if code == "string_pattern_mismatch":
        told = "This names a variable of the shell, as in OPENAI_API_KEY. A secret itself has no place in a file."
        return Fault(path, "not_a_variable", told)
    return Fault(path, code, f"{words}.")


def relative(file: Path, folder: Path) -> str:
    """A file as people see it: within its folder."""
    return file.relative_to(folder).as_posix()
