"""The duties that look at the time: runs whose time has come are woken, schedules fire, old runs are deleted."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from pulse.core.clock import Clock
from pulse.core.errors import PulseError

log = logging.getLogger(__name__)
SHORTEST_S = 0.001
# After a failure, whatever is due.
PAUSE_S = 1.0
AT_ONCE = 0


class Alarm:
    """Calls `ring` when it is time, and at least every `look_again_s`. A duty.

    `ring` does what is due and answers when there will be more, in milliseconds since 1970 (AT_ONCE; None: not known).
    `hint` tells of an earlier time.
    """

    def __init__(self, name: str, ring: Callable[[], Awaitable[int | None]], clock: Clock, look_again_s: float) -> None:
        self.name = name
        self._ring = ring
        self._clock = clock
        self._look_again_s = look_again_s
        self._at: int | None = None
        self._earlier = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def hint(self, at_ms: int) -> None:
        """Something is due at that time."""
        if self._at is None or at_ms < self._at:
            self._at = at_ms
            self._earlier.set()

    async def _run(self) -> None:
        while True:
            try:
                self._at = await self._ring()
            except PulseError as error:
                log.warning("%s: put off: %s", self.name, error.message)
            except Exception:
                log.exception("%s: put off", self.name)
            else:
                await self._until_due()
                continue
            await asyncio.sleep(PAUSE_S)

    async def _until_due(self) -> None:
        """Returns when it is time, or when it is time to look again."""
        end = asyncio.get_running_loop().time() + self._look_again_s
        while True:
            self._earlier.clear()
            left = end - asyncio.get_running_loop().time()
            if self._at is not None:
                left = min(left, (self._at - self._clock.now_ms()) / 1000)
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(left, SHORTEST_S)):
                    await self._earlier.wait()
