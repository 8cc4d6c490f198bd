"""What was read, kept for a while: until something says that it has changed, and never longer than so many seconds."""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Kept(Generic[K, T]):
    """Keeps what `read` gives for a key, for `seconds` at most."""

    def __init__(self, read: Callable[[K], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._changes = 0
        self._kept: dict[K, tuple[float, T]] = {}

    async def get(self, key: K) -> T:
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < self._seconds:
            return kept[1]
        read_at, changes = time.monotonic(), self._changes
        found = await self._read(key)
        # What was read before a change that came meanwhile is not kept.
        if changes == self._changes:
            self._kept[key] = (read_at, found)
        return found

    def forget(self, key: K) -> None:
        """What is kept under the key may have changed."""
        self._changes += 1
        self._kept.pop(key, None)

    def forget_all(self) -> None:
        """Changes may have been missed."""
        self._changes += 1
        self._kept.clear()
