"""What befalls an engine in the middle of a play: it crashes, or stands still and goes on much later."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy import Connection

from pulse import Engine
from pulse.testing import Faults


class Crash(Faults):
    """A crash in the middle of anything that is done with the engine, not only of `run_until_idle`."""

    async def during(self, play: Coroutine[Any, Any, None]) -> bool:
        """Whether there was a crash; the play was not played to its end then."""
        playing = asyncio.ensure_future(play)
        crashed = asyncio.ensure_future(self._crashed.wait())
        await asyncio.wait([playing, crashed], return_when=asyncio.FIRST_COMPLETED)
        await self._quiet.wait()
        for task in (playing, crashed):
            task.cancel()
        await asyncio.wait([playing, crashed])
        if self.has_crashed:
            await self._bury()
        else:
            playing.result()
        return self.has_crashed


class Freeze(Faults):
    """An engine that stands still at a transaction: before it, or when it is durable and not yet answered.

    Whatever else it would make durable waits as well, until `thaw`.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._at_rest = asyncio.Event()
        self._thawed = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None

    async def during(self, play: Coroutine[Any, Any, None]) -> bool:
        """Whether it stands still now; otherwise the play was played to its end."""
        self._playing = asyncio.ensure_future(play)
        frozen = asyncio.ensure_future(self._at_rest.wait())
        await asyncio.wait([self._playing, frozen], return_when=asyncio.FIRST_COMPLETED)
        frozen.cancel()
        await self._quiet.wait()
        if not self._at_rest.is_set():
            self._playing.result()
        return self._at_rest.is_set()

    async def thaw(self) -> None:
        """It goes on where it stood, to the end of its play."""
        assert self._playing is not None
        self._thawed.set()
        await self._playing

    async def _watched(self, work: Callable[[Connection], Any]) -> Any:
        self.count += 1
        number = self.count
        if self._crash_at == ("before", number):
            self._at_rest.set()
        if self._at_rest.is_set():
            await self._thawed.wait()
        with self._being_busy():
            answer = await self._transact(work)
        if self._crash_at == ("after", number):
            self._at_rest.set()
            await self._thawed.wait()
        return answer
