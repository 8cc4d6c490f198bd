"""The hash chain: each entry's hash covers its own content and the hash before it.

`hash = SHA-256(previous hash || canonical)`, the first previous hash being 32 zero bytes. `canonical` is the entry as
`GET /api/audit/export` shows it, without `hash`: JSON in UTF-8, the names of each object in order, no spaces. So
whoever has an export of a whole chain can verify it without Pulse. An entry that was changed, put in, taken out or
moved breaks the chain there; a tail that was cut off is missed by the chain's head, which is kept apart and logged
whenever it moves.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from pulse.tenancy.audit.records import Entry, Head, document

START = bytes(32)


def sealed(entry: Entry, sequence: int, previous: bytes) -> Entry:
    """The entry with its place in the chain."""
    placed = replace(entry, sequence=sequence)
    return replace(placed, hash=hash_of(placed, previous))


def hash_of(entry: Entry, previous: bytes) -> bytes:
    """Raises ValueError where its subjects are no JSON."""
    return hashlib.sha256(previous + canonical(shown(entry))).digest()


def canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def shown(entry: Entry) -> dict[str, Any]:
    """The entry as people see it."""
    return document(entry, json.loads(entry.subjects))


@dataclass(frozen=True)
class Broken:
    """Where a chain is broken first, in words."""

    organization_id: str
    sequence: int
    words: str


class Verification:
    """Goes along one chain. `follow` takes its entries in order of their sequence, `end` its head at last."""

    def __init__(self, organization_id: str) -> None:
        self._organization_id = organization_id
        self._entries = 0
        self._hash = START

    def follow(self, entry: Entry) -> Broken | None:
        """What is wrong with this entry as the next one, or None."""
        expected = self._entries + 1
        if entry.sequence != expected:
            return self._broken(expected, f"entry {expected} is missing: the next that is there is {entry.sequence}")
        try:
            same = hash_of(entry, self._hash) == entry.hash
        except (ValueError, OverflowError, OSError, RecursionError):
            # No such text, no such time: what was sealed had others.
            same = False
        if not same:
            words = f"entry {expected} ({entry.id}, {entry.action}) is not what was sealed"
            return self._broken(expected, f"{words}: it was changed, put in or moved, or the one before it was")
        self._entries, self._hash = expected, entry.hash or START
        return None

    def end(self, head: Head | None) -> Broken | None:
        """What is wrong with the chain's end, or None."""
        if head is None:
            lost = self._entries > 0
            return self._broken(self._entries, "the record of where the chain ends is gone") if lost else None
        if head.entries > self._entries:
            first, last = self._entries + 1, head.entries
            return self._broken(first, f"entries {first} to {last} are missing: the chain's end was cut off")
        if head.entries < self._entries:
            return self._broken(head.entries + 1, f"there are entries after the chain's end, which is {head.entries}")
        if head.hash != self._hash:
            return self._broken(head.entries, "the last entry is not the one that the chain's end names")
        return None

    def _broken(self, sequence: int, words: str) -> Broken:
        return Broken(self._organization_id, sequence, words)
