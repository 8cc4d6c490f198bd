"""The organization and its environments, with what has no file of its own: variables and sources."""

import shlex
from functools import partial
from pathlib import Path
from typing import Any

from pulse.cli.tenancy.configuration.changes import Change, Planned, Target
from pulse.cli.tenancy.configuration.folder import ORGANIZATION, EnvironmentFolder
from pulse.cli.tenancy.configuration.forms import (
    FORMAT,
    EnvironmentForm,
    OrganizationForm,
    SourceForm,
    VariableForm,
    read_form,
)
from pulse.cli.tenancy.configuration.present import PresentEnvironment
from pulse.cli.workflows.apply import Kind
from pulse.core.errors import Fault, InvalidFields
from pulse.tenancy.places.changing import check_name
from pulse.tenancy.variables import name_faults, value_faults


def environment_of(there: PresentEnvironment) -> EnvironmentForm:
    """What a file would say of an environment. Two sources of one name and kind differ in nothing that it says."""
    variables = sorted(row["name"] for row in there.variables)
    sources = sorted({(row["name"], row["kind"]) for row in there.sources})
    fields = {
        "name": there.row["name"],
        "variables": [{"name": name} for name in variables],
        "sources": [{"name": name, "kind": kind} for name, kind in sources],
    }
    return EnvironmentForm.model_validate(fields)


def plan_organization(planned: Planned) -> None:
    there = planned.present.organization
    if there is None:
        file = planned.folder.path / ORGANIZATION
        planned.problems.add(file, *read_form(OrganizationForm, {"format": FORMAT, "name": planned.name})[1])
        _check_name(planned, file, planned.name)
    kind: Kind = "create" if there is None else "unchanged"
    planned.changes.append(Change("organization", planned.name, kind, send=_send_organization))


async def _send_organization(target: Target) -> None:
    made = await target.pulse.call("POST", "/api/organizations", body={"name": target.name})
    target.organization = made["id"]


def plan_environments(planned: Planned) -> None:
    there = {row["name"] for row in planned.present.places}
    for each in planned.folder.environments:
        if each.name not in there:
            _check_name(planned, each.filed.file, each.name)
        kind: Kind = "unchanged" if each.name in there else "create"
        planned.changes.append(Change("environment", each.name, kind, send=partial(_send_environment, each.name)))
    planned.leave("environment", there, [each.name for each in planned.folder.environments])


async def _send_environment(name: str, target: Target) -> None:
    body = {"name": name, "organizationId": target.organization}
    target.environments[name] = (await target.pulse.call("POST", "/api/environments", body=body))["id"]


def _check_name(planned: Planned, file: Path, name: str) -> None:
    try:
        check_name(name)
    except InvalidFields as error:
        planned.problems.add(file, *error.faults)


def plan_contents(planned: Planned, each: EnvironmentFolder) -> None:
    """The variables and the sources of an environment."""
    there = planned.present.environments.get(each.name)
    variables = {row["name"] for row in there.variables} if there else set()
    for variable in each.filed.form.variables:
        _plan_variable(planned, each, variable, is_there=variable.name in variables)
    wanted = [variable.name for variable in each.filed.form.variables]
    planned.leave("variable", variables, wanted, each.name)
    sources = {_told(source) for source in environment_of(there).sources} if there else set()
    for source in each.filed.form.sources:
        _plan_source(planned, each.name, source, is_there=_told(source) in sources)
    planned.leave("source", sources, [_told(source) for source in each.filed.form.sources], each.name)


def _plan_variable(planned: Planned, each: EnvironmentFolder, form: VariableForm, *, is_there: bool) -> None:
    value = planned.shell.get(form.value_from or "") or None
    faults = [*name_faults(form.name), *(value_faults(value) if value is not None and not is_there else [])]
    place = f"variables.{form.name}"
    planned.problems.add(each.filed.file, *(Fault(place, fault.code, fault.message) for fault in faults))
    if not is_there and value is None:
        words = ["pulse", "variables", "set", form.name, "--organization", planned.name, "--environment", each.name]
        missing = f"The variable {form.name!r} of {each.name} has no value there, and is not made"
        planned.notes.append(f"{missing}: set it with `{shlex.join(words)}`{_or_shell(form)}.")
        return

    kind: Kind = "unchanged" if is_there else "create"
    send = partial(_post, each.name, "/api/variables", {"name": form.name, "value": value})
    planned.changes.append(Change("variable", form.name, kind, environment=each.name, send=send))


def _plan_source(planned: Planned, environment: str, form: SourceForm, *, is_there: bool) -> None:
    send = partial(_post, environment, "/api/sources", {"name": form.name, "kind": form.kind})
    kind: Kind = "unchanged" if is_there else "create"
    planned.changes.append(Change("source", _told(form), kind, environment=environment, send=send))
    if not is_there:
        planned.notes.append(
            f"The source {form.name!r} of {environment} is new: `pulse sources list` has its address"
            f"{'' if form.kind == 'none' else ', and `pulse sources rotate` a secret for its sender'}."
        )


def _or_shell(form: VariableForm) -> str:
    return ", or the shell variable that the file names" if form.value_from else ""


async def _post(environment: str, path: str, body: dict[str, Any], target: Target) -> None:
    await target.at(environment).post(path, body)


def _told(form: SourceForm) -> str:
    return f"{form.name} ({form.kind})"
