"""Writing an export: into an empty folder, or in the place of what an export has written there before.

Of an earlier export the YAML files go that the new one does not write, at the places where exports write them. All else
stays: a README, the history of git, tests beside workflows. The file by which a folder is known as an export's is
taken away first and written last, so that half a folder is never taken for a whole one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

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
    Folder,
    read_folder,
)
from pulse.cli.tenancy.configuration.forms import EnvironmentForm, Form, OrganizationForm, read_form, relative
from pulse.cli.workflows.documents import read_yaml, yaml_files
from pulse.core.errors import InvalidInput

F = TypeVar("F", bound=Form)


@dataclass(frozen=True)
class Earlier:
    """What the folder held before: of it, the names of shell variables are kept."""

    folder: Folder | None = None
    notes: Sequence[str] = field(default=())

    def with_shell_names(self, kind: str, form: F) -> F:
        """A credential or a legacy model with the shell variables that its file named."""
        if self.folder is None or kind not in (CREDENTIALS, LEGACY):
            return form
        filed = self.folder.credentials if kind == CREDENTIALS else self.folder.legacy
        before = next((each.form for each in filed if each.form.name == form.name), None)
        return form if before is None else form.model_copy(update=_shell_names(before))

    def with_variables(self, form: EnvironmentForm) -> EnvironmentForm:
        """An environment whose variables have the shell variables that their file named."""
        environments = self.folder.environments if self.folder is not None else []
        before = next((each.filed.form for each in environments if each.name == form.name), None)
        known = {each.name: _shell_names(each) for each in before.variables} if before is not None else {}
        variables = [each.model_copy(update=known.get(each.name)) for each in form.variables]
        return form.model_copy(update={"variables": variables})


def _shell_names(form: Form) -> dict[str, object]:
    return {name: value for name, value in form if name.endswith("_from") and value is not None}


def look_at(folder: Path) -> Earlier:
    """What is there, but for what is hidden. Raises InvalidInput for a folder with anything that is not an export's."""
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder.")
    if not folder.is_dir() or all(each.name.startswith(".") for each in folder.iterdir()):
        return Earlier()
    if not _is_export(folder / ORGANIZATION):
        words = f"It is not empty, and its {ORGANIZATION} is none that an export has written."
        raise InvalidInput(f"{folder} is left as it is. {words} Name an empty folder, or one that is not there yet.")
    try:
        return Earlier(read_folder(folder))
    except InvalidInput:
        return Earlier(notes=["What was in the folder has faults: the shell variables that it named are not kept."])


def _is_export(file: Path) -> bool:
    try:
        return read_form(OrganizationForm, read_yaml(file))[0] is not None
    except InvalidInput:
        return False


def write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Writes the files, and removes what an earlier export wrote besides. The paths of those that were removed."""
    (folder / ORGANIZATION).unlink(missing_ok=True)
    removed = [file for file in _written_by_exports(folder) if relative(file, folder) not in files]
    for file in removed:
        file.unlink()
    for path, text in sorted(files.items(), key=lambda each: each[0] == ORGANIZATION):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for place in sorted({file.parent for file in removed}, reverse=True):
        _remove_empty(place, folder)
    return sorted(relative(file, folder) for file in removed)


def _written_by_exports(folder: Path) -> list[Path]:
    found = [file for name in (TEAMS, CREDENTIALS, MODELS, LEGACY) for file in yaml_files(folder / name)]
    for environment in (folder / ENVIRONMENTS).glob("*"):
        found += [environment / ENVIRONMENT] if (environment / ENVIRONMENT).is_file() else []
        found += [file for name in (PROMPTS, WORKFLOWS) for file in yaml_files(environment / name)]
    return [file for file in found if file.is_file()]


def _remove_empty(place: Path, folder: Path) -> None:
    """The folder of something that was removed goes too, and those above it, as long as they are empty."""
    while place not in (folder, folder.parent) and place.is_dir() and not any(place.iterdir()):
        place.rmdir()
        place = place.parent
