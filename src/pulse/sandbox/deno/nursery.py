"""Starts processes, and keeps a few that belong to nobody yet, so that a new tenant does not wait for a boot."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from pulse.core.errors import Misconfigured
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.process import DenoProcess, Listener

Argv = Callable[[], Sequence[str]]
RETRY_S = 5.0


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
        self._retry_at = 0.0
        # Why nobody could be given a process; over as soon as one starts, for whomever.
        self.trouble: str | None = None

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
        try:
            process = await self._start()
        except Misconfigured as error:
            self.trouble = error.message
            raise
        self.warm()
        return process

    def look_again(self) -> None:
        """While nobody can be given a process: tries now and then, unasked.

        A platform that is not ready gets no messages from those who asked it so; nothing else would try.
        """
        if self.trouble is None:
            return
        self._spares = [spare for spare in self._spares if spare.alive]
        if self._spares:
            self.trouble = None
        elif time.monotonic() >= self._retry_at:
            self._retry_at = time.monotonic() + RETRY_S
            self.warm()

    def warm(self) -> None:
        """Starts spares in the background until there are enough."""
        wanted = max(self._limits.spare_processes, self.trouble is not None)
        missing = wanted - len(self._spares) - len(self._warming)
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
            process = await DenoProcess.start(self._listener, self._limits, list(self._argv()), self._environment)
        except OSError as error:
            reason = str(error).rstrip(".")
            raise Misconfigured(f"A sandbox process cannot be started: {reason}. `pulse doctor` says more.") from error
        self.trouble = None
        return process
