"""Model configurations of an organization, and what prompt templates and workflows name of them."""

from functools import partial

from pulse.cli.models.choosing import CONFIGURATIONS
from pulse.cli.tenancy.configuration.changes import Owned, Planned, Target, put
from pulse.cli.tenancy.configuration.folder import Filed
from pulse.cli.tenancy.configuration.forms import ModelForm
from pulse.cli.tenancy.configuration.present import Present, Row
from pulse.core.errors import Fault, NotFound
from pulse.models.catalogue import Definition, read
from pulse.prompts.faults import configuration_faults
from pulse.prompts.records import ConfigurationDraft

NOUN = "model configuration"
SAME = (
    "name",
    "description",
    "modelId",
    "defaultTemperature",
    "defaultMaxTokens",
    "defaultTimeout",
    "isVisible",
    "isDefault",
    "priority",
)


def model_of(row: Row, present: Present) -> ModelForm:
    """What a file would say of a configuration."""
    scope, name = next(
        (key for key, each in present.scoped(present.credentials).items() if each["id"] == row["credentialId"])
    )
    fields = {field: row[field] for field in SAME}
    used = {"model": row["modelDefinitionId"], "credential": name, "credentialScope": scope}
    return ModelForm.model_validate({**fields, **used})


def plan_models(planned: Planned) -> None:
    there = planned.present.own(planned.present.models)
    defaults: dict[str, str] = {}
    for filed in planned.folder.models:
        row = there.get(filed.form.name)
        before = None if row is None else model_of(row, planned.present)
        form, definition = _checked(planned, filed, before)
        if form.is_default and definition is not None:
            _one_default(planned, filed, definition.category, defaults)
        old = None if before is None else before.compared()
        planned.compare(NOUN, form.name, old, form.compared(), partial(_send, form, row))
    wanted = [filed.form.name for filed in planned.folder.models]
    planned.leave(NOUN, there, wanted)
    for name in sorted(there.keys() - set(wanted)):
        definition = _definition(there[name]["modelDefinitionId"])
        if there[name]["isDefault"] and definition is not None and definition.category in defaults:
            taken = f"{defaults[definition.category]!r} of the folder is the default"
            planned.notes.append(f"The {NOUN} {name!r} is no default any more: {taken}.")


def _definition(definition_id: str) -> Definition | None:
    try:
        return read().definition(definition_id)
    except NotFound:
        return None


def _checked(
    planned: Planned, filed: Filed[ModelForm], before: ModelForm | None
) -> tuple[ModelForm, Definition | None]:
    """The configuration as it will be, and its model; what is as it was need not be checked."""
    form, definition = filed.form, _definition(filed.form.model)
    if before is not None and form.default_max_tokens is None and before.model == form.model:
        form = form.model_copy(update={"default_max_tokens": before.default_max_tokens})
    if before is not None and before.compared() == form.compared():
        return form, definition
    if definition is None:
        words = "There is no such model in the catalogue: `pulse models providers --models` lists them."
        planned.problems.add(filed.file, Fault("model", "unknown_model", words))
        return form, None
    draft = ConfigurationDraft(
        name=form.name,
        definition_id=form.model,
        credential_id="",
        description=form.description,
        model_id=form.model_id,
        default_temperature=form.default_temperature,
        default_max_tokens=form.default_max_tokens,
        default_timeout_ms=form.default_timeout,
        priority=form.priority,
    )
    planned.problems.add(filed.file, *configuration_faults(draft, definition), *_credential(planned, form, definition))
    return form, definition


def _credential(planned: Planned, form: ModelForm, definition: Definition) -> list[Fault]:
    """What is wrong with the credential that is named."""
    providers = {key: row["providerId"] for key, row in planned.present.scoped(planned.present.credentials).items()}
    providers |= {("organization", each.form.name): each.form.provider for each in planned.folder.credentials}
    wanted: Owned = (form.credential_scope, form.credential)
    if wanted not in providers:
        return [
            Fault(
                "credential", "unknown_credential", _unknown("credential", wanted, ("system", wanted[1]) in providers)
            )
        ]
    if providers[wanted] != definition.provider:
        words = f"This credential is for {providers[wanted]}, the model is of {definition.provider}."
        return [Fault("credential", "wrong_provider", words)]
    return []


def _one_default(planned: Planned, filed: Filed[ModelForm], category: str, defaults: dict[str, str]) -> None:
    first = defaults.setdefault(category, filed.form.name)
    if first != filed.form.name:
        words = f"{first!r} is the default for {category} already: there is one."
        planned.problems.add(filed.file, Fault("isDefault", "two_defaults", words))


def known_models(planned: Planned) -> set[Owned]:
    """The configurations that are there, or will be."""
    made: set[Owned] = {("organization", each.form.name) for each in planned.folder.models}
    return made | planned.present.scoped(planned.present.models).keys()


def unknown_model(planned: Planned, wanted: Owned) -> list[Fault]:
    """What is wrong with the configuration that something names as `modelConfiguration`."""
    known = known_models(planned)
    if wanted in known:
        return []
    words = _unknown("model configuration", wanted, ("system", wanted[1]) in known)
    return [Fault("modelConfiguration", "unknown_configuration", words)]


def _unknown(noun: str, wanted: Owned, is_systems: bool) -> str:
    if wanted[0] == "system":
        return f"The installation has no {noun} {wanted[1]!r}."
    words = f"There is no {noun} {wanted[1]!r}, in the folder or there."
    field = "credentialScope" if noun == "credential" else "modelConfigurationScope"
    return f"{words} Where the installation's is meant, say {field}: system." if is_systems else words


async def _send(form: ModelForm, row: Row | None, target: Target) -> None:
    fields = form.model_dump(by_alias=True)
    body = {name: fields[name] for name in SAME}
    used = target.credentials[form.credential_scope, form.credential]
    scope = {} if row is not None else {"scope": "organization"}
    body |= {"modelDefinitionId": form.model, "credentialId": used, **scope}
    stored = await put(target.at(), CONFIGURATIONS, row, body)
    target.models["organization", form.name] = stored["id"]
