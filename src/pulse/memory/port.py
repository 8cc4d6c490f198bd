"""Where short-term memory keeps its values, as it sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """One value that is kept: its key, and its size in bytes."""

    key: str
    size: int


class Shelf(Protocol):
    """Bytes under keys such as `org_a/env_b/chat/42/history.json`, replaced as often as one likes.

    Segments of a key are made of letters A-Z and a-z, digits, `.`, `-`, `_` and `%`, none of them `.` or `..`. A key
    may be the beginning of another one. Every method raises Unavailable (StorageFull where that is the cause).
    """

    @property
    def bucket(self) -> str:
        """What the place is called: the bucket's name, or the folder's."""
        ...

    async def put(self, key: str, data: bytes) -> None:
        """Keeps a value durably, in place of the one before: the last one to be put is the one that is there."""
        ...

    async def get(self, key: str, max_bytes: int) -> bytes | None:
        """The value, or None where there is none. Raises TooLarge where it has more bytes than that."""
        ...

    async def list(self, prefix: str, limit: int) -> Sequence[Entry]:
        """What is kept below a key, whole segments of it, in the order of keys. Raises TooLarge where it is more."""
        ...

    async def delete(self, key: str) -> bool:
        """Whether there was a value; there is none now."""
        ...

    async def check(self) -> None:
        """Whether values can be read now."""
        ...
