"""Short-term memory: values under names that workflows make up, each organization's and environment's its own.

The key of a value is `{organizationId}/{environmentId}/{metadata[0]}/.../{filename}`, with every character but letters,
digits, `.`, `-` and `_` percent-encoded. Text is kept as it is and everything else as JSON, and what is read is parsed
where it is JSON: a text such as `42` therefore comes back as the number, as scripts have always had it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from pulse.core.errors import Fault, InvalidFields, InvalidInput, InvalidJson, TooLarge
from pulse.core.json import parse
from pulse.memory.port import Entry, Shelf

MAX_SEGMENTS = 16
# A file's name has at most 255 bytes.
MAX_SEGMENT = 200
MAX_KEY = 900
MAX_VALUE = 4 * 1024 * 1024
MAX_VALUES = 1_000
MAX_BYTES = 16 * 1024 * 1024
_READS_AT_ONCE = 16


@dataclass(frozen=True)
class Kept:
    """Where a value is kept."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Owner:
    """Whose memory it is."""

    organization_id: str
    environment_id: str


class ShortTermMemory:
    """Values on a shelf. Wrong names and values are InvalidInput; where the shelf fails, it is Unavailable."""

    def __init__(self, shelf: Shelf, *, max_values: int = MAX_VALUES, max_bytes: int = MAX_BYTES) -> None:
        self._shelf = shelf
        self._max_values = max_values
        self._max_bytes = max_bytes

    async def store(self, owner: Owner, metadata: Sequence[str], value: Any, filename: str) -> Kept:
        """Keeps a value in place of the one before, if any. At most 4 MiB, as JSON or text in UTF-8."""
        key = key_of(owner, metadata, filename)
        await self._shelf.put(key, _encoded(value))
        return Kept(self._shelf.bucket, key)

    async def retrieve(self, owner: Owner, metadata: Sequence[str], filename: str) -> Any:
        """The value, or None where there is none."""
        data = await self._shelf.get(key_of(owner, metadata, filename), MAX_VALUE)
        return None if data is None else _decoded(data)

    async def retrieve_all(self, owner: Owner, metadata: Sequence[str]) -> Mapping[str, Any]:
        """Every value below, by its name from there on (`history.json`, `2026/summary.txt`), in order of names.

        At most 1,000 values and 16 MiB: where there are more, TooLarge says so before anything is read.
        """
        prefix = key_of(owner, metadata)
        entries = await self._shelf.list(prefix, self._max_values)
        if (total := sum(entry.size for entry in entries)) > self._max_bytes:
            raise TooLarge(
                f"The values below {prefix} have {total:,} bytes; at most {self._max_bytes:,} are read at once."
            )
        turns = asyncio.Semaphore(_READS_AT_ONCE)
        values = await asyncio.gather(*(self._read(entry, turns) for entry in entries))
        found = {
            unquote(entry.key.removeprefix(f"{prefix}/")): data for entry, data in zip(entries, values, strict=True)
        }
        return await asyncio.to_thread(
            lambda: {name: _decoded(data) for name, data in found.items() if data is not None}
        )

    async def delete(self, owner: Owner, metadata: Sequence[str], filename: str) -> bool:
        """Whether there was a value; there is none now."""
        return await self._shelf.delete(key_of(owner, metadata, filename))

    async def _read(self, entry: Entry, turns: asyncio.Semaphore) -> bytes | None:
        """None where it was deleted since it was listed."""
        async with turns:
            return await self._shelf.get(entry.key, MAX_VALUE)


def key_of(owner: Owner, metadata: Sequence[str], filename: str | None = None) -> str:
    """The key of a value, or without `filename` what all keys below begin with. Raises InvalidFields."""
    given: Any = metadata
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidFields([Fault("metadata", "invalid", 'Metadata is a list of names, such as ["chat", "42"].')])
    named = [("organizationId", owner.organization_id), ("environmentId", owner.environment_id)]
    named += [(f"metadata.{place}", name) for place, name in enumerate(metadata)]
    if filename is not None:
        named.append(("filename", filename))
    faults = [fault for path, name in named if (fault := _fault_of(path, name)) is not None]
    if len(metadata) > MAX_SEGMENTS:
        faults.append(Fault("metadata", "too_many", f"Metadata has at most {MAX_SEGMENTS} names."))
    if faults:
        raise InvalidFields(faults)
    key = "/".join(_escaped(name) for _, name in named)
    if len(key) > MAX_KEY:
        raise InvalidFields([Fault("metadata", "too_long", f"All names together make at most {MAX_KEY} characters.")])
    return key


def _fault_of(path: str, name: Any) -> Fault | None:
    if not isinstance(name, str):
        return Fault(path, "invalid", "A name is a text.")
    if name in ("", ".", ".."):
        return Fault(path, "invalid", "A name has at least one character, and is not `.` or `..`.")
    if any(letter in "/\\" or not letter.isprintable() for letter in name):
        return Fault(path, "invalid", "A name has no slashes, backslashes, line breaks or other control characters.")
    if len(_escaped(name)) > MAX_SEGMENT:
        words = (
            f"A name has at most {MAX_SEGMENT} characters, each byte of one beyond A-Z, 0-9 and .-_ counted as three."
        )
        return Fault(path, "too_long", words)
    return None


def _escaped(name: str) -> str:
    return quote(name, safe="").replace("~", "%7E")


def _encoded(value: Any) -> bytes:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
        data = text.encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(
            "Only what JSON can say is kept: text, finite numbers, true, false, null, lists, objects."
        ) from None
    if len(data) > MAX_VALUE:
        raise TooLarge(f"A value has at most {MAX_VALUE:,} bytes; this one has {len(data):,}.")
    return data


def _decoded(data: bytes) -> Any:
    try:
        return parse(data)
    except InvalidJson:
        return data.decode(errors="replace")
