"""What scripts ask of the world: their effects are called in the parent, and answered one at a time.

The next answer is given when the scripts have run as far as they can with the one before, so that the same answers in
the same order take them the same way.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from pulse.core.clock import Clock
from pulse.core.errors import PulseError
from pulse.sandbox.deno.flight import Flight
from pulse.sandbox.deno.house import House
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.wire import BrokenFrame, Said, answer_frame, bad_arguments, failed, read_asks
from pulse.sandbox.port import Answer, Asked

log = structlog.get_logger(__name__)
Tell = Callable[[House, str, "partial[bytes]"], None]
Drop = Callable[[House, Flight], None]


class Asking:
    """The effects of all flights of a pool. `tell` sends a frame to a house, `drop` ends a flight there."""

    def __init__(self, limits: Limits, clock: Clock, tell: Tell, drop: Drop) -> None:
        self._limits = limits
        self._clock = clock
        self._tell = tell
        self._drop = drop

    def begin(self, house: House, flight: Flight, said: Said, payload: bytes) -> None:
        """Begins the effects that a frame asks for. Raises BrokenFrame."""
        asks = read_asks(payload, said, flight.job)
        flight.asked += len(asks)
        if flight.asked > self._limits.effects or len(payload) > self._limits.asks_size * 4:
            raise BrokenFrame("More effects than a message may ask for.")
        for ask in asks:
            flight.unanswered.add(ask.seq)
            task = asyncio.create_task(self._call(house, flight, ask))
            flight.calls.add(task)
            task.add_done_callback(flight.calls.discard)

    def rests(self, house: House, flight: Flight) -> None:
        """The scripts have run as far as they can."""
        flight.rests = True
        if flight.answers:
            return self._answer_next(house, flight)
        try:
            flight.effects.rest(flight.unanswered)
        except PulseError as error:
            self._cut_off(house, flight, error)

    async def _call(self, house: House, flight: Flight, ask: Asked) -> None:
        try:
            answer = await _answered(flight, ask)
        except PulseError as error:
            return self._cut_off(house, flight, error)
        if asyncio.current_task() not in flight.calls:
            # An earlier attempt asked for it, and has ended.
            return
        flight.answers.append((ask.seq, answer))
        self._answer_next(house, flight)

    def _answer_next(self, house: House, flight: Flight) -> None:
        if not flight.rests or house.flights.get(flight.job.id) is not flight:
            return
        flight.rests = False
        seq, answer = flight.answers.popleft()
        flight.unanswered.discard(seq)
        at = answer.at or self._clock.now_ms()
        self._tell(house, flight.job.id, partial(answer_frame, job_id=flight.job.id, seq=seq, answer=answer, at=at))

    def _cut_off(self, house: House, flight: Flight, error: PulseError) -> None:
        """Ends an evaluation that must not go on."""
        flight.fail(error)
        if house.flights.get(flight.job.id) is flight:
            self._drop(house, flight)


async def _answered(flight: Flight, ask: Asked) -> Answer:
    """The answer to an effect; a fault of Pulse's own is one, too, so that no message waits for it."""
    if not ask.is_readable:
        return bad_arguments(ask.function)
    try:
        return await flight.effects.call(flight.job, ask)
    except PulseError:
        raise
    except Exception:
        log.exception("effect_failed", message=flight.job.id, function=ask.function)
        return failed(ask.function)
