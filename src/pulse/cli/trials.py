"""`pulse test`: runs the cases of test files in the sandbox. Nothing is stored, and nothing is sent."""

import difflib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import yaml

from pulse.bootstrap.settings import load_settings
from pulse.bootstrap.wiring import build_trials
from pulse.cli.messages.view import why
from pulse.cli.options import Data, Environment, Json, Organization
from pulse.cli.output import FAILED, counted, print_json, print_text, run
from pulse.cli.session import session
from pulse.cli.workflows.apply import not_json
from pulse.cli.workflows.documents import read_all, read_documents
from pulse.core.errors import InvalidFields, InvalidInput
from pulse.core.json import parse
from pulse.evaluator.cases import Case, Difference, Report, TestFile, compare, read_test_file
from pulse.evaluator.trial import TrialRun, Trials
from pulse.sandbox.port import Tenant
from pulse.tenancy.variables import Variables
from pulse.workflows.matching import Listing, directory_of
from pulse.workflows.plan import WorkflowPlan, compile_plan, entity_ids
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import with_configuration_ids

# Whose scripts a file's are: nobody's that is stored anywhere.
HERE = Tenant("test", "test")
Found = tuple[Workflow, dict[str, Entity]]


def run_files(
    files: Annotated[list[Path], typer.Argument(help="Test files (YAML), or folders of *.test.yaml.")],
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Runs test cases against workflows: message in, expected outcome, log and result. Effects are mocked."""
    reports: list[tuple[Path, Report]] = []

    async def work() -> None:
        async with sandbox(data) as trials:
            for path in _all_files(files):
                wanted = _read(path)
                found = await _workflow(path, wanted, data, organization, environment)
                reports.extend([(path, await _run(trials, path, wanted, case, found)) for case in wanted.cases])

    run(work)
    print_json(_as_json(reports)) if json_ else _print(reports)
    if not all(report.passed for _, report in reports):
        raise typer.Exit(FAILED)


async def _run(trials: Trials, path: Path, file: TestFile, case: Case, found: Found) -> Report:
    try:
        return await run_case(trials, path, file, case, found)
    except InvalidFields as error:
        raise InvalidInput(f"{path}: case {case.name!r}: {error.message}") from None


async def run_case(trials: Trials, path: Path, file: TestFile, case: Case, found: Found) -> Report:
    """Runs one case. Raises InvalidInput where the workflow or the case cannot be run at all."""
    workflow, entities = found
    plan = _plan(path, workflow, entities)
    wanted = TrialRun(
        plan=plan,
        message={"organizationId": HERE.organization_id, "environmentId": HERE.environment_id, **_message(path, case)},
        at=file.at_ms,
        entry=_entry(path, case, workflow, entities),
        pins=msgspec.to_builtins(case.pins),
        mocks=case.effects,
        variables=Variables(hashlib.sha256(str(path).encode()).hexdigest(), tuple(file.variables.items())),
        directory=directory_of(Listing(name, name, is_active=True, plan=None) for name in file.workflows),
    )
    outcome = msgspec.json.decode(msgspec.json.encode(await trials.run(HERE, wanted)))
    return Report(case.name, compare(case.expect, outcome), outcome)


@asynccontextmanager
async def sandbox(data: Path | None) -> AsyncIterator[Trials]:
    """A sandbox of this command's own."""
    trials, house = build_trials(load_settings(data))
    await house.start()
    try:
        yield trials
    finally:
        await house.stop()


def _all_files(paths: list[Path]) -> list[Path]:
    found = [file for path in paths for file in (sorted(path.rglob("*.test.yaml")) if path.is_dir() else [path])]
    if not found:
        raise InvalidInput(f"There are no test files (*.test.yaml) in {', '.join(map(str, paths))}.")
    return found


def _read(path: Path) -> TestFile:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        faults = not_json(document.get("cases"), "cases") if isinstance(document, dict) else []
        if faults:
            raise InvalidFields(faults)
        return read_test_file(document)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path} is not YAML that can be read: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply, or holds itself.") from None
    except InvalidFields as error:
        raise InvalidInput(f"{path}: {error.message}") from None


