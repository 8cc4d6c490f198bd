"""`pulse workflows`: what is drawn, and how it goes into git and comes back; with --app or --code, what is code."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.options import At, EnvironmentOptions, opened, taking
from pulse.cli.output import Answer, counted, listed, print_text, run
from pulse.cli.session import LARGEST_PAGE
from pulse.cli.workflows import code
from pulse.cli.workflows.apply import Change, carry_out_all
from pulse.cli.workflows.code import WorkflowOptions
from pulse.cli.workflows.configurations import read_configurations
from pulse.cli.workflows.documents import faults_of, read_all, read_documents, to_yaml, write_all
from pulse.cli.workflows.stored import read_stored
from pulse.core.errors import InvalidInput
from pulse.workflows.transfer import to_document

app = typer.Typer(no_args_is_help=True, help="Drawn workflows; with --app or --code, those of an application's engine.")


@app.command("list")
@taking(WorkflowOptions)
def list_(options: WorkflowOptions) -> None:
    """Lists workflows in the order in which messages are tried against them. With --app or --code: code workflows."""
    if options.mean_code():
        return code.list_(options)

    async def work(at: At) -> Answer:
        found = await at.get("/api/workflows", limit=LARGEST_PAGE)
        return listed(found, ("id", "name", "priority", "isActive", "version", "updatedAt"), "No workflows yet.")

    options.run(work)


@app.command()
@taking(WorkflowOptions)
def show(options: WorkflowOptions, workflow: str) -> None:
    """Shows a workflow, by id or name, with its entities; with --app or --code, a code workflow."""
    if options.mean_code():
        return code.show(options, workflow)

    async def work(at: At) -> Answer:
        workflows, entities = await read_all(at.pulse, at.place)
        models = await read_configurations(at.pulse, at.place)
        found = next((record for record in workflows if workflow in (record.id, record.name)), None)
        if found is None:
            raise InvalidInput(f"There is no workflow {workflow!r}.")
        shown = to_document(found, entities, {each.id: each.name for each in workflows}, models.names)
        return Answer({"id": found.id, "version": found.version, **shown}, lambda: print_text(to_yaml(shown)))

    options.run(work)


@app.command()
@taking(WorkflowOptions)
def enable(options: WorkflowOptions, workflow: str) -> None:
    """Switches a workflow on; with --app or --code, a code workflow."""
    _switch(options, workflow, on=True)


@app.command()
@taking(WorkflowOptions)
def disable(options: WorkflowOptions, workflow: str) -> None:
    """Switches a workflow off: messages, or with --app or --code signals, no longer start it."""
    _switch(options, workflow, on=False)


@app.command()
@opened(EnvironmentOptions)
async def export(at: At, folder: Path) -> Answer:
    """Writes every workflow as a YAML file into a folder."""
    workflows, entities = await read_all(at.pulse, at.place)
    models = await read_configurations(at.pulse, at.place)
    files = write_all(folder, workflows, entities, models.names)
    return Answer({"files": files}, f"{counted(len(files), 'workflow')} written to {folder}")


@app.command()
@taking(EnvironmentOptions)
def apply(
    options: EnvironmentOptions,
    folder: Path,
    diff: Annotated[bool, typer.Option("--diff", help="Only show what would change.")] = False,
) -> None:
    """Makes the workflows of a folder of YAML files those of the environment. Others are left as they are."""

    async def work() -> Answer:
        documents = read_documents(folder)
        async with options.open() as at:
            stored = await read_stored(at.pulse, at.place)
            names = {document["name"] for document in documents.values()}
            for file, document in documents.items():
                with faults_of(file):
                    stored.check(document, names)
            changes = stored.changes(list(documents.values()))
            if not diff:
                await carry_out_all(changes, at.pulse, at.place, stored.ids)
        as_json = [{"workflow": change.name, "change": change.kind} for change in changes]
        return Answer(as_json, partial(_print, changes))

    run(work, as_json=options.json)


def _switch(options: WorkflowOptions, workflow: str, *, on: bool) -> None:
    if options.mean_code():
        return code.switch(options, workflow, on=on)

    async def work(at: At) -> Answer:
        row = next((row for row in await at.rows("/api/workflows") if workflow in (row["id"], row["name"])), None)
        if row is None:
            raise InvalidInput(f"There is no workflow {workflow!r}.")
        fields = ("name", "description", "priority", "workflowData")
        changed = await at.put("/api/workflows", row, {**{name: row[name] for name in fields}, "isActive": on})
        return Answer(changed, f"{row['name']} is {'on' if on else 'off'}")

    options.run(work)


def _print(changes: list[Change]) -> None:
    for change in changes:
        print_text(f"{change.kind:9} {change.name}")
        for line in change.diff:
            print_text(f"  {line}")
