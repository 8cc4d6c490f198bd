"""Claims messages in batches, evaluates many at once, and stores each outcome under its lease."""

import contextlib
from functools import partial

import structlog

from pulse.core.errors import LeaseLost, PulseError, Unavailable
from pulse.core.retry import once_available
from pulse.evaluator.evaluate import Evaluator
from pulse.messages.outcomes import Outcomes
from pulse.messages.queue import MessageQueue
from pulse.messages.records import Outcome, Work
from pulse.storage.claim_loop import ClaimLoop
from pulse.storage.narrowing import narrowed

log = structlog.get_logger(__name__)
PUT_OFF_MS = 1_000


class Consumer(ClaimLoop[Work]):
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
        super().__init__(queue, concurrency=concurrency, batch=batch, grace_s=grace_s)
        self._queue = queue
        self._evaluator = evaluator
        self._outcomes = outcomes

    async def start(self) -> None:
        self._queue.on_cancel = self.cancelled
        await super().start()

    async def process(self, work: Work) -> None:
        try:
            with narrowed(work.organization_id):
                outcome = await self._evaluator.evaluate(work)
            await self._store(outcome)
        except Unavailable as error:
            log.warning("evaluation_put_off", message=work.id, reason=error.message)
            await self._put_off(work)
        except LeaseLost:
            log.info("lease_lost", message=work.id)
        except Exception as error:
            log.exception("evaluation_failed", message=work.id)
            await self._store(self._evaluator.gave_up(work, error))

    async def _put_off(self, work: Work) -> None:
        """Hands the message back for a later try. Where that fails, its lease runs out, and the sweeper does it."""
        with contextlib.suppress(PulseError):
            await self._queue.release([work], 0 if self.stopping else PUT_OFF_MS)

    async def _store(self, outcome: Outcome) -> None:
        def put_off(error: Unavailable) -> None:
            log.warning("outcome_put_off", message=outcome.id, reason=error.message)

        if not await once_available(partial(self._outcomes.store, outcome), put_off):
            log.info("lease_lost", message=outcome.id)
