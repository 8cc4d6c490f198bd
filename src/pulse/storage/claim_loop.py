"""The loop of a worker: claims rows in batches, runs many at once, and hands back what it cannot finish.

The order of things: as long as there is room, claim; otherwise wait until something ends. When nothing is ready, wait
for a hint or a while that grows: hints may be lost, polling is the truth. A suspect (a row under which workers died) is
run when nothing else runs in this process, so that a death says whose fault it was.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextvars import Context
from typing import Generic, Protocol, TypeVar

from pulse.core.errors import PulseError, Unavailable

log = logging.getLogger(__name__)
SHORTEST_WAIT_S = 0.02
LONGEST_WAIT_S = 1.0


class Work(Protocol):
    """A claimed row, with whatever its noun needs to run it."""

    @property
    def id(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    @property
    def lone_deaths(self) -> int: ...


W = TypeVar("W", bound=Work)


class Source(Protocol[W]):
    """Where a worker's rows come from and go back to."""

    async def claim(self, limit: int) -> list[W]:
        """At most `limit` rows, of the tenant whose turn it is."""
        ...

    async def claim_suspect(self) -> W | None:
        """A row under which workers died before; to be run while nothing else runs."""
        ...

    async def renew(self, works: Sequence[W]) -> set[str]:
        """Prolongs the leases of these rows; the ids of those that are still held."""
        ...

    async def release(self, works: Sequence[W], delay_ms: int = 0) -> None:
        """Hands rows back, to be claimed again after the delay."""
        ...


class ClaimLoop(ABC, Generic[W]):
    """Runs at most `concurrency` rows at once, claimed at most `batch` at a time. A duty."""

    name = "worker"

    def __init__(
        self,
        source: Source[W],
        *,
        concurrency: int,
        batch: int = 64,
        grace_s: float = 10.0,
        longest_wait_s: float | None = None,
    ) -> None:
        self.source = source
        self.concurrency = concurrency
        self._batch = batch
        self._grace_s = grace_s
        self._longest_wait_s = longest_wait_s or LONGEST_WAIT_S
        self._running: dict[str, tuple[W, asyncio.Task[None]]] = {}
        self._news = asyncio.Event()
        self._lost: set[tuple[str, int]] = set()
        self._suspects = False
        # Whether rows may be waiting in the queue; until a claim finds none, nobody passes them.
        self._backlog = True
        self.stopping = False
        self._loop_task: asyncio.Task[None] | None = None

    @abstractmethod
    async def process(self, work: W) -> None:
        """Runs one row to where it ends or waits, and stores that."""

    async def start(self) -> None:
        self.stopping = False
        self._loop_task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Stops claiming, lets what runs finish within the grace, and hands the rest back without a count."""
        self.stopping = True
        self._news.set()
        if self._loop_task is not None:
            await self._loop_task
        await self._wait_for_all(self._grace_s)
        left = [work for work, _ in self._running.values()]
        await self._cancel(self._running)
        if left:
            with contextlib.suppress(PulseError):
                await self.source.release(left)

    def hint(self) -> None:
        """There may be new work in the queue."""
        self._backlog = True
        self._news.set()

    def room(self) -> int:
        """How many rows may be given to this worker past the queue: none while any wait in it."""
        if self._backlog or self._suspects or self.stopping or self._loop_task is None:
            return 0
        return self.concurrency - len(self._running)

    def take(self, work: W) -> None:
        """Begins a row that was claimed for this worker when it was stored."""
        # Whoever stored it has no part in what becomes of it.
        task = asyncio.create_task(self.process(work), context=Context())
        self._running[work.id] = (work, task)
        task.add_done_callback(lambda ended: self._ended(work, ended))

    def suspects_may_wait(self) -> None:
        """The sweeper has made rows ready whose holder died: one of them may be a suspect."""
        self._suspects = True
        self._news.set()

    def cancelled(self, work_id: str) -> None:
        """The row was ended by somebody else: what runs of it is stopped now."""
        running = self._running.get(work_id)
        if running is not None:
            running[1].cancel()

    async def lease_lost(self) -> None:
        """The leases could not be renewed in time: nothing of what runs may be written any more."""
        await self._cancel(self._running)

    async def renew(self) -> None:
        """Prolongs the leases of what runs; what is twice found to be no longer held is stopped.

        At the first time it may be that it has just ended, and its task does not know yet.
        """
        works = [work for work, _ in self._running.values()]
        held = await self.source.renew(works)
        lost = {(work.id, work.epoch) for work in works if work.id not in held and self._is_running(work)}
        await self._cancel([key for key, _ in lost & self._lost])
        self._lost = lost

    async def until_one_ends(self, seconds: float) -> None:
        """Returns when something that runs has ended, or after so long."""
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    @property
    def in_flight(self) -> int:
        return len(self._running)

    # ---- the loop --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        wait = SHORTEST_WAIT_S
        while not self.stopping:
            self._news.clear()
            try:
                started = await self._claim_some()
            except Unavailable as error:
                log.warning("nothing claimed: %s", error.message)
                started = 0
            except Exception:
                log.exception("nothing claimed")
                started = 0
            wait = SHORTEST_WAIT_S if started else min(wait * 2, self._longest_wait_s)
            if not started or len(self._running) >= self.concurrency:
                await self._news_or(wait)

    async def _claim_some(self) -> int:
        if self._suspects:
            await self._run_suspects()
        room = self.concurrency - len(self._running)
        if room <= 0:
            return 0
        self._backlog = False
        works = await self.source.claim(min(room, self._batch))
        self._backlog = self._backlog or bool(works)
        for work in works:
            self.take(work)
        return len(works)

    async def _run_suspects(self) -> None:
        """Runs suspects one after another until there is none. Until then nobody is given anything past the queue."""
        while self._suspects:
            await self._until_idle()
            if self.stopping:
                return
            suspect = await self.source.claim_suspect()
            if suspect is None:
                self._suspects = False
                return
            if self._running:
                # Something had been given to us before that was known.
                await self.source.release([suspect])
                continue
            log.warning("running %s alone: its workers died before (%d times alone)", suspect.id, suspect.lone_deaths)
            self.take(suspect)

    async def _until_idle(self) -> None:
        """Returns when nothing runs any more, or when it is time to stop."""
        while self._running and not self.stopping:
            self._news.clear()
            await self._news.wait()

    async def _news_or(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    # ---- what runs -------------------------------------------------------------------------------------------

    def _is_running(self, work: W) -> bool:
        running = self._running.get(work.id)
        return running is not None and running[0].epoch == work.epoch

    def _ended(self, work: W, task: asyncio.Task[None]) -> None:
        if self._is_running(work):
            del self._running[work.id]
        if not task.cancelled() and task.exception() is not None:
            log.error("%s was not run to its end", work.id, exc_info=task.exception())
        if self._backlog or self._suspects:
            self._news.set()

    async def _wait_for_all(self, seconds: float) -> None:
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _cancel(self, ids: Sequence[str] | dict[str, tuple[W, asyncio.Task[None]]]) -> None:
        tasks = [self._running[key][1] for key in ids]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
