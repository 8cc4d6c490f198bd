"""`pulse workflows`: what is drawn, and how it goes into git and comes back."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from pulse.cli.apply import Change, carry_out_all, changes_of, check_contents
from pulse.cli.output import counted, print_json, print_table, print_text, run
from pulse.cli.session import LARGEST_PAGE, Data, Environment, Json, Organization, Session, session
from pulse.core.errors import InvalidFields, InvalidInput
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import check_document, file_name, to_document

app = typer.Typer(no_args_is_help=True, help="Drawn workflows.")
TESTS = (".test.yaml", ".test.yml")


@app.command("list")
def list_(
    organization: Organization = None, environment: Environment = None, data: Data = None, json_: Json = False
) -> None:
    """Lists workflows in the order in which messages are tried against them."""

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
    data: Data = None,
    json_: Json = False,
) -> None:
    """Switches a workflow on."""
    _switch(workflow, organization, environment, data, active=True, json_=json_)


@app.command()
def disable(
    workflow: str,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Switches a workflow off: messages are no longer tried against it."""
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
        files = _write_all(folder, workflows, entities)
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


def read_documents(path: Path) -> list[dict[str, Any]]:
    """The workflow documents of a folder, or of one file. Raises InvalidInput with the file and the place."""
    files = [path] if path.is_file() else _in_folder(path)
    if not files:
        raise InvalidInput(f"There are no YAML files in {path}.")
    documents: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in files:
        document = _document(file)
        other, _ = documents.setdefault(document["name"], (file, document))
        if other != file:
            raise InvalidInput(f"{file} and {other} are both of the workflow {document['name']!r}.")
    return [document for _, document in documents.values()]


def _in_folder(folder: Path) -> list[Path]:
    """The YAML files of a folder; tests of workflows may lie among them."""
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return [file for file in found if not file.name.endswith(TESTS)]


def _document(file: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        check_document(document)
        check_contents(document)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidInput(f"{file} is not YAML that can be read: {_fault(error)}.") from None
    except RecursionError:
        raise InvalidInput(f"{file} is nested too deeply, or holds itself.") from None
    except InvalidFields as error:
        raise InvalidInput(f"{file}: {error.message}") from None
    return document


def _fault(error: Exception) -> str:
    """What is wrong and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} at line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return " ".join(str(error).split())


async def read_all(pulse: Session, place: dict[str, str]) -> tuple[list[Workflow], dict[str, Entity]]:
    """Every workflow and entity of an environment."""
    workflows = [_workflow(row) for row in await pulse.all_rows("/api/workflows", place)]
    entities = {row["id"]: _entity(row) for row in await pulse.all_rows("/api/workflow-entities", place)}
    return workflows, entities


def _write_all(folder: Path, workflows: list[Workflow], entities: dict[str, Entity]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = {each.id: each.name for each in workflows}
    files: dict[str, Workflow] = {}
    for record in workflows:
        name, number = file_name(record.name), 2
        while name in files:
            # Two names that differ only in what a file's name cannot hold.
            name, number = f"{file_name(record.name).removesuffix('.yaml')}-{number}.yaml", number + 1
        files[name] = record
        (folder / name).write_text(to_yaml(to_document(record, entities, names)), encoding="utf-8")
    return [str(folder / name) for name in files]


def to_yaml(document: dict[str, Any]) -> str:
    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


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
