"""What was read, kept for a while: until something says that it has changed, and never longer than so many seconds.

Callers that come while it is being read wait for that one reading, unless a change came in between.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from functools import partial
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
        self._readings: dict[K, asyncio.Task[T]] = {}

    async def get(self, key: K) -> T:
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < self._seconds:
            return kept[1]
        reading = self._readings.get(key)
        if reading is None:
            # It serves everybody: nothing of the context of whoever comes first goes with it.
            reading = self._readings[key] = asyncio.create_task(self._reading(key), context=Context())
            reading.add_done_callback(partial(self._over, key))
        # A caller that goes away leaves the reading to the others.
        return await asyncio.shield(reading)

    def forget(self, key: K) -> None:
        """What is kept under the key may have changed."""
        self._changes += 1
        self._kept.pop(key, None)
        self._readings.pop(key, None)

    def forget_all(self) -> None:
        """Changes may have been missed."""
        self._changes += 1
        self._kept.clear()
        self._readings.clear()

    async def _reading(self, key: K) -> T:
        read_at, changes = time.monotonic(), self._changes
        found = await self._read(key)
        # What was read before a change that came meanwhile is not kept.
        if changes == self._changes:
            self._kept[key] = (read_at, found)
        return found

    def _over(self, key: K, reading: "asyncio.Task[T]") -> None:
        if self._readings.get(key) is reading:
            del self._readings[key]
        if not reading.cancelled():
            reading.exception()
