"""A folder as it is read: every file of it, and all that is wrong with any.

    organization.yaml  teams/*.yaml  credentials/*.yaml  models/*.yaml  legacy-models/*.yaml
    environments/*/environment.yaml  environments/*/prompts/*.yaml  environments/*/workflows/*.yaml

What a thing is called stands in its file; what the file is called says nothing.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from pulse.cli.output import counted
from pulse.cli.tenancy.configuration.forms import (
    CredentialForm,
    EnvironmentForm,
    Form,
    LegacyForm,
    ModelForm,
    OrganizationForm,
    PromptForm,
    TeamForm,
    read_form,
    relative,
)
from pulse.cli.workflows.documents import read_document, read_yaml, yaml_files
from pulse.core.errors import Fault, InvalidFields, InvalidInput

ORGANIZATION, ENVIRONMENT, ENVIRONMENTS = "organization.yaml", "environment.yaml", "environments"
TEAMS, CREDENTIALS, MODELS, LEGACY = "teams", "credentials", "models", "legacy-models"
PROMPTS, WORKFLOWS = "prompts", "workflows"
F = TypeVar("F", bound=Form)


@dataclass(frozen=True)
class Filed(Generic[F]):
    """What a file says."""

    file: Path
    form: F


@dataclass(frozen=True)
class EnvironmentFolder:
    """What there is of one environment; workflow documents by file."""

    filed: Filed[EnvironmentForm]
    prompts: list[Filed[PromptForm]]
    workflows: dict[Path, dict[str, Any]]

    @property
    def name(self) -> str:
        return self.filed.form.name


@dataclass(frozen=True)
class Folder:
    """A whole folder; `unread` are YAML files in it that are no part of a configuration."""

    path: Path
    organization: OrganizationForm
    teams: list[Filed[TeamForm]]
    credentials: list[Filed[CredentialForm]]
    models: list[Filed[ModelForm]]
    legacy: list[Filed[LegacyForm]]
    environments: list[EnvironmentFolder]
    unread: list[str]


@dataclass
class Problems:
    """Everything that is wrong with a folder, with the file and the place in it."""

    folder: Path
    found: list[str] = field(default_factory=list)

    def add(self, file: Path, *faults: Fault) -> None:
        for fault in faults:
            where = f"{relative(file, self.folder)}: {fault.path}".rstrip(": ")
            self.found.append(f"{where}: {fault.message}")

    def refuse(self) -> None:
        """Raises InvalidInput with all of them."""
        if self.found:
            lines = "".join(f"\n  {each}" for each in sorted(set(self.found)))
            raise InvalidInput(
                f"Nothing was changed: {self.folder} has {counted(len(set(self.found)), 'fault')}.{lines}"
            )


class _Strict(yaml.SafeLoader):
    """Refuses a mapping that has a name twice, of which YAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, "found a name twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_folder(path: Path) -> Folder:
    """The folder, checked by itself: what it refers to elsewhere is not looked at. Raises InvalidInput."""
    if not path.is_dir():
        raise InvalidInput(f"{path} is no folder.")
    reader = _Reader(path, Problems(path))
    organization = reader.one(OrganizationForm, path / ORGANIZATION)
    teams, credentials = reader.all(TeamForm, path / TEAMS), reader.all(CredentialForm, path / CREDENTIALS)
    models, legacy = reader.all(ModelForm, path / MODELS), reader.all(LegacyForm, path / LEGACY)
    environments = reader.environments(path / ENVIRONMENTS)
    reader.problems.refuse()
    if organization is None:
        raise InvalidInput(f"{path} has no {ORGANIZATION}.")
    unread = sorted(relative(file, path) for file in set(_yaml_below(path)) - reader.seen)
    return Folder(path, organization.form, teams, credentials, models, legacy, environments, unread)


@dataclass
class _Reader:
    path: Path
    problems: Problems
    seen: set[Path] = field(default_factory=set)

    def one(self, kind: type[F], file: Path) -> Filed[F] | None:
        self.seen.add(file)
        if not file.exists():
            words = f"There is no such file: is {relative(file.parent, self.path)} all of what `export` has written?"
            self.problems.add(file, Fault("", "missing", words))
            return None
        try:
            form, faults = read_form(kind, read_yaml(file, _Strict))
        except InvalidInput as error:
            form, faults = None, [_unreadable(file, error)]
        except RecursionError:
            form, faults = None, [Fault("", "too_deep", "This is nested too deeply, or holds itself.")]
        self.problems.add(file, *faults)
        return None if form is None else Filed(file, form)

    def all(self, kind: type[F], folder: Path) -> list[Filed[F]]:
        """Those of a folder of their own, by name."""
        found = [filed for file in yaml_files(folder) if (filed := self.one(kind, file)) is not None]
        self.apart((filed.file, filed.form.name) for filed in found)
        return sorted(found, key=lambda filed: filed.form.name)

    def apart(self, named: Iterable[tuple[Path, str]]) -> None:
        """No two may have one name."""
        first: dict[str, Path] = {}
        for file, name in named:
            other = first.setdefault(name, file)
            if other != file:
                words = f"{relative(other, self.path)} has the same name: give each its own."
                self.problems.add(file, Fault("name", "name_taken", words))

    def environments(self, folder: Path) -> list[EnvironmentFolder]:
        folders = sorted(each for each in folder.glob("*") if not each.name.startswith(".") and _holds_anything(each))
        found = [read for each in folders if (read := self.environment(each)) is not None]
        self.apart((each.filed.file, each.name) for each in found)
        return sorted(found, key=lambda each: each.name)

    def environment(self, folder: Path) -> EnvironmentFolder | None:
        filed = self.one(EnvironmentForm, folder / ENVIRONMENT)
        prompts = self.all(PromptForm, folder / PROMPTS)
        workflows = self.workflows(folder / WORKFLOWS)
        if filed is None:
            return None
        self.parts(filed.file, "variables", [each.name for each in filed.form.variables])
        self.parts(filed.file, "sources", [f"{each.name} ({each.kind})" for each in filed.form.sources])
        for prompt in prompts:
            self.parts(prompt.file, "variableSets", [each.name for each in prompt.form.variable_sets])
        return EnvironmentFolder(filed, prompts, workflows)

    def parts(self, file: Path, field_: str, names: list[str]) -> None:
        """No two of what stands in one file may have one name."""
        for at, name in enumerate(names):
            if name in names[:at]:
                fault = Fault(f"{field_}.{at}.name", "name_taken", f"There is another {name!r} above.")
                self.problems.add(file, fault)

    def workflows(self, folder: Path) -> dict[Path, dict[str, Any]]:
        found = {}
        for file in yaml_files(folder):
            self.seen.add(file)
            try:
                found[file] = read_document(file)
            except InvalidFields as error:
                self.problems.add(file, *error.faults)
            except InvalidInput as error:
                self.problems.add(file, _unreadable(file, error))
        self.apart((file, document["name"]) for file, document in found.items())
        return found


def _holds_anything(environment: Path) -> bool:
    """Whether a folder is an environment's; of one that was removed, tests may be left."""
    return any(yaml_files(place) for place in (environment, environment / PROMPTS, environment / WORKFLOWS))


def _unreadable(file: Path, error: InvalidInput) -> Fault:
    """The error as a fault, which has its file elsewhere."""
    return Fault("", error.code, f"This file {error.message.removeprefix(f'{file} ')}")


def _yaml_below(folder: Path) -> Iterator[Path]:
    """YAML files at any depth, but for tests of workflows and what is hidden."""
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from yaml_files(Path(place))
