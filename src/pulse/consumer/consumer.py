"""Claims messages in batches, evaluates many at once, and stores each outcome under its lease.

The order of things in `_run`: as long as there is room, claim; otherwise wait until something ends. When nothing is
ready, wait for a hint or a while that grows: hints may be lost, polling is the truth. A suspect (a message under which
workers died) is run when nothing else runs in this process, so that a death says whose fault it was.
"""

import asyncio
import contextlib

import structlog

from pulse.core.errors import PulseError, Unavailable
from pulse.evaluator.evaluate import Evaluator
from pulse.messages.outcomes import Outcomes
from pulse.messages.queue import MessageQueue
from pulse.messages.records import Outcome, Work

log = structlog.get_logger(__name__)
SHORTEST_WAIT_S = 0.02
LONGEST_WAIT_S = 1.0
RETRY_S = 0.25
PUT_OFF_MS = 1_000


class Consumer:
    """Evaluates at most `concurrency` messages at once, claimed at most `batch` at a time."""

    name = "consumer"

    def __init__(
        self,
        queue: MessageQueue,
        evaluator: Evaluator,
        outcomes: Outcomes,
        *,
        concurrency: int = 256,
        batch: int = 64,
        grace_s: float = 10.0,
    ) -> None:
        self._queue = queue
        self._evaluator = evaluator
        self._outcomes = outcomes
        self._concurrency = concurrency
        self._batch = batch
        self._grace_s = grace_s
        self._running: dict[str, tuple[Work, asyncio.Task[None]]] = {}
        self._news = asyncio.Event()
        self._suspects = False
        # Whether messages may be waiting in the queue; until a claim finds none, nobody passes them.
        self._backlog = True
        self._stopping = False
        self._loop_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._queue.on_cancel = self.cancelled
        self._loop_task = asyncio.create_task(self._run(), name="consumer")

    async def stop(self) -> None:
        """Stops claiming, lets what runs finish within the grace, and hands the rest back without a count."""
        self._stopping = True
        self._news.set()
        if self._loop_task is not None:
            await self._loop_task
        await self._wait_for_all(self._grace_s)
        left = [work for work, _ in self._running.values()]
        await self._cancel_all()
        if left:
            with contextlib.suppress(PulseError):
                await self._queue.release(left)

    def hint(self) -> None:
        """There may be new work in the queue."""
        self._backlog = True
        self._news.set()

    def room(self) -> int:
        """How many messages may be given to this consumer past the queue: none while any wait in it."""
        if self._backlog or self._suspects or self._stopping or self._loop_task is None:
            return 0
        return self._concurrency - len(self._running)

    def take(self, work: Work) -> None:
        """Begins a message that was claimed for this consumer when it was stored."""
        self._begin(work)

    def suspects_may_wait(self) -> None:
        """The sweeper has made rows ready whose holder died: one of them may be a suspect."""
        self._suspects = True
        self._news.set()

    def cancelled(self, message_id: str) -> None:
        """The message was canceled: its evaluation ends now."""
        running = self._running.get(message_id)
        if running is not None:
            running[1].cancel()

    async def lease_lost(self) -> None:
        """The leases could not be renewed in time: nothing of what runs may be written any more."""
        await self._cancel_all()

    async def renew(self) -> None:
        """Prolongs the leases of what runs."""
        await self._queue.renew([work for work, _ in self._running.values()])

    @property
    def in_flight(self) -> int:
        return len(self._running)

    # ---- the loop --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        wait = SHORTEST_WAIT_S
        while not self._stopping:
            self._news.clear()
            try:
                started = await self._claim_some()
            except Unavailable as error:
                log.warning("claim_failed", reason=error.message)
                started = 0
            except Exception:
                log.exception("claim_failed")
                started = 0
            wait = SHORTEST_WAIT_S if started else min(wait * 2, LONGEST_WAIT_S)
            if not started or len(self._running) >= self._concurrency:
                await self._news_or(wait)

    async def _claim_some(self) -> int:
        if self._suspects:
            await self._run_suspects()
        room = self._concurrency - len(self._running)
        if room <= 0:
            return 0
        self._backlog = False
        works = await self._queue.claim(min(room, self._batch))
        self._backlog = self._backlog or bool(works)
        for work in works:
            self._begin(work)
        return len(works)

    async def _run_suspects(self) -> None:
        """Runs suspects one after another until there is none. Until then nobody is given anything past the queue."""
        while self._suspects:
            await self._until_idle()
            if self._stopping:
                return
            suspect = await self._queue.claim_suspect()
            if suspect is None:
                self._suspects = False
                return
            if self._running:
                # Intake had given something to us before it knew.
                await self._queue.release([suspect])
                continue
            log.warning("running_suspect", message=suspect.id, lone_deaths=suspect.lone_deaths)
            self._begin(suspect)

    async def _until_idle(self) -> None:
        """Returns when nothing runs any more, or when it is time to stop."""
        while self._running and not self._stopping:
            self._news.clear()
            await self._news.wait()

    async def _news_or(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    # ---- one message -----------------------------------------------------------------------------------------

    def _begin(self, work: Work) -> None:
        task = asyncio.create_task(self._process(work))
        self._running[work.id] = (work, task)
        task.add_done_callback(lambda _task: self._ended(work))

    def _ended(self, work: Work) -> None:
        self._running.pop(work.id, None)
        if self._backlog or self._suspects:
            self._news.set()

    async def _process(self, work: Work) -> None:
        try:
            outcome = await self._evaluator.evaluate(work)
            await self._store(outcome)
        except Unavailable as error:
            log.warning("evaluation_put_off", message=work.id, reason=error.message)
            await self._put_off(work)
        except Exception as error:
            log.exception("evaluation_failed", message=work.id)
            await self._store(self._evaluator.gave_up(work, error))

    async def _put_off(self, work: Work) -> None:
        """Hands the message back for a later try. Where that fails, its lease runs out, and the sweeper does it."""
        with contextlib.suppress(PulseError):
            await self._queue.release([work], 0 if self._stopping else PUT_OFF_MS)

    async def _store(self, outcome: Outcome) -> None:
        """Stores the outcome, again and again while the database is away; the fence ends it when the lease is gone."""
        while True:
            try:
                if not await self._outcomes.store(outcome):
                    log.info("lease_lost", message=outcome.id)
                return
            except Unavailable as error:
                log.warning("outcome_put_off", message=outcome.id, reason=error.message)
                await asyncio.sleep(RETRY_S)

    async def _wait_for_all(self, seconds: float) -> None:
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _cancel_all(self) -> None:
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
