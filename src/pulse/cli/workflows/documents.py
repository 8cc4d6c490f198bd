"""Drawn workflows as YAML files, and as the API hands them out."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pulse.cli.session import Session
from pulse.cli.workflows.apply import check_contents
from pulse.core.errors import InvalidFields, InvalidInput
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import check_document, file_stems, to_document

TESTS = (".test.yaml", ".test.yml")
# What an error quotes of a file, where it is more than one letter and no word of YAML or of Python.
_QUOTED = re.compile(r"""(['"])(?!<|utf-8)(?:(?!\1).){2,}\1""")
# Within the lines of a block, YAML reads these as the ends of lines.
_LINE_ENDS = re.compile("[\r\x85\u2028\u2029]")


def read_documents(path: Path) -> dict[Path, dict[str, Any]]:
    """The workflow documents of a folder, or of one file, by file. Raises InvalidInput with the file and the place."""
    files = [path] if path.is_file() else yaml_files(path)
    if not files:
        raise InvalidInput(f"There are no YAML files in {path}.")
    documents: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in files:
        with faults_of(file):
            document = read_document(file)
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


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder; tests of workflows may lie among them."""
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return [file for file in found if not file.name.endswith(TESTS)]


def read_document(file: Path) -> dict[str, Any]:
    """The workflow document of a file. Raises InvalidInput where it cannot be read, InvalidFields for its contents."""
    document: dict[str, Any] = read_yaml(file)
    check_document(document)
    try:
        check_contents(document)
    except RecursionError:
        raise _endless(file) from None
    return document


def read_yaml(file: Path, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """What stands in a YAML file. Raises InvalidInput, in words that repeat nothing of it."""
    try:
        # A loader of safe_load's, or one that refuses more than that does.
        return yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidInput(f"{file} is not YAML that can be read: {_fault(error)}.") from None
    except RecursionError:
        raise _endless(file) from None


def _endless(file: Path) -> InvalidInput:
    return InvalidInput(f"{file} is nested too deeply, or holds itself.")


def _fault(error: Exception) -> str:
    """What is wrong and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        problem = _QUOTED.sub("…", error.problem or "")
        return f"{problem} at line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return _QUOTED.sub("…", " ".join(str(error).split()))


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
    stems = file_stems(record.name for record in workflows)
    files = [folder / f"{stem}.yaml" for stem in stems]
    for file, record in zip(files, workflows, strict=True):
        file.write_text(to_yaml(to_document(record, entities, names, configurations)), encoding="utf-8")
    return [str(file) for file in files]


def to_yaml(document: dict[str, Any], *, sort_keys: bool = False) -> str:
    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        style = '"' if _LINE_ENDS.search(value) else "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(document, Dumper=Dumper, sort_keys=sort_keys, allow_unicode=True, width=120)


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
