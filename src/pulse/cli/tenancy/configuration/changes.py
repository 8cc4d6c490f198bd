"""A change of one resource, what all changes are planned from, and where they are carried out."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulse.cli.options import At
from pulse.cli.session import Session
from pulse.cli.tenancy.configuration.folder import Folder, Problems
from pulse.cli.tenancy.configuration.present import Present, Row
from pulse.cli.workflows.apply import Kind, diff_of
from pulse.cli.workflows.documents import to_yaml
from pulse.prompts.records import Scope

Owned = tuple[Scope, str]


@dataclass
class Target:
    """Where changes are carried out: the ids of what is there by name, and of what has been made since."""

    pulse: Session
    name: str
    organization: str = ""
    environments: dict[str, str] = field(default_factory=dict)
    credentials: dict[Owned, str] = field(default_factory=dict)
    models: dict[Owned, str] = field(default_factory=dict)
    prompts: dict[tuple[str, str], str] = field(default_factory=dict)

    def at(self, environment: str | None = None) -> At:
        place = {"organizationId": self.organization}
        return At(
            self.pulse, place if environment is None else {**place, "environmentId": self.environments[environment]}
        )


Send = Callable[[Target], Awaitable[None]]


@dataclass(frozen=True)
class Change:
    """What becomes of one resource; `send` carries it out, where another change does not do it along with its own."""

    noun: str
    name: str
    kind: Kind
    diff: Sequence[str] = ()
    environment: str | None = None
    send: Send | None = None

    @property
    def label(self) -> str:
        return label(self.noun, self.name, self.environment)


@dataclass
class Planned:
    """What is planned so far, from the folder and from what is there; `shell` has the variables of the shell."""

    name: str
    folder: Folder
    present: Present
    shell: Mapping[str, str]
    problems: Problems
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_alone: list[tuple[str, str, str | None]] = field(default_factory=list)

    @property
    def environments(self) -> set[str]:
        """The environments that are there, or will be."""
        return {row["name"] for row in self.present.places} | {each.name for each in self.folder.environments}

    def compare(
        self,
        noun: str,
        name: str,
        before: dict[str, Any] | None,
        after: dict[str, Any],
        send: Send,
        environment: str | None = None,
    ) -> None:
        """Plans what makes the one the other."""
        diff = diff_of(before or {}, after, shown)
        kind: Kind = "create" if before is None else "change" if diff else "unchanged"
        self.changes.append(Change(noun, name, kind, diff, environment, send))

    def leave(self, noun: str, there: Collection[str], wanted: Collection[str], environment: str | None = None) -> None:
        """Tells of what is there and not in the folder."""
        self.left_alone += [(noun, name, environment) for name in sorted({*there} - {*wanted})]


def shown(document: dict[str, Any]) -> str:
    """A document as diffs show it."""
    return to_yaml(document, sort_keys=True)


def label(noun: str, name: str, environment: str | None) -> str:
    return f"{noun} {name!r}{'' if environment is None else f' of {environment}'}"


async def put(at: At, path: str, row: Row | None, body: dict[str, Any], revision: str = "revision") -> Row:
    """Makes what is not there, and changes what is there, unless it has changed since it was read."""
    return await (at.post(path, body) if row is None else at.put(path, row, body, revision=revision))