async def _workflow(path: Path, file: TestFile, data: Any, organization: Any, environment: Any) -> Found:
    """The workflow that a file is about: in a file beside it, or stored."""
    beside = path.parent / file.workflow
    if beside.suffix in (".yaml", ".yml"):
        return of_document(read_documents(beside)[beside])
    async with session(data) as pulse:
        place = await pulse.place(organization, environment)
        workflows, entities = await read_all(pulse, place)
    found = next((workflow for workflow in workflows if file.workflow in (workflow.id, workflow.name)), None)
    if found is None:
        raise InvalidInput(f"{path}: there is no file and no workflow {file.workflow!r}.")
    return found, {entity_id: entities[entity_id] for entity_id in entity_ids(found.data) if entity_id in entities}


def of_document(document: dict[str, Any]) -> Found:
    """A workflow that is not stored: its entities go by their keys, model configurations by their names."""
    document = with_configuration_ids(document, {})
    entities = {
        key: Entity(key, HERE.organization_id, HERE.environment_id, fields["name"], fields["entityType"], None, fields)
        for key, fields in document.get("entities", {}).items()
    }
    name, drawn = document["name"], document.get("workflowData") or {}
    return Workflow(name, HERE.organization_id, HERE.environment_id, name, drawn), entities


def _plan(path: Path, workflow: Workflow, entities: dict[str, Entity]) -> WorkflowPlan:
    try:
        plan = compile_plan(workflow, entities)
    except InvalidFields as error:
        raise InvalidInput(f"{path}: the workflow {workflow.name!r} cannot be used: {error.message}") from None
    if plan is None:
        raise InvalidInput(f"{path}: the workflow {workflow.name!r} is empty.")
    return plan


def _message(path: Path, case: Case) -> dict[str, Any]:
    """The message, if it is one that Pulse would take. Raises InvalidInput."""
    place = f"{path}: case {case.name!r}"
    try:
        if case.message is not None:
            # Written and read again, it is what the receiver would see.
            message = parse(json.dumps(case.message).encode())
        else:
            place = str(path.parent / (case.message_file or ""))
            message = parse(Path(place).read_bytes())
    except OSError as error:
        raise InvalidInput(f"{place} cannot be read: {error.strerror}.") from None
    except InvalidInput as error:
        raise InvalidInput(f"{place}: {error.message}") from None
    if not isinstance(message, dict):
        raise InvalidInput(f"{place} is not a message: a message is one JSON object.")
    if not isinstance(message.get("type", ""), str):
        raise InvalidInput(f"{place}: the type of a message is text.")
    return message


def _entry(path: Path, case: Case, workflow: Workflow, entities: dict[str, Entity]) -> str | None:
    if case.entity is None:
        return None
    used = entity_ids(workflow.data)
    found = next((key for key, each in entities.items() if case.entity in (key, each.name) and key in used), None)
    if found is None:
        raise InvalidInput(f"{path}: case {case.name!r}: the workflow has no entity {case.entity!r}.")
    return found


def _print(reports: list[tuple[Path, Report]]) -> None:
    for path, report in reports:
        print_text(f"{'ok    ' if report.passed else 'FAILED'}  {path.name}: {report.name}")
        for difference in report.differences:
            for line in _told(difference):
                print_text(f"          {line}")
        for line in [] if report.passed else _outcome(report.outcome):
            print_text(f"          {line}")
    failed = sum(not report.passed for _, report in reports)
    print_text(f"{counted(len(reports), 'case')}, {failed} failed.")


def _told(difference: Difference) -> list[str]:
    wanted, got = (json.dumps(side, indent=2, ensure_ascii=False) for side in (difference.wanted, difference.got))
    if "\n" not in wanted + got:
        return [f"{difference.part}: expected {wanted}, got {got}"]
    lines = difflib.unified_diff(wanted.splitlines(), got.splitlines(), "expected", "got", lineterm="", n=3)
    return [f"{difference.part} is not as expected:", *(f"  {line}" for line in lines)]


def _outcome(outcome: Mapping[str, Any]) -> list[str]:
    """What became of the message, where that was not what was expected."""
    errors = outcome.get("context", {}).get("____execution_errors____", [])
    words = [f"{error['errorType']}: {error['error']} ({error.get('entityName', '')})" for error in errors[:3]]
    return [f"the outcome was {outcome['status']}", *(f"  {line}" for line in [*why(outcome), *words])]


def _as_json(reports: list[tuple[Path, Report]]) -> list[dict[str, Any]]:
    return [
        {
            "file": str(path),
            "name": report.name,
            "passed": report.passed,
            "differences": [vars(difference) for difference in report.differences],
            "outcome": report.outcome,
        }
        for path, report in reports
    ]
