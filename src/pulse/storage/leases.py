"""Two duties around leases: the heartbeat that keeps ours, and the sweeper that frees those of the dead."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from pulse.core.errors import PulseError
from pulse.storage.claims import LEASE_MS

log = logging.getLogger(__name__)


class Swept(Protocol):
    """Claimable rows, as the sweeper sees them."""

    async def sweep(self) -> int:
        """Frees the rows whose lease has run out; how many there were."""
        ...

    async def suspects_wait(self) -> bool:
        """Whether there is a row that is to be claimed alone."""
        ...


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
                log.error("leases not renewed for %.1f s: what runs is stopped", time.monotonic() - renewed)
                await self._lost()

    async def _renew(self) -> bool:
        try:
            async with asyncio.timeout(self._lease_s / 3):
                await self._renew_leases()
        except (PulseError, TimeoutError) as error:
            log.warning("leases not renewed: %s", error)
        except Exception:
            log.exception("leases not renewed")
        else:
            return True
        return False


class Sweeper:
    """Frees expired leases, every half of a lease's time, and tells `suspects_wait` when there are any.

    Suspects are looked for each time, and not only when something was freed: one may have been put off, or be left
    from an earlier life of this process.
    """

    name = "sweeper"

    def __init__(self, rows: Swept, suspects_wait: Callable[[], None], lease_ms: int = LEASE_MS) -> None:
        self._rows = rows
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
                await self._rows.sweep()
                if await self._rows.suspects_wait():
                    self._suspects_wait()
            except PulseError as error:
                log.warning("expired leases not freed: %s", error.message)
            except Exception:
                log.exception("expired leases not freed")
            await asyncio.sleep(self._pause_s)


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
