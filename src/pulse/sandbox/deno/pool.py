"""The sandbox on Deno: which message runs in which process, and what happens when one dies.

* A process belongs to one organization and environment for its whole life. A tenant has one process, and more when that
  one is full and others may still be started.
* A process killed for time: the message whose frame was running fails with `script_timeout`. The others in it did
  nothing wrong, and begin again in another process.
* A process that died of anything else (memory, mostly), or reported an error while short of memory: nobody is to blame
  yet. Every message in it begins again, each in a process to itself. Only deaths alone count, and the third ends the
  message with `SandboxCrash`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from functools import partial

import structlog
from msgspec.structs import replace

from pulse.core.clock import SystemClock
from pulse.core.errors import Misconfigured, SandboxStopped
from pulse.sandbox.deno.asking import Asking
from pulse.sandbox.deno.flight import Flight
from pulse.sandbox.deno.house import House
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.nursery import Argv, Nursery
from pulse.sandbox.deno.process import DenoProcess
from pulse.sandbox.deno.turns import Turns
from pulse.sandbox.deno.verdicts import crashed, timed_out, too_old
from pulse.sandbox.deno.wire import (
    BrokenFrame,
    Said,
    drop_frame,
    go_frame,
    read_verdict,
    run_frame,
)
from pulse.sandbox.port import Effects, Job, Tenant, Verdict

log = structlog.get_logger(__name__)
ANSWERS = ("done", "wait", "dropped")
TICK_S = 0.25
IDLE_S = 300.0


class DenoSandbox:
    """A pool of Deno processes; implements `Sandbox`."""

    name = "sandbox"

    def __init__(self, limits: Limits, argv: Argv, environment: dict[str, str] | None = None) -> None:
        self._limits = limits
        self._nursery = Nursery(self, limits, argv, environment or {})
        self._turns = Turns(limits.busy_processes)
        self._asking = Asking(limits, SystemClock(), self._tell, self._drop)
        self._houses: dict[Tenant, list[House]] = {}
        self._by_process: dict[DenoProcess, House] = {}
        self._waiting: dict[Tenant, deque[Flight]] = {}
        self._starting: dict[Tenant, asyncio.Task[None]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._stopping = False

    # ---- Sandbox ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self._nursery.first()
        self._ticker = asyncio.create_task(self._tick(), name="sandbox-ticker")

    async def evaluate(self, job: Job, effects: Effects) -> Verdict:
        if self._stopping:
            raise SandboxStopped
        flight = Flight(job, effects)
        self._queue(flight)
        try:
            return await flight.verdict
        finally:
            flight.forget_calls()
            if flight.verdict.cancelled():
                self._abandon(flight)

    async def stop(self) -> None:
        self._stopping = True
        if self._ticker is not None:
            self._ticker.cancel()
        for task in list(self._starting.values()):
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        for flight in self._flights():
            if not flight.over():
                flight.verdict.set_exception(SandboxStopped())
        for house in self._all_houses():
            house.process.kill("stopped")
            await house.process.ended
        await self._nursery.close()

    @property
    def trouble(self) -> str | None:
        """Why no process could be started, if so."""
        return self._nursery.trouble

    @property
    def processes(self) -> int:
        """How many processes belong to tenants now."""
        return len(self._by_process)

    def pids(self, tenant: Tenant) -> list[int]:
        return [house.process.pid for house in self._houses.get(tenant, [])]

    # ---- boarding --------------------------------------------------------------------------------------------

    def _queue(self, flight: Flight) -> None:
        self._waiting.setdefault(flight.job.tenant, deque()).append(flight)
        self._board(flight.job.tenant)

    def _board(self, tenant: Tenant) -> None:
        """Lets waiting flights into the tenant's processes; asks for another process where none has room."""
        waiting = self._waiting.get(tenant)
        while waiting:
            if waiting[0].over():
                waiting.popleft()
                continue
            house = next((house for house in self._houses.get(tenant, []) if house.takes(waiting[0])), None)
            if house is None:
                return self._enlarge(tenant, waiting[0])
            self._enter(house, waiting.popleft())
        self._waiting.pop(tenant, None)

    def _enter(self, house: House, flight: Flight) -> None:
        flight.began = time.monotonic()
        house.board(flight)
        flight.effects.begin()
        missing, settle = house.missing_plans(flight), house.new_surroundings(flight)
        frame = partial(run_frame, job=flight.job, define=missing, settle=settle)
        self._tell(house, flight.job.id, frame)

    def _enlarge(self, tenant: Tenant, flight: Flight) -> None:
        houses = [house for house in self._houses.get(tenant, []) if house.process.alive and not house.is_worn]
        # Suspects need a process each, but not all at once.
        most = self._limits.busy_processes * (2 if flight.alone else 1)
        if tenant in self._starting or self._stopping or len(houses) >= most:
            return
        task = asyncio.create_task(self._settle_in(tenant), name="sandbox-start")
        self._starting[tenant] = task

    async def _settle_in(self, tenant: Tenant) -> None:
        try:
            process = await self._nursery.take()
        except Misconfigured as error:
            self._starting.pop(tenant, None)
            return self._refuse(tenant, error)
        except asyncio.CancelledError:
            self._starting.pop(tenant, None)
            raise
        self._starting.pop(tenant, None)
        house = House(process, tenant, self._limits)
        self._houses.setdefault(tenant, []).append(house)
        self._by_process[process] = house
        self._evict()
        self._board(tenant)

    def _refuse(self, tenant: Tenant, error: Misconfigured) -> None:
        log.error("sandbox_cannot_start", reason=error.message)
        for flight in self._waiting.pop(tenant, ()):
            if not flight.over():
                flight.verdict.set_exception(SandboxStopped(error.message))

    def _tell(self, house: House, message_id: str, frame: "partial[bytes]") -> None:
        house.outbox.append((message_id, frame))
        self._turns.request(house)

    # ---- what processes say ----------------------------------------------------------------------------------

    def answered(self, process: DenoProcess, said: Said, payload: bytes) -> None:
        house = self._by_process.get(process)
        if house is None:
            return
        flight = house.flights.get(said.id)
        if flight is not None and said.t == "done":
            self._done(house, flight, said, payload)
        elif flight is not None and said.t == "wait":
            self._asked(house, flight, said, payload)
        elif said.t not in ANSWERS:
            raise BrokenFrame("An answer of no known kind.")
        self._turns.rest(house)
        if house.tenant in self._waiting:
            self._board(house.tenant)

    def _done(self, house: House, flight: Flight, said: Said, payload: bytes) -> None:
        if said.strained and not flight.alone:
            # Short of memory: whoever is in here might be the cause.
            return house.process.kill("memory")
        # What is left, and six parts as large as a log: prints, entries, errors in it and beside it, visits, reasons.
        limit = self._limits.result_size + 6 * self._limits.log_size
        verdict = read_verdict(said, payload, limit * 4)
        house.leave(flight)
        self._end(flight, verdict)
        if flight.alone:
            house.process.kill("finished")

    def _asked(self, house: House, flight: Flight, said: Said, payload: bytes) -> None:
        self._asking.begin(house, flight, said, payload)
        if said.paused:
            self._tell(house, flight.job.id, partial(go_frame, job_id=flight.job.id))
        else:
            self._asking.rests(house, flight)

    # ---- deaths ----------------------------------------------------------------------------------------------

    def died(self, process: DenoProcess, cause: str) -> None:
        house = self._by_process.pop(process, None)
        if house is None:
            return
        self._houses[house.tenant].remove(house)
        if not self._houses[house.tenant]:
            del self._houses[house.tenant]
        running = process.unanswered[0].message_id if process.unanswered else None
        if cause not in ("finished", "idle", "stopped"):
            log.warning(
                "sandbox_died", cause=cause, organization=house.tenant.organization_id, messages=len(house.flights)
            )
        for flight in list(house.flights.values()):
            self._survive(flight, cause, was_running=flight.job.id == running)
        house.flights.clear()
        house.outbox.clear()
        self._turns.forget(house)
        self._board(house.tenant)

    def _survive(self, flight: Flight, cause: str, *, was_running: bool) -> None:
        flight.forget_calls()
        if flight.over():
            return
        if cause == "timeout":
            return self._end(flight, timed_out(self._limits)) if was_running else self._again(flight)
        if cause in ("idle", "finished", "stopped"):
            return self._again(flight)
        flight.lone_deaths += flight.alone
        if flight.lone_deaths >= self._limits.lone_deaths:
            return self._end(flight, crashed(flight.lone_deaths))
        flight.alone = True
        self._again(flight)

    def _again(self, flight: Flight) -> None:
        if self._stopping:
            flight.verdict.set_exception(SandboxStopped())
        else:
            self._waiting.setdefault(flight.job.tenant, deque()).appendleft(flight)

    def _end(self, flight: Flight, verdict: Verdict) -> None:
        flight.settle(_timed(verdict, flight))

    # ---- keeping house ---------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._end_old_messages()
            self._evict()
            self._nursery.look_again()

    def _end_old_messages(self) -> None:
        oldest = time.monotonic() - self._limits.message_timeout_ms / 1000
        for house in self._all_houses():
            for flight in list(house.flights.values()):
                if flight.began < oldest and not flight.over():
                    self._end(flight, too_old(self._limits))
                    self._drop(house, flight)

    def _abandon(self, flight: Flight) -> None:
        house = next((house for house in self._all_houses() if house.flights.get(flight.job.id) is flight), None)
        if house is not None:
            self._drop(house, flight)

    def _drop(self, house: House, flight: Flight) -> None:
        house.leave(flight)
        self._tell(house, flight.job.id, partial(drop_frame, job_id=flight.job.id))

    def _evict(self) -> None:
        """Ends processes that have nothing to do: worn ones, long unused ones, and the oldest ones over the limit."""
        idle = sorted((house for house in self._all_houses() if house.is_empty), key=lambda house: house.last_used)
        surplus = max(0, len(idle) - self._limits.idle_processes)
        oldest = time.monotonic() - IDLE_S
        for at, house in enumerate(idle):
            if at < surplus or house.is_worn or house.last_used < oldest:
                house.process.kill("idle")

    def _all_houses(self) -> list[House]:
        return list(self._by_process.values())

    def _flights(self) -> Sequence[Flight]:
        boarded = [flight for house in self._all_houses() for flight in house.flights.values()]
        return boarded + [flight for waiting in self._waiting.values() for flight in waiting]


def _timed(verdict: Verdict, flight: Flight) -> Verdict:
    now = time.monotonic()
    began = flight.began or now
    return replace(verdict, queue_ms=round((began - flight.arrived) * 1000), sandbox_ms=round((now - began) * 1000))
