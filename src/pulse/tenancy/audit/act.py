"""What somebody is doing just now, so that whatever it changes is written down in the same transaction.

An act begins when a right was granted and ends with the answer (`acting`). Meanwhile it is known to everything that is
done for it, through a context variable; stores name what they change (`note`), in the transaction that changes it. The
first transaction of an act is written down in any case, a later one where something was named in it or since the last.
Where a transaction is rolled back, what was named in it is forgotten. What is no change of the act's own (a counter, a
time last seen) is done `aside`.

Tasks that an act has begun inherit the variable: once the act has ended, it says nothing to them any more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy import Connection

from pulse.storage.database import BeforeCommit
from pulse.storage.narrowing import narrowed

ActorKind = Literal["user", "key", "script", "local", "system", "anyone"]
MAX_TEXT = 200
MAX_SUBJECTS = 50
Value = str | int | bool | None


@dataclass(frozen=True)
class Actor:
    """Who acts. `id`: of a user or an API key; of a script the message that ran it, where that is known.

    `local` are the commands on the machine itself, `system` is Pulse, `anyone` somebody who was not signed in.
    """

    kind: ActorKind
    id: str = ""


@dataclass(frozen=True)
class Act:
    """What is done: `action` is a permission. Without an organization it concerns the installation. `at` in ms."""

    actor: Actor
    action: str
    at: int
    organization_id: str = ""
    environment_id: str = ""
    method: str = ""
    path: str = ""
    address: str = ""


@dataclass(frozen=True)
class Subject:
    """Something that was changed, and how; no secret is in it. `organization_id`: where the act itself has none."""

    kind: str
    id: str
    name: str = ""
    organization_id: str = ""
    changed: dict[str, Value] = field(default_factory=dict)


# Writes one row for an act and the subjects.
Writing = Callable[[Connection, Act, list[Subject]], None]


class UnderWay:
    """An act that has not ended: what was named, and how much of that is written down already."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.is_over = False
        self._subjects: list[Subject] = []
        self._told = 0
        self._telling = 0
        self._is_written = False
        self._is_idle = False

    def name(self, subject: Subject) -> None:
        if len(self._subjects) - self._told < MAX_SUBJECTS:
            self._subjects.append(subject)

    def tell(self, connection: Connection, writing: Writing) -> None:
        """Part of a transaction: writes what is not written yet. `told` says that it was committed."""
        new = self._subjects[self._told :]
        self._telling = len(self._subjects)
        if new or not (self._is_written or self._is_idle):
            writing(connection, self.act, new)

    def told(self) -> None:
        self._is_written = self._is_written or not self._is_idle or self._telling > self._told
        self._told = self._telling

    def idle(self) -> None:
        """The transaction that is under way turned out to change nothing."""
        self._is_idle = True

    @contextmanager
    def transaction(self, writing: Writing) -> Iterator[BeforeCommit]:
        """What goes with one transaction of the act."""
        begun_with, self._is_idle = len(self._subjects), False
        try:
            yield lambda connection: self.tell(connection, writing)
        except BaseException:
            del self._subjects[begun_with:]
            raise
        else:
            self.told()
        finally:
            self._is_idle = False


_UNDER_WAY: ContextVar[UnderWay | None] = ContextVar("under_way", default=None)


def under_way() -> UnderWay | None:
    """The act that this is done for, or None."""
    found = _UNDER_WAY.get()
    return None if found is None or found.is_over else found


@contextmanager
def acting(act: Act) -> Iterator[None]:
    """Whatever is changed in this block is changed by that act."""
    begun = UnderWay(act)
    token = _UNDER_WAY.set(begun)
    try:
        yield
    finally:
        begun.is_over = True
        _UNDER_WAY.reset(token)


@contextmanager
def aside() -> Iterator[None]:
    """What is written in this block is no change that anybody makes, and belongs to no organization."""
    token = _UNDER_WAY.set(None)
    try:
        with narrowed(""):
            yield
    finally:
        _UNDER_WAY.reset(token)


def unchanged() -> None:
    """Says that the transaction changes nothing: it needs no entry, unless something was named in it."""
    found = under_way()
    if found is not None:
        found.idle()


def concern(organization_id: str, environment_id: str = "") -> None:
    """From here on, the act that is under way concerns this organization and not the installation."""
    found = under_way()
    if found is not None:
        found.act = replace(found.act, organization_id=organization_id, environment_id=environment_id)


def note(kind: str, subject_id: str, name: str = "", /, *, organization_id: str = "", **changed: Value) -> None:
    """Names what is being changed, where somebody's act does it. Never give a secret: many may read this.

    To be called within the transaction that makes the change, or before it.
    """
    found = under_way()
    if found is not None:
        short = {key: value[:MAX_TEXT] if isinstance(value, str) else value for key, value in changed.items()}
        found.name(Subject(kind, subject_id[:MAX_TEXT], name[:MAX_TEXT], organization_id, short))
