"""Waiting for a message to end: told at once where it ends in this process, found by looking elsewhere."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from pulse.messages.records import OUTCOMES, StoredMessage

LOOK_AGAIN_S = 0.25
REMEMBERED = 10_000
Read = Callable[[str, str], Awaitable[StoredMessage]]


class Waiting:
    """Calls for outcomes. `read(organization_id, message_id)` reads a message as it is now."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._events: dict[str, list[asyncio.Event]] = {}
        self._recent: OrderedDict[str, None] = OrderedDict()

    def ended(self, message_id: str) -> None:
        """To be called when an outcome was committed in this process."""
        self._recent[message_id] = None
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        for event in self._events.get(message_id, ()):
            event.set()

    async def outcome(self, organization_id: str, message_id: str, seconds: float) -> StoredMessage | None:
        """The message once it has an outcome, or None when the time is over."""
        event = asyncio.Event()
        self._events.setdefault(message_id, []).append(event)
        try:
            async with asyncio.timeout(seconds):
                return await self._watch(organization_id, message_id, event)
        except TimeoutError:
            return None
        finally:
            self._events[message_id].remove(event)
            if not self._events[message_id]:
                del self._events[message_id]

    async def _watch(self, organization_id: str, message_id: str, event: asyncio.Event) -> StoredMessage:
        while True:
            # Most messages end here and soon: looking before there is news would read each of them twice.
            if message_id not in self._recent:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await event.wait()
            event.clear()
            stored = await self._read(organization_id, message_id)
            if stored.row.status in OUTCOMES:
                return stored
