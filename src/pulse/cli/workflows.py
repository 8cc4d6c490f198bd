"""`pulse workflows`: what is drawn, and how it goes into git and comes back."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from pulse.cli.apply import Change, changes_of
from pulse.cli.output import console, print_json, print_table, run
from pulse.cli.session import Data, Environment, Json, Organization, Session, session
from pulse.core.errors import InvalidFields, InvalidInput
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import check_document, file_name, to_document

app = typer.Typer(no_args_is_help=True, help="Drawn workflows.")
EVERYTHING = 1000


@app.command("list")
def list_(
    organization: Organization = None, environment: Environment = None, data: Data = None, json_: Json = False
) -> None:
    """Lists workflows in the order in which messages are tried against them."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            found = await pulse.call("GET", "/api/workflows", limit=EVERYTHING, **place)
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
    data: Data = None,
    json_: Json = False,
) -> None:
    """Shows a workflow, by id or name, with its entities."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            workflows, entities = await read_all(pulse, place)
        found = [record for record in workflows if workflow in (record.id, record.name)]
        if not found:
            raise InvalidInput(f"There is no workflow {workflow!r}.")
        shown = to_document(found[0], entities)
        if json_:
            print_json({"id": found[0].id, "version": found[0].version, **shown})
        else:
            console.print(to_yaml(shown), markup=False)

    run(work)


@app.command()
def enable(
    workflow: str, organization: Organization = None, environment: Environment = None, data: Data = None
) -> None:
    """Switches a workflow on."""
    _switch(workflow, organization, environment, data, active=True)


@app.command()
def disable(
    workflow: str, organization: Organization = None, environment: Environment = None, data: Data = None
) -> None:
    """Switches a workflow off: messages are no longer tried against it."""
    _switch(workflow, organization, environment, data, active=False)


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
        files = _write_all(folder, workflows, entities)
        if json_:
            return print_json({"files": files})
        console.print(f"{len(files)} workflows written to {folder}")

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
            changes = [changes_of(document, workflows, entities) for document in documents]
            if not diff:
                for change in changes:
                    await change.carry_out(pulse, place)
        _report(changes, json_=json_)

    run(work)


def read_documents(path: Path) -> list[dict[str, Any]]:
    """The workflow documents of a folder, or of one file. Raises InvalidInput with the file and the place."""
    files = [path] if path.is_file() else sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if not files:
        raise InvalidInput(f"There are no YAML files in {path}.")
    documents = []
    for file in files:
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            check_document(document)
        except (OSError, yaml.YAMLError) as error:
            raise InvalidInput(f"{file} cannot be read: {error}") from None
        except InvalidFields as error:
            raise InvalidInput(f"{file}: {error.message}") from None
        documents.append(document)
    return documents


async def read_all(pulse: Session, place: dict[str, str]) -> tuple[list[Workflow], dict[str, Entity]]:
    """Every workflow and entity of an environment."""
    workflows = [_workflow(row) for row in await _pages(pulse, "/api/workflows", place)]
    entities = {row["id"]: _entity(row) for row in await _pages(pulse, "/api/workflow-entities", place)}
    return workflows, entities


def _write_all(folder: Path, workflows: list[Workflow], entities: dict[str, Entity]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for record in workflows:
        path = folder / file_name(record.name)
        path.write_text(to_yaml(to_document(record, entities)), encoding="utf-8")
        files.append(str(path))
    return files


def to_yaml(document: dict[str, Any]) -> str:
    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


async def _pages(pulse: Session, path: str, place: dict[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page, pages = 1, 1
    while page <= pages:
        found = await pulse.call("GET", path, page=page, limit=EVERYTHING, **place)
        rows += found["data"]
        page, pages = page + 1, found["pagination"]["totalPages"]
    return rows


def _switch(workflow: str, organization: Any, environment: Any, data: Any, *, active: bool) -> None:
    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            rows = await _pages(pulse, "/api/workflows", place)
            row = next((row for row in rows if workflow in (row["id"], row["name"])), None)
            if row is None:
                raise InvalidInput(f"There is no workflow {workflow!r}.")
            fields = ("name", "description", "priority", "workflowData")
            body = {**{name: row[name] for name in fields}, "isActive": active}
            await pulse.send("PUT", f"/api/workflows/{row['id']}", params=place, json=body)
        console.print(f"{row['name']} is {'on' if active else 'off'}", markup=False)

    run(work)


def _report(changes: list[Change], *, json_: bool) -> None:
    if json_:
        return print_json([{"workflow": change.name, "change": change.kind} for change in changes])
    for change in changes:
        console.print(f"{change.kind:9} {change.name}", markup=False)
        for line in change.diff:
            console.print(f"  {line}", markup=False)


_ENTITY = (
    "id",
    "organizationId",
    "environmentId",
    "name",
    "entityType",
    "description",
    "revision",
    "createdAt",
    "updatedAt",
)


def _entity(row: dict[str, Any]) -> Entity:
    fields = {name: value for name, value in row.items() if name not in _ENTITY}
    return Entity(
        row["id"],
        row["organizationId"],
        row["environmentId"],
        row["name"],
        row["entityType"],
        row["description"],
        fields,
    )


def _workflow(row: dict[str, Any]) -> Workflow:
    return Workflow(
        id=row["id"],
        organization_id=row["organizationId"],
        environment_id=row["environmentId"],
        name=row["name"],
        data=row["workflowData"],
        description=row["description"],
        is_active=row["isActive"],
        priority=row["priority"],
        version=row["version"],
    )
