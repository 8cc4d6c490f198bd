"""Starts processes, and keeps a few that belong to nobody yet, so that a new tenant does not wait for a boot."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from pulse.core.errors import Misconfigured
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.process import DenoProcess, Listener

Argv = Callable[[], Sequence[str]]


class Nursery:
    """Starts children with the arguments that `argv` gives."""

    def __init__(self, listener: Listener, limits: Limits, argv: Argv, environment: dict[str, str]) -> None:
        self._listener = listener
        self._limits = limits
        self._argv = argv
        self._environment = environment
        self._spares: list[DenoProcess] = []
        self._warming: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def first(self) -> None:
        """Starts a first spare, and so finds out whether processes can be started. Raises Misconfigured."""
        self._spares.append(await self._start())

    async def take(self) -> DenoProcess:
        """A process that nobody has used yet. Raises Misconfigured when none can be started."""
        while self._spares:
            spare = self._spares.pop()
            self.warm()
            if spare.alive:
                return spare
        process = await self._start()
        self.warm()
        return process

    def warm(self) -> None:
        """Starts spares in the background until there are enough."""
        missing = self._limits.spare_processes - len(self._spares) - len(self._warming)
        if missing > 0 and not self._stopped:
            task = asyncio.create_task(self._add_spare(), name="sandbox-spare")
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def close(self) -> None:
        self._stopped = True
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        for spare in self._spares:
            spare.kill("stopped")
            await spare.ended
        self._spares.clear()

    async def _add_spare(self) -> None:
        # A spare that does not start is no news: whoever needs a process will hear why.
        with contextlib.suppress(Misconfigured):
            self._spares.append(await self._start())

    async def _start(self) -> DenoProcess:
        try:
            return await DenoProcess.start(self._listener, self._limits, list(self._argv()), self._environment)
        except (OSError, TimeoutError) as error:
            raise Misconfigured(f"A sandbox process cannot be started: {error}. `pulse doctor` says more.") from error
