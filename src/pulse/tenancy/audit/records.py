"""The records of the audit, frozen."""

from dataclasses import dataclass
from typing import Any, Literal

from pulse.core.clock import iso

Outcome = Literal["done", "refused"]


@dataclass(frozen=True)
class Entry:
    """One row: a change that was made, or a right that was refused (`reason` is then the error's code).

    `subjects` is JSON text. `sequence` (from 1) and `hash` are its place in its organization's chain, once sealed.
    """

    id: str
    organization_id: str
    environment_id: str
    at: int
    actor_kind: str
    actor_id: str
    action: str
    outcome: Outcome
    reason: str
    method: str
    path: str
    address: str
    subjects: str
    sequence: int | None = None
    hash: bytes | None = None


@dataclass(frozen=True)
class Head:
    """The end of a chain: how many entries it has, and the hash of the last. Kept apart, so that no tail gets lost."""

    organization_id: str
    entries: int
    hash: bytes
    sealed_at: int


@dataclass(frozen=True)
class Wanted:
    """Which entries: all of the given, where they are given. Times in ms since 1970, `until` excluded."""

    actor: str | None = None
    action: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    since: int | None = None
    until: int | None = None
    text: str | None = None


def document(entry: Entry, subjects: list[dict[str, Any]]) -> dict[str, Any]:
    """An entry as people see it, and as it is sealed: everything but the hash."""
    return {
        "id": entry.id,
        "organizationId": entry.organization_id or None,
        "environmentId": entry.environment_id or None,
        "at": iso(entry.at),
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id or None},
        "action": entry.action,
        "outcome": entry.outcome,
        "reason": entry.reason or None,
        "method": entry.method,
        "path": entry.path,
        "address": entry.address,
        "subjects": subjects,
        "sequence": entry.sequence,
    }
