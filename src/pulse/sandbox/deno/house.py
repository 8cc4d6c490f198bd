"""A process and the messages in it: bound to one tenant for life, and to one message where that one is a suspect."""

import time
from collections import deque
from collections.abc import Callable

from pulse.sandbox.deno.flight import Flight
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.process import DenoProcess
from pulse.sandbox.port import Plan, Surroundings, Tenant

MAX_PLANS = 2_000
Frame = Callable[[int], bytes]


class House:
    """What the pool knows of one process. Frames wait in `outbox` until the house has a turn to run."""

    def __init__(self, process: DenoProcess, tenant: Tenant, limits: Limits) -> None:
        self.process = process
        self.tenant = tenant
        self.flights: dict[str, Flight] = {}
        self.outbox: deque[tuple[str, Frame]] = deque()
        self.has_turn = False
        self.sent_in_turn = 0
        self.served = 0
        self.last_used = time.monotonic()
        self._bytes = 0
        self._surroundings = ""
        self._limits = limits

    def takes(self, flight: Flight) -> bool:
        """Whether this flight may join those that are in the process now."""
        if not self.process.alive or self.is_worn:
            return False
        if flight.job.id in self.flights or self.process.is_busy_with(flight.job.id):
            return False
        # Whoever is alone is the only one in here.
        if flight.alone or next(iter(self.flights.values()), flight).alone:
            return not self.flights
        roomy = self._bytes + flight.size <= self._limits.in_flight_bytes or not self.flights
        return len(self.flights) < self._limits.in_flight and roomy

    def board(self, flight: Flight) -> None:
        self.flights[flight.job.id] = flight
        self._bytes += flight.size
        self.served += 1

    def leave(self, flight: Flight) -> None:
        if self.flights.pop(flight.job.id, None) is not None:
            self._bytes -= flight.size
        self.last_used = time.monotonic()

    def missing_plans(self, flight: Flight) -> list[Plan]:
        """The plans of this flight that the process has not seen; from now on it has."""
        missing = [plan for plan in flight.job.plans if plan.id not in self.process.known_plans]
        self.process.known_plans.update(plan.id for plan in missing)
        return missing

    def new_surroundings(self, flight: Flight) -> Surroundings | None:
        """The surroundings of this flight, if the process has others; from now on it has these."""
        wanted = flight.job.surroundings
        if wanted is None or wanted.id == self._surroundings:
            return None
        self._surroundings = wanted.id
        return wanted

    @property
    def is_worn(self) -> bool:
        """Whether the process has served enough: it finishes what it has and is replaced."""
        return self.served >= self._limits.messages_per_process or len(self.process.known_plans) >= MAX_PLANS

    @property
    def is_empty(self) -> bool:
        return not self.flights and not self.outbox and not self.process.unanswered
