"""Code workflows: those of an application's engine, under the commands of the drawn ones."""

from typing import Annotated, Any

import typer
import yaml

from pulse.cli.output import print_json, print_table, print_text, run
from pulse.cli.runs.application import Application, application, as_json, time_of
from pulse.cli.session import Data
from pulse.core.errors import InvalidInput, NotFound
from pulse.engine.records import WorkflowDefinition

Code = Annotated[
    bool, typer.Option("--code", help="The code workflows of the application that PULSE_APP names, not drawn ones.")
]
PAGE = 1000


def is_meant(app: str | None, code: bool, tenant: str | None, organization: str | None = None) -> bool:
    """Whether a command is about code workflows; refuses what belongs to the other kind."""
    meant = app is not None or code
    if tenant is not None and not meant:
        raise typer.BadParameter("Only code workflows have a tenant: add --app or --code.", param_hint="--tenant")
    if organization is not None and meant:
        raise typer.BadParameter("Code workflows have a tenant: say --tenant.", param_hint="--organization")
    return meant


def list_(app: str | None, tenant: str | None, data: Data, *, json_: bool) -> None:
    async def work() -> None:
        async with application(app, data) as opened:
            found = await _all(opened, tenant)
        if json_:
            return print_json({"data": [as_json(each) for each in found]})
        columns = ("Id", "Name", "Tenant", "Starts on", "Schedule", "Enabled", "Version", "Updated")
        print_table(columns, map(_line, found), "No workflows yet: make one with `await engine.create_workflow(…)`.")

    run(work)


def show(workflow: str, app: str | None, tenant: str | None, data: Data, *, json_: bool) -> None:
    async def work() -> None:
        async with application(app, data) as opened:
            found = await _one(opened, workflow, tenant)
        if json_:
            return print_json(as_json(found))
        head = {"id": found.id, "version": found.version, "isEnabled": found.is_enabled}
        shown = {**head, **found.definition, "isEnabled": found.is_enabled}
        print_text(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120))

    run(work)


def switch(workflow: str, app: str | None, tenant: str | None, data: Data, *, on: bool, json_: bool) -> None:
    async def work() -> None:
        async with application(app, data) as opened:
            engine, found = opened.engine, await _one(opened, workflow, tenant)
            await (engine.enable_workflow if on else engine.disable_workflow)(found.id)
            changed = await engine.get_workflow(found.id)
        if json_:
            return print_json(None if changed is None else as_json(changed))
        print_text(f"{found.name} is {'on' if on else 'off'}")

    run(work)


async def _all(opened: Application, tenant: str | None) -> list[WorkflowDefinition]:
    found: list[WorkflowDefinition] = []
    page: list[WorkflowDefinition] | None = None
    while page is None or len(page) == PAGE:
        page = await opened.engine.list_workflows(tenant, limit=PAGE, after=found[-1].id if found else None)
        found += page
    return found


async def _one(opened: Application, workflow: str, tenant: str | None) -> WorkflowDefinition:
    """By id, or by a name that one tenant has. Raises NotFound, InvalidInput."""
    by_id = await opened.engine.get_workflow(workflow, tenant_id=tenant)
    if by_id is not None:
        return by_id
    named = [each for each in await _all(opened, tenant) if each.name == workflow]
    if not named:
        raise NotFound(f"There is no code workflow {workflow!r}{'' if tenant is None else f' of {tenant!r}'}.")
    if len(named) > 1:
        owners = ", ".join(each.tenant_id for each in named[:10])
        raise InvalidInput(f"Several tenants have a workflow {workflow!r}: say whose with --tenant: {owners}.")
    return named[0]


def _line(each: WorkflowDefinition) -> tuple[Any, ...]:
    enabled = "yes" if each.is_enabled else "no"
    updated = time_of(each.updated_at)
    return (each.id, each.name, each.tenant_id, each.trigger_type, each.cron_expression, enabled, each.version, updated)
