"""The worker: claims runs and drives many at once."""

import logging
from collections.abc import Callable

from pulse.engine.store.held import Held
from pulse.engine.store.queue import RunQueue
from pulse.engine.work.drive import Drive, Office
from pulse.storage.claim_loop import ClaimLoop

log = logging.getLogger(__name__)


class Worker(ClaimLoop[Held]):
    """Drives at most `concurrency` runs at once. `at_rest` hears of each that this worker no longer drives."""

    name = "worker"

    def __init__(
        self, office: Office, queue: RunQueue, *, concurrency: int, grace_s: float, longest_wait_s: float
    ) -> None:
        super().__init__(
            queue, concurrency=concurrency, batch=min(concurrency, 200), grace_s=grace_s, longest_wait_s=longest_wait_s
        )
        self._office = office
        self.at_rest: Callable[[Held], None] = lambda _held: None

    async def process(self, work: Held) -> None:
        try:
            await Drive(self._office, work).to_rest()
        finally:
            self.at_rest(work)
