"""Crashes on purpose: an engine that stops for good before or after the n-th thing that it makes durable."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.engine.engine import Engine
from pulse.testing.running import run_until_idle

When = Literal["before", "after"]


class Faults:
    """Counts the transactions of an engine, and stops it at one of them as a crash would.

    From then on nothing of the engine reaches the database any more, and nothing that waits for it goes on. `count` is
    how many transactions there were: a test that crashes at each of them, one by one, has crashed everywhere.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._database = engine.plant.store.database
        self._transact: Callable[[Any], Any] = self._database.transact
        self._read = self._database.read
        self._crash_at: tuple[When, int] | None = None
        self._crashed = asyncio.Event()
        self._stuck: set[asyncio.Task[Any]] = set()
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.count = 0
        self._database.transact = self._watched  # type: ignore[method-assign]
        self._database.read = self._watched_read  # type: ignore[method-assign]

    @property
    def has_crashed(self) -> bool:
        return self._crashed.is_set()

    def crash(self, when: When, number: int) -> None:
        """Crash before, or right after, the transaction of that number (from 1, counted since the beginning)."""
        self._crash_at = (when, number)

    async def run(self) -> bool:
        """`run_until_idle`, which a crash ends; whether there was one. A crashed engine is to be thrown away."""
        running = asyncio.ensure_future(run_until_idle(self._engine))
        crashed = asyncio.ensure_future(self._crashed.wait())
        await asyncio.wait([running, crashed], return_when=asyncio.FIRST_COMPLETED)
        # What the database is doing for the dead engine ends as it would; nothing new begins.
        await self._quiet.wait()
        for task in (running, crashed):
            task.cancel()
        await asyncio.wait([running, crashed])
        if self.has_crashed:
            await self._bury()
        elif not running.cancelled():
            running.result()
        return self.has_crashed

    async def _bury(self) -> None:
        """Ends what the dead engine left in this process; in the database everything stays as it is."""
        await self._engine.plant.worker.lease_lost()
        await self._engine.plant.bureau.notices.stop()
        for task in self._stuck:
            task.cancel()
        if self._stuck:
            await asyncio.wait(self._stuck)
        await self._database.close()

    async def _watched(self, work: Callable[[Connection], Any]) -> Any:
        if self.has_crashed:
            await self._for_ever()
        self.count += 1
        number = self.count
        if self._crash_at == ("before", number):
            await self._for_ever()
        with self._being_busy():
            answer = await self._transact(work)
        if self._crash_at == ("after", number):
            await self._for_ever()
        return answer

    @asynccontextmanager
    async def _watched_read(self) -> AsyncIterator[AsyncConnection]:
        if self.has_crashed:
            await self._for_ever()
        with self._being_busy():
            async with self._read() as connection:
                yield connection

    @contextmanager
    def _being_busy(self) -> Iterator[None]:
        self._busy += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if self._busy == 0:
                self._quiet.set()

    async def _for_ever(self) -> None:
        self._crashed.set()
        task = asyncio.current_task()
        if task is not None:
            self._stuck.add(task)
        await asyncio.Event().wait()
