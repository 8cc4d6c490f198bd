"""Stand-ins for a process, its transport, its listener and the loop's clock."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import cast

from pulse.sandbox.deno.flight import Flight
from pulse.sandbox.deno.house import House
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.process import DenoProcess
from pulse.sandbox.deno.wire import Said
from pulse.sandbox.port import Answer, Asked, Effects, Job, Plan, Tenant, Verdict

TENANT = Tenant("organization", "environment")
_numbers = itertools.count(1)


class NoEffects:
    def begin(self) -> None:
        return None

    def rest(self, waiting: AbstractSet[int]) -> None:
        return None

    async def call(self, job: Job, asked: Asked) -> Answer:
        raise AssertionError("no effect was expected")


def job(message: bytes = b"{}", job_id: str = "", plans: tuple[Plan, ...] = ()) -> Job:
    return Job(job_id or f"job-{next(_numbers)}", TENANT, plans, message, 1, (1, 2, 3, 4))


def flight(of: Job | None = None, *, alone: bool = False) -> Flight:
    effects = cast(Effects, NoEffects())
    verdict = cast(asyncio.Future[Verdict], None)
    return Flight(of or job(), effects, verdict=verdict, alone=alone)


@dataclass(eq=False)
class FakeProcess:
    """Takes frames; the test answers the first of them."""

    alive: bool = True
    unanswered: deque[str] = field(default_factory=deque)
    known_plans: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)

    def send(self, message_id: str, frame: Callable[[int], bytes]) -> None:
        self.sent.append(message_id)
        self.unanswered.append(message_id)

    def is_busy_with(self, message_id: str) -> bool:
        return message_id in self.unanswered


def house(limits: Limits | None = None) -> tuple[House, FakeProcess]:
    process = FakeProcess()
    return House(cast(DenoProcess, process), TENANT, limits or Limits()), process


class FakeTimer:
    """Cancelling is not needed: what was cancelled finds nothing to do."""

    def cancel(self) -> None: ...


@dataclass
class FakeLoop:
    """A clock that the test moves, and the callbacks that are due."""

    now: float = 100.0
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _soon: list[Callable[[], None]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> "FakeTimer":
        self._due.append((when, callback))
        return FakeTimer()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def run_soon(self) -> None:
        while self._soon:
            self._soon.pop(0)()

    def advance(self, seconds: float, *, late: float = 0.0) -> None:
        """Moves the time on; what falls due in between is called then, or so much later."""
        until = self.now + seconds
        while due := sorted((when, at) for at, (when, _) in enumerate(self._due) if when <= until):
            when, at = due[0]
            _, callback = self._due.pop(at)
            self.now = max(self.now, when + late)
            callback()
        self.now = max(until, self.now)


class FakeTransport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.signals: list[int] = []

    def get_pid(self) -> int:
        return 4711

    def get_pipe_transport(self, _fd: int) -> "FakeTransport":
        return self

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def send_signal(self, signal: int) -> None:
        self.signals.append(signal)

    def close(self) -> None:
        self.signals.append(0)


@dataclass
class Heard:
    """A listener that remembers."""

    answers: list[tuple[str, bytes]] = field(default_factory=list)
    deaths: list[tuple[str, list[str]]] = field(default_factory=list)

    def answered(self, process: DenoProcess, said: Said, payload: bytes) -> None:
        self.answers.append((said.id, payload))

    def died(self, process: DenoProcess, cause: str) -> None:
        self.deaths.append((cause, [sent.message_id for sent in process.unanswered]))
