"""Two duties around leases: the heartbeat that keeps ours, and the sweeper that frees those of the dead."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from pulse.core.errors import PulseError
from pulse.messages.queue import MessageQueue
from pulse.storage.claims import LEASE_MS

log = structlog.get_logger(__name__)


class Heartbeat:
    """Renews the leases at a third of their time; calls `lost` when two thirds have passed without a renewal."""

    name = "heartbeat"

    def __init__(
        self, renew: Callable[[], Awaitable[None]], lost: Callable[[], Awaitable[None]], lease_ms: int = LEASE_MS
    ) -> None:
        self._renew_leases = renew
        self._lost = lost
        self._lease_s = lease_ms / 1000
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        await _ended(self._task)

    async def _run(self) -> None:
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(self._lease_s / 3)
            # A lease counts from when its renewal was asked for, however long the answer took.
            asked = time.monotonic()
            if await self._renew():
                renewed = asked
            elif time.monotonic() - renewed > self._lease_s * 2 / 3:
                log.error("leases_not_renewed", seconds=round(time.monotonic() - renewed, 1))
                await self._lost()

    async def _renew(self) -> bool:
        try:
            async with asyncio.timeout(self._lease_s / 3):
                await self._renew_leases()
        except (PulseError, TimeoutError) as error:
            log.warning("renewal_failed", reason=str(error))
        except Exception:
            log.exception("renewal_failed")
        else:
            return True
        return False


class Sweeper:
    """Frees expired leases, every half of a lease's time, and tells `suspects_wait` when there are any.

    Suspects are looked for each time, and not only when something was freed: one may have been put off, or be left
    from an earlier life of this process.
    """

    name = "sweeper"

    def __init__(self, queue: MessageQueue, suspects_wait: Callable[[], None], lease_ms: int = LEASE_MS) -> None:
        self._queue = queue
        self._suspects_wait = suspects_wait
        self._pause_s = lease_ms / 2000
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        await _ended(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._queue.sweep()
                if await self._queue.suspects_wait():
                    self._suspects_wait()
            except PulseError as error:
                log.warning("sweep_failed", reason=error.message)
            except Exception:
                log.exception("sweep_failed")
            await asyncio.sleep(self._pause_s)


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
