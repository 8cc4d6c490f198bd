"""The worker: claims runs and drives many at once."""

from pulse.engine.store.held import Held
from pulse.engine.store.queue import RunQueue
from pulse.engine.work.drive import Drive, Office
from pulse.storage.claim_loop import ClaimLoop


class Worker(ClaimLoop[Held]):
    """Drives at most `concurrency` runs at once."""

    name = "worker"

    def __init__(
        self, office: Office, queue: RunQueue, *, concurrency: int, grace_s: float, longest_wait_s: float
    ) -> None:
        super().__init__(
            queue, concurrency=concurrency, batch=min(concurrency, 200), grace_s=grace_s, longest_wait_s=longest_wait_s
        )
        self._office = office

    async def process(self, work: Held) -> None:
        await Drive(self._office, work).to_rest()
