"""Code workflows: those of an application's engine, under the commands of the drawn ones."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import typer
import yaml

from pulse.cli.options import At, Data, Environment, Json, Options, Organization, in_environment
from pulse.cli.output import Answer, print_table, print_text, run
from pulse.cli.runs.application import App, Application, Tenant, application, as_json, time_of
from pulse.core.errors import InvalidInput, NotFound
from pulse.engine.records import WorkflowDefinition

Code = Annotated[
    bool, typer.Option("--code", help="The code workflows of the application that PULSE_APP names, not drawn ones.")
]
PAGE = 1000


@dataclass(frozen=True)
class WorkflowOptions(Options[At]):
    """Of commands that are about drawn workflows or about code workflows; what they open is for the drawn ones."""

    organization: Organization = None
    environment: Environment = None
    app: App = None
    code: Code = False
    tenant: Tenant = None
    data: Data = None
    json: Json = False

    def open(self) -> AbstractAsyncContextManager[At]:
        return in_environment(self.data, self.organization, self.environment)

    def mean_code(self) -> bool:
        """Whether code workflows are meant; refuses what belongs to the other kind."""
        meant = self.app is not None or self.code
        if self.tenant is not None and not meant:
            raise typer.BadParameter("Only code workflows have a tenant: add --app or --code.", param_hint="--tenant")
        if (self.organization or self.environment) is not None and meant:
            raise typer.BadParameter("Code workflows have a tenant: say --tenant.", param_hint="--organization")
        return meant


def list_(options: WorkflowOptions) -> None:
    async def work() -> Answer:
        async with application(options.app, options.data) as opened:
            found = await _all(opened, options.tenant)
        columns = ("Id", "Name", "Tenant", "Starts on", "Schedule", "Enabled", "Version", "Updated")
        empty = "No workflows yet: make one with `await engine.create_workflow(…)`."
        told = partial(print_table, columns, map(_line, found), empty)
        return Answer({"data": [as_json(each) for each in found]}, told)

    run(work, as_json=options.json)


def show(options: WorkflowOptions, workflow: str) -> None:
    async def work() -> Answer:
        async with application(options.app, options.data) as opened:
            found = await _one(opened, workflow, options.tenant)
        head = {"id": found.id, "version": found.version, "isEnabled": found.is_enabled}
        shown = {**head, **found.definition, "isEnabled": found.is_enabled}
        return Answer(as_json(found), lambda: print_text(_yaml(shown)))

    run(work, as_json=options.json)


def switch(options: WorkflowOptions, workflow: str, *, on: bool) -> None:
    async def work() -> Answer:
        async with application(options.app, options.data) as opened:
            engine, found = opened.engine, await _one(opened, workflow, options.tenant)
            await (engine.enable_workflow if on else engine.disable_workflow)(found.id)
            changed = await engine.get_workflow(found.id)
        return Answer(None if changed is None else as_json(changed), f"{found.name} is {'on' if on else 'off'}")

    run(work, as_json=options.json)


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


def _yaml(shown: dict[str, Any]) -> str:
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120)


def _line(each: WorkflowDefinition) -> tuple[Any, ...]:
    enabled = "yes" if each.is_enabled else "no"
    updated = time_of(each.updated_at)
    return (each.id, each.name, each.tenant_id, each.trigger_type, each.cron_expression, enabled, each.version, updated)
