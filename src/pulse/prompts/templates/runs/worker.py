"""The worker of runs: claims cells, fills many at once, records each under its lease.

Whatever happens to the process, a recorded cell is never filled again, and one that was cut off is, by whoever claims
it next, with the same idempotency key.
"""

import contextlib
from functools import partial

import structlog

from pulse.core.errors import PulseError, Unavailable
from pulse.core.retry import once_available
from pulse.prompts.templates.runs.queue import CellQueue
from pulse.prompts.templates.runs.records import CellWork
from pulse.prompts.templates.runs.results import CellFiller, Filled, gave_up
from pulse.storage.claim_loop import ClaimLoop
from pulse.storage.narrowing import narrowed

log = structlog.get_logger(__name__)
MAX_LONE_DEATHS = 3
PUT_OFF_MS = 1_000


class PromptWorker(ClaimLoop[CellWork]):
    """Fills at most `concurrency` cells at once. A duty."""

    name = "prompt-runs"

    def __init__(self, queue: CellQueue, filler: CellFiller, *, concurrency: int = 8, grace_s: float = 10.0) -> None:
        super().__init__(queue, concurrency=concurrency, batch=concurrency, grace_s=grace_s)
        self._queue = queue
        self._filler = filler

    async def process(self, work: CellWork) -> None:
        if work.lone_deaths >= MAX_LONE_DEATHS:
            await self._record(work, gave_up("The process that asked for this answer died three times."))
            return
        try:
            with narrowed(work.organization_id):
                filled = await self._filler.fill(work, partial(self._queue.keep, work))
        except Unavailable as error:
            log.warning("prompt_put_off", cell=work.id, reason=error.message)
            await self._put_off(work)
            return
        except Exception as error:
            log.exception("prompt_failed", cell=work.id)
            filled = gave_up(f"Pulse failed at this ({type(error).__name__}).")
        await self._record(work, filled)

    async def _put_off(self, work: CellWork) -> None:
        """Hands the cell back for a later try. Where that fails, its lease runs out, and the sweeper does it."""
        with contextlib.suppress(PulseError):
            await self._queue.release([work], 0 if self.stopping else PUT_OFF_MS)

    async def _record(self, work: CellWork, filled: Filled) -> None:
        def put_off(error: Unavailable) -> None:
            log.warning("prompt_answer_put_off", cell=work.id, reason=error.message)

        if not await once_available(partial(self._queue.record, work, filled.state, filled.result), put_off):
            log.info("lease_lost", cell=work.id)
