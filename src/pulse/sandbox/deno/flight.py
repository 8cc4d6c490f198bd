"""A message on its way through the sandbox: what it waits for, and what has happened to it so far."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from pulse.core.errors import PulseError
from pulse.sandbox.port import Answer, Effects, Job, Verdict


@dataclass(eq=False)
class Flight:
    """One evaluation. `alone` once a process died under it: from then on it has a process to itself."""

    job: Job
    effects: Effects
    verdict: asyncio.Future[Verdict] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    arrived: float = field(default_factory=time.monotonic)
    began: float = 0.0
    alone: bool = False
    lone_deaths: int = 0
    asked: int = 0
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    # What was asked for and has not been answered, the answers that wait for their turn, and whether the scripts stand
    # still: only then they are told another one.
    unanswered: set[int] = field(default_factory=set)
    answers: deque[tuple[int, Answer]] = field(default_factory=deque)
    rests: bool = False

    @property
    def size(self) -> int:
        return len(self.job.message)

    def over(self) -> bool:
        return self.verdict.done()

    def forget_calls(self) -> None:
        """Drops the effects of an attempt that has ended; their journals answer for what was done."""
        for call in self.calls:
            call.cancel()
        self.calls.clear()
        self.unanswered.clear()
        self.answers.clear()
        self.rests = False
        self.asked = 0

    def settle(self, verdict: Verdict) -> None:
        if not self.verdict.done():
            self.verdict.set_result(verdict)

    def fail(self, error: PulseError) -> None:
        if not self.verdict.done():
            self.verdict.set_exception(error)
