"""`pulse organizations export`: all is read, and only then written, into a folder that is empty or an export's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pulse.cli.options import At
from pulse.cli.output import Answer, counted, plain
from pulse.cli.tenancy.configuration.credentials import credential_of
from pulse.cli.tenancy.configuration.folder import (
    CREDENTIALS,
    ENVIRONMENT,
    ENVIRONMENTS,
    LEGACY,
    MODELS,
    ORGANIZATION,
    PROMPTS,
    TEAMS,
    WORKFLOWS,
)
from pulse.cli.tenancy.configuration.forms import FORMAT, Form
from pulse.cli.tenancy.configuration.legacy import legacy_of
from pulse.cli.tenancy.configuration.models import model_of
from pulse.cli.tenancy.configuration.places import environment_of
from pulse.cli.tenancy.configuration.present import Present, PresentEnvironment, find_organization, read_present
from pulse.cli.tenancy.configuration.prompts import prompt_of
from pulse.cli.tenancy.configuration.teams import team_of
from pulse.cli.tenancy.configuration.writing import Earlier, look_at, write
from pulse.cli.workflows.documents import to_yaml
from pulse.core.errors import InvalidInput, NotFound
from pulse.workflows.plan import entity_ids
from pulse.workflows.transfer import file_stems, to_document

Files = dict[str, dict[str, Any]]


async def export(at: At, named: str, folder: Path) -> Answer:
    """Writes the organization. Raises NotFound; InvalidInput for a folder that is not to be written to."""
    earlier = look_at(folder)
    found = await find_organization(at.pulse, named)
    if found is None:
        raise NotFound(f"There is no organization {named!r}.")
    present, notes = await read_present(at.pulse, found), list[str](earlier.notes)
    before = earlier.folder.organization.name if earlier.folder is not None else found["name"]
    if before != found["name"]:
        notes.append(f"The folder held the organization {before!r} before.")
    files = files_of(present, earlier, notes)
    removed = write(folder, {path: to_yaml(document) for path, document in files.items()})
    told = [f"{found['name']} written to {folder}: {counted(len(files), 'file')}."]
    told += [f"Removed {path}, which is no longer there." for path in removed]
    answer = {"organization": found["name"], "files": sorted(files), "removed": removed, "notes": notes}
    return Answer(answer, "\n".join([*told, *(f"Note: {note}" for note in notes)]))


def files_of(present: Present, earlier: Earlier, notes: list[str]) -> Files:
    """What every file says, by its path within the folder."""
    organization = present.organization or {}
    files: Files = {ORGANIZATION: {"format": FORMAT, "name": organization["name"]}}
    files |= _of(TEAMS, [team_of(row, present) for row in present.teams], earlier)
    files |= _of(CREDENTIALS, [credential_of(row) for row in present.own(present.credentials).values()], earlier)
    files |= _of(MODELS, [model_of(row, present) for row in present.own(present.models).values()], earlier)
    files |= _of(LEGACY, [legacy_of(row) for row in present.own(present.legacy).values()], earlier)
    names = sorted(present.environments)
    for name, stem in zip(names, file_stems(names, "environment"), strict=True):
        files |= _environment(f"{ENVIRONMENTS}/{stem}", present.environments[name], present, earlier, notes)
    return files


def _of(folder: str, forms: Iterable[Form], earlier: Earlier) -> Files:
    """A file for each, called after its name."""
    ordered = sorted(forms, key=lambda form: form.name)
    stems = file_stems((form.name for form in ordered), "unnamed")
    kept = [earlier.with_shell_names(folder.rpartition("/")[2], form) for form in ordered]
    return {f"{folder}/{stem}.yaml": form.document() for stem, form in zip(stems, kept, strict=True)}


def _environment(folder: str, there: PresentEnvironment, present: Present, earlier: Earlier, notes: list[str]) -> Files:
    form = earlier.with_variables(environment_of(there))
    files = {f"{folder}/{ENVIRONMENT}": form.document()}
    files |= _of(f"{folder}/{PROMPTS}", [prompt_of(row, there, present) for row in there.prompts], earlier)
    stems = file_stems(each.name for each in there.stored.workflows)
    for stem, document in zip(stems, _documents(there), strict=True):
        files[f"{folder}/{WORKFLOWS}/{stem}.yaml"] = document
    notes += _notes(there, present)
    return files


def _documents(there: PresentEnvironment) -> list[dict[str, Any]]:
    stored, environment = there.stored, there.row["name"]
    twice = [name for name, count in Counter(each.name for each in stored.workflows).items() if count > 1]
    if twice:
        words = ", ".join(repr(plain(name)) for name in sorted(twice))
        told = f"The environment {environment!r} has several workflows of one name: {words}."
        raise InvalidInput(f"{told} Files know them by their names: give each its own, and export again.")
    names = {each.id: each.name for each in stored.workflows}
    return [to_document(each, stored.entities, names, stored.models.names) for each in stored.workflows]


def _notes(there: PresentEnvironment, present: Present) -> list[str]:
    """What of an environment a folder cannot hold."""
    name, stored = there.row["name"], there.stored
    used = {id_ for each in stored.workflows for id_ in entity_ids(each.data)}
    notes = []
    if unused := stored.entities.keys() - used:
        named = ", ".join(sorted(repr(stored.entities[id_].name) for id_ in unused))
        notes.append(f"Entities of {name} that belong to no workflow are not in the folder: {named}.")
    sources: Mapping[tuple[str, str], int] = Counter((row["name"], row["kind"]) for row in there.sources)
    for (source, kind), count in sorted(sources.items()):
        if count > 1:
            notes.append(f"{name} has {count} sources {source!r} of kind {kind}: the folder names them once.")
    shared = {row["id"] for row in present.models} - stored.models.names.keys()
    for each in stored.workflows:
        ids = {
            stored.entities[id_].fields.get("modelConfigurationId")
            for id_ in entity_ids(each.data)
            if id_ in stored.entities
        }
        if ids & shared:
            words = "the organization and the installation have model configurations of one name"
            notes.append(
                f"The workflow {each.name!r} of {name} has the id of a model configuration: {words}. Rename one."
            )
    return notes
