"""`pulse workflows`: what is drawn, and how it goes into git and comes back; with --app or --code, what is code."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.output import counted, print_json, print_table, print_text, run
from pulse.cli.runs.application import App, Tenant
from pulse.cli.session import LARGEST_PAGE, Data, Environment, Json, Organization, session
from pulse.cli.workflows import code as code_workflows
from pulse.cli.workflows.apply import Change, carry_out_all, changes_of, check_contents
from pulse.cli.workflows.code import Code
from pulse.cli.workflows.documents import read_all, read_documents, to_yaml, write_all
from pulse.core.errors import InvalidInput
from pulse.workflows.transfer import to_document

app = typer.Typer(no_args_is_help=True, help="Drawn workflows; with --app or --code, those of an application's engine.")


@app.command("list")
def list_(
    organization: Organization = None,
    environment: Environment = None,
    app: App = None,
    code: Code = False,
    tenant: Tenant = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Lists workflows in the order in which messages are tried against them. With --app or --code: code workflows."""
    if code_workflows.is_meant(app, code, tenant, organization or environment):
        return code_workflows.list_(app, tenant, data, json_=json_)

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            found = await pulse.call("GET", "/api/workflows", limit=LARGEST_PAGE, **place)
        if json_:
            return print_json(found)
        columns = ("id", "name", "priority", "isActive", "version", "updatedAt")
        print_table(columns, ([row[column] for column in columns] for row in found["data"]), "No workflows yet.")

    run(work)


@app.command()
def show(
    workflow: str,
    organization: Organization = None,
    environment: Environment = None,
    app: App = None,
    code: Code = False,
    tenant: Tenant = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Shows a workflow, by id or name, with its entities; with --app or --code, a code workflow."""
    if code_workflows.is_meant(app, code, tenant, organization or environment):
        return code_workflows.show(workflow, app, tenant, data, json_=json_)

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            workflows, entities = await read_all(pulse, place)
        found = [record for record in workflows if workflow in (record.id, record.name)]
        if not found:
            raise InvalidInput(f"There is no workflow {workflow!r}.")
        shown = to_document(found[0], entities, {each.id: each.name for each in workflows})
        if json_:
            print_json({"id": found[0].id, "version": found[0].version, **shown})
        else:
            print_text(to_yaml(shown))

    run(work)


@app.command()
def enable(
    workflow: str,
    organization: Organization = None,
    environment: Environment = None,
    app: App = None,
    code: Code = False,
    tenant: Tenant = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Switches a workflow on; with --app or --code, a code workflow."""
    if code_workflows.is_meant(app, code, tenant, organization or environment):
        return code_workflows.switch(workflow, app, tenant, data, on=True, json_=json_)
    _switch(workflow, organization, environment, data, active=True, json_=json_)


@app.command()
def disable(
    workflow: str,
    organization: Organization = None,
    environment: Environment = None,
    app: App = None,
    code: Code = False,
    tenant: Tenant = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Switches a workflow off: messages, or with --app or --code signals, no longer start it."""
    if code_workflows.is_meant(app, code, tenant, organization or environment):
        return code_workflows.switch(workflow, app, tenant, data, on=False, json_=json_)
    _switch(workflow, organization, environment, data, active=False, json_=json_)


@app.command()
def export(
    folder: Path,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Writes every workflow as a YAML file into a folder."""

    async def work() -> None:
        async with session(data) as pulse:
            workflows, entities = await read_all(pulse, await pulse.place(organization, environment))
        files = write_all(folder, workflows, entities)
        if json_:
            return print_json({"files": files})
        print_text(f"{counted(len(files), 'workflow')} written to {folder}")

    run(work)


@app.command()
def apply(
    folder: Path,
    diff: Annotated[bool, typer.Option("--diff", help="Only show what would change.")] = False,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Makes the workflows of a folder of YAML files those of the environment. Others are left as they are."""

    async def work() -> None:
        documents = read_documents(folder)
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            workflows, entities = await read_all(pulse, place)
            names = {document["name"] for document in documents}
            there = names | {name for each in workflows for name in (each.id, each.name)}
            for document in documents:
                check_contents(document, there)
            changes = [changes_of(document, workflows, entities) for document in documents]
            if not diff:
                known = {workflow.name: workflow.id for workflow in reversed(workflows)}
                await carry_out_all(changes, pulse, place, known)
        _report(changes, json_=json_)

    run(work)


def _switch(workflow: str, organization: Any, environment: Any, data: Any, *, active: bool, json_: bool) -> None:
    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            rows = await pulse.all_rows("/api/workflows", place)
            row = next((row for row in rows if workflow in (row["id"], row["name"])), None)
            if row is None:
                raise InvalidInput(f"There is no workflow {workflow!r}.")
            fields = ("name", "description", "priority", "workflowData")
            body = {**{name: row[name] for name in fields}, "isActive": active}
            read = {"If-Match": f'"{row["revision"]}"'}
            changed = await pulse.send("PUT", f"/api/workflows/{row['id']}", params=place, json=body, headers=read)
        if json_:
            return print_json(changed.json())
        print_text(f"{row['name']} is {'on' if active else 'off'}")

    run(work)


def _report(changes: list[Change], *, json_: bool) -> None:
    if json_:
        return print_json([{"workflow": change.name, "change": change.kind} for change in changes])
    for change in changes:
        print_text(f"{change.kind:9} {change.name}")
        for line in change.diff:
            print_text(f"  {line}")
