"""Prompt templates of an environment, with their sets of values."""

from functools import partial

from pulse.cli.session import part
from pulse.cli.tenancy.configuration.changes import Planned, Target, put
from pulse.cli.tenancy.configuration.folder import EnvironmentFolder, Filed
from pulse.cli.tenancy.configuration.forms import PromptForm, SetForm
from pulse.cli.tenancy.configuration.models import unknown_model
from pulse.cli.tenancy.configuration.present import PROMPT_TEMPLATES, Present, PresentEnvironment, Row
from pulse.core.errors import Fault
from pulse.prompts.templates.faults import set_faults, template_faults
from pulse.prompts.templates.records import TemplateDraft
from pulse.prompts.templates.sets import MAX_SETS

NOUN, SET = "prompt template", "variable set"


def prompt_of(row: Row, there: PresentEnvironment, present: Present) -> PromptForm:
    """What a file would say of a template."""
    models = {each["id"]: key for key, each in present.scoped(present.models).items()}
    scope, name = models.get(row["modelConfigurationId"], ("organization", None))
    sets = sorted(({"name": each["name"], "values": each["values"]} for each in there.sets[row["id"]]), key=_name)
    fields = {field: row[field] for field in ("name", "description", "system", "text")}
    used = {"modelConfiguration": name, "modelConfigurationScope": scope}
    return PromptForm.model_validate({**fields, **used, "variableSets": sets})


def _name(each: Row) -> str:
    return str(each["name"])


def plan_prompts(planned: Planned, each: EnvironmentFolder) -> None:
    there = planned.present.environments.get(each.name)
    rows = {row["name"]: row for row in there.prompts} if there else {}
    for filed in each.prompts:
        form, row = filed.form, rows.get(filed.form.name)
        _check(planned, filed)
        before = None if row is None or there is None else prompt_of(row, there, planned.present)
        old = None if before is None else _template(before)
        planned.compare(NOUN, form.name, old, _template(form), partial(_send, form, row, each.name), each.name)
        sets = there.sets[row["id"]] if row is not None and there is not None else []
        _plan_sets(planned, each.name, form, {found["name"]: found for found in sets})
    planned.leave(NOUN, rows, [filed.form.name for filed in each.prompts], each.name)


def _template(form: PromptForm) -> Row:
    """The template without its sets of values, which are resources of their own."""
    return form.document("variableSets")


def _check(planned: Planned, filed: Filed[PromptForm]) -> None:
    form = filed.form
    faults = template_faults(TemplateDraft(form.name, form.text, form.system, form.description, None))
    if form.model_configuration is not None:
        faults += unknown_model(planned, (form.model_configuration_scope, form.model_configuration))
    if len(form.variable_sets) > MAX_SETS:
        faults.append(Fault("variableSets", "too_many", f"A template has at most {MAX_SETS:,} sets of values."))
    for at, each in enumerate(form.variable_sets):
        found = set_faults(each.name, each.values)
        faults += [Fault(f"variableSets.{at}.{fault.path}", fault.code, fault.message) for fault in found]
    planned.problems.add(filed.file, *faults)


def _plan_sets(planned: Planned, environment: str, form: PromptForm, there: dict[str, Row]) -> None:
    for each in sorted(form.variable_sets, key=lambda found: found.name):
        row = there.get(each.name)
        before = None if row is None else SetForm.model_validate({"name": row["name"], "values": row["values"]})
        old = None if before is None else before.document()
        name, send = f"{form.name} / {each.name}", partial(_send_set, each, row, (environment, form.name))
        planned.compare(SET, name, old, each.document(), send, environment)
    wanted = [f"{form.name} / {each.name}" for each in form.variable_sets]
    planned.leave(SET, [f"{form.name} / {name}" for name in there], wanted, environment)


async def _send(form: PromptForm, row: Row | None, environment: str, target: Target) -> None:
    used = form.model_configuration
    body = {
        "name": form.name,
        "description": form.description,
        "system": form.system,
        "text": form.text,
        "modelConfigurationId": used and target.models[form.model_configuration_scope, used],
    }
    stored = await put(target.at(environment), PROMPT_TEMPLATES, row, body, revision="version")
    target.prompts[environment, form.name] = stored["id"]


async def _send_set(form: SetForm, row: Row | None, of: tuple[str, str], target: Target) -> None:
    environment, _ = of
    path = f"{PROMPT_TEMPLATES}/{part(target.prompts[of])}/variable-sets"
    await put(target.at(environment), path, row, {"name": form.name, "values": form.values})
