"""Drawn workflows as YAML files, and as the API hands them out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pulse.cli.session import Session
from pulse.cli.workflows.apply import check_contents
from pulse.core.errors import InvalidFields, InvalidInput
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import check_document, file_name, to_document

TESTS = (".test.yaml", ".test.yml")


def read_documents(path: Path) -> dict[Path, dict[str, Any]]:
    """The workflow documents of a folder, or of one file, by file. Raises InvalidInput with the file and the place."""
    files = [path] if path.is_file() else _in_folder(path)
    if not files:
        raise InvalidInput(f"There are no YAML files in {path}.")
    documents: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in files:
        document = _document(file)
        other, _ = documents.setdefault(document["name"], (file, document))
        if other != file:
            raise InvalidInput(f"{file} and {other} are both of the workflow {document['name']!r}.")
    return dict(documents.values())


@contextmanager
def faults_of(file: Path) -> Iterator[None]:
    """Says in which file faults are. Raises InvalidInput where there are any."""
    try:
        yield
    except InvalidFields as error:
        raise InvalidInput(f"{file}: {error.message}") from None


def _in_folder(folder: Path) -> list[Path]:
    """The YAML files of a folder; tests of workflows may lie among them."""
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return [file for file in found if not file.name.endswith(TESTS)]


def _document(file: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        with faults_of(file):
            check_document(document)
            check_contents(document)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidInput(f"{file} is not YAML that can be read: {_fault(error)}.") from None
    except RecursionError:
        raise InvalidInput(f"{file} is nested too deeply, or holds itself.") from None
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


def write_all(
    folder: Path, workflows: list[Workflow], entities: dict[str, Entity], configurations: Mapping[str, str]
) -> list[str]:
    """Writes a file a workflow; `configurations` are the names of model configurations by id."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {each.id: each.name for each in workflows}
    files: dict[str, Workflow] = {}
    for record in workflows:
        name, number = file_name(record.name), 2
        while name in files:
            # Two names that differ only in what a file's name cannot hold.
            name, number = f"{file_name(record.name).removesuffix('.yaml')}-{number}.yaml", number + 1
        files[name] = record
        (folder / name).write_text(to_yaml(to_document(record, entities, names, configurations)), encoding="utf-8")
    return [str(folder / name) for name in files]


def to_yaml(document: dict[str, Any]) -> str:
    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


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
