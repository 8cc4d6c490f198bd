"""The records of messages, frozen. Structs rather than dataclasses: several are made for every message."""

from typing import Literal, NamedTuple

from msgspec import Struct

State = Literal["ready", "blocked", "running", "held", "success", "fail", "ignore", "canceled"]
OUTCOMES: tuple[str, ...] = ("success", "fail", "ignore", "canceled")
# What is left of a deleted message until its segment of the archive is written anew without it.
DELETED = "deleted"
# The code of a message that was ignored because its organization has had as many as it may have.
OVER_LIMIT: Literal["over_limit"] = "over_limit"
# The code of one that would have been held, where as many are held as may be.
TOO_MANY_HELD: Literal["too_many_held"] = "too_many_held"
PENDING: tuple[str, ...] = ("ready", "blocked", "running")


def shown_status(state: str) -> str:
    """The status that people see: what waits or runs is pending."""
    return "pending" if state in PENDING else state


class NewMessage(Struct, frozen=True):
    """A message on its way in. `payload` is one line of JSON; `fingerprint` tells bodies under one key apart."""

    id: str
    organization_id: str
    environment_id: str
    type: str | None
    payload: bytes
    received_at: int
    lane: str | None = None
    idempotency_key: str | None = None
    fingerprint: bytes | None = None
    origin_id: str | None = None
    pin: str | None = None
    reuses: str | None = None


class Accepted(Struct, frozen=True):
    """What intake did with a message: `id` is the first one's, where it was a repeat.

    `work` is there where the message was claimed for this process's own consumer in the same transaction. `is_over`: it
    has its outcome already, as one that is over the limit.
    """

    id: str
    deduplicated: bool = False
    conflict: bool = False
    work: "Work | None" = None
    is_over: bool = False


class Work(Struct, frozen=True):
    """A claimed message, ready to be evaluated.

    `pin` names the one version that it runs on, and `reuses` the message whose effects it takes over, where it is a
    replay's.
    """

    id: str
    organization_id: str
    environment_id: str
    epoch: int
    lone_deaths: int
    received_at: int
    lane: str | None
    payload: bytes
    type: str | None = None
    pin: str | None = None
    reuses: str | None = None


class Pin(NamedTuple):
    """One version of one workflow; its text is how a message keeps it."""

    workflow_id: str
    version: int

    @property
    def text(self) -> str:
        return f"{self.workflow_id}@{self.version}"

    @classmethod
    def of(cls, text: str) -> "Pin":
        workflow_id, _, version = text.rpartition("@")
        return cls(workflow_id, int(version))


class Outcome(Struct, frozen=True):
    """How a message ended: the fields of its index row, and its body (see result.py).

    `children` are the messages that it sends to other workflows: they leave in the same transaction. Where it
    `is_journaled`, its journal goes, unless it failed.
    """

    id: str
    epoch: int
    status: str
    completed_at: int
    elapsed_ms: int
    body: bytes
    organization_id: str
    lane: str | None = None
    code: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    workflow_version: int | None = None
    error: str | None = None
    children: tuple[NewMessage, ...] = ()
    is_journaled: bool = False


class MessageRow(Struct, frozen=True):
    """A line of *Processed Messages*."""

    id: str
    organization_id: str
    environment_id: str
    type: str | None
    status: str
    received_at: int
    completed_at: int | None
    elapsed_ms: int | None
    code: str | None
    workflow_id: str | None
    workflow_name: str | None
    workflow_version: int | None
    error: str | None
    size: int
    lane: str | None
    origin_id: str | None


class StoredMessage(Struct, frozen=True):
    """A message with everything that is kept of it; `body` is None until it has an outcome.

    Once it is archived, `archived` is its line there (see result.py), and `body` is None again.
    """

    row: MessageRow
    payload: bytes
    body: bytes | None = None
    archived: bytes | None = None
