"""Housekeeping: the archiver, retention, and the last use of keys, each at its own pace."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from pulse.core.errors import PulseError

log = structlog.get_logger(__name__)


class Repeated:
    """A duty that does one thing again and again; what goes wrong is logged and tried at the next time."""

    def __init__(self, name: str, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self._every_s = every_s
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
            except PulseError as error:
                log.warning("duty_failed", duty=self.name, reason=error.message)
            except Exception:
                log.exception("duty_failed", duty=self.name)
            await asyncio.sleep(self._every_s)
