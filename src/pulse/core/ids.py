"""Identifiers: `<kind>_<26 characters>`, the TypeID form of a UUIDv7 (RFC 9562).

Ids of one kind sort by the millisecond they were made in, and those of one `Ids` also by the order they were made in.
A derived id has its parent's time and a digest of what it was derived from: the same derivation gives the same id.
"""

import hashlib
import os
import threading
from collections.abc import Callable

from pulse.core.clock import Clock, SystemClock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_LETTERS = frozenset(ALPHABET)
_COUNTER_BITS = 74
_VERSION = 7 << 76
_VARIANT = 2 << 62
_END_OF_TIME = 1 << 48


class Ids:
    """Makes ids that increase strictly; `clock` and `entropy` (bytes wanted → bytes) come from outside."""

    def __init__(self, clock: Clock | None = None, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock or SystemClock()
        self._entropy = entropy
        self._last_ms = -1
        self._counter = 0
        self._lock = threading.Lock()

    def new(self, kind: str) -> str:
        """A new id; may be called in any thread."""
        with self._lock:
            return f"{kind}_{_encode(self._number())}"

    def _number(self) -> int:
        now = self._clock.now_ms()
        if now > self._last_ms:
            self._last_ms = now
            # The top bit starts at zero, which leaves room to count on in the same millisecond.
            self._counter = int.from_bytes(self._entropy(10)) & ((1 << (_COUNTER_BITS - 1)) - 1)
        else:
            self._counter += 1 + self._entropy(1)[0]
        return _uuid7(self._last_ms, self._counter)


def derive_id(kind: str, parent: str, *parts: str | int) -> str:
    """An id with the time of `parent` that depends on `parent` and `parts` only."""
    suffix = _suffix_of(parent)
    digest = hashlib.sha256("\0".join([parent, *map(str, parts)]).encode()).digest()
    counter = int.from_bytes(digest[:10]) & ((1 << _COUNTER_BITS) - 1)
    # The first ten letters of a suffix are the time.
    return f"{kind}_{suffix[:10]}{_encode(_uuid7(0, counter))[10:]}"


def time_of(identifier: str) -> int:
    """The millisecond an id was made in. Raises ValueError for what is not an id."""
    suffix = _suffix_of(identifier)
    ms = 0
    for letter in suffix[:10]:
        ms = ms * 32 + _VALUES[letter]
    return ms


def first_id_at(kind: str, ms: int) -> str:
    """The smallest id of that kind that the given millisecond can have: a bound for ranges of ids."""
    return f"{kind}_{_encode(min(max(ms, 0), _END_OF_TIME) << 80)}"


def is_id(text: str, kind: str) -> bool:
    prefix, _, suffix = text.rpartition("_")
    return prefix == kind and _is_suffix(suffix)


def _suffix_of(identifier: str) -> str:
    suffix = identifier.rpartition("_")[2]
    if not _is_suffix(suffix):
        raise ValueError(f"not an id: {identifier!r}")
    return suffix


def _is_suffix(text: str) -> bool:
    # 26 letters hold 130 bits and a UUID has 128, so the first is at most 7.
    return len(text) == 26 and text[0] <= "7" and _LETTERS.issuperset(text)


def _uuid7(ms: int, counter: int) -> int:
    return (ms << 80) | _VERSION | ((counter >> 62) << 64) | _VARIANT | (counter & ((1 << 62) - 1))


def _encode(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
