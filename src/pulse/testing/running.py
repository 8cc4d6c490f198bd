"""Runs an engine by hand, without its background duties: what a test asserts is there when this returns."""

from pulse.engine.engine import Engine
from pulse.engine.work.alarm import AT_ONCE
from pulse.engine.work.plant import Plant
from pulse.testing.clock import FakeClock

BATCH = 100
LOOK_AGAIN_S = 0.02


async def run_until_idle(engine: Engine) -> None:
    """Drives every run until nothing is ready, running or due. Works on an engine that is not started, or is.

    With a FakeClock the time is moved through every delay, backoff and timeout, so that a delay of 30 days takes
    milliseconds; schedules fire where that time passes them, but time is not moved for their sake (use `advance`). With
    the system's clock it returns when all that is left waits. A handler that never returns is waited for.
    """
    plant = engine.plant
    while True:
        await _settle(plant)
        due = await plant.store.queue.next_due()
        clock = plant.clock
        if due is None or not isinstance(clock, FakeClock):
            return
        clock.advance_to(due)


async def _settle(plant: Plant) -> None:
    """Drives all that can go on at the present time."""
    while True:
        # What ends while we look may leave new work behind that we did not see.
        was_busy = plant.worker.in_flight > 0
        moved = AT_ONCE in (await plant.fire(), await plant.wake())
        moved = await _begin_some(plant) or moved
        if plant.worker.in_flight:
            await plant.worker.until_one_ends(LOOK_AGAIN_S)
        elif not moved and not was_busy:
            await plant.bureau.hooks_done()
            return


async def _begin_some(plant: Plant) -> bool:
    works = await plant.store.queue.claim(BATCH)
    if not works and not plant.worker.in_flight:
        suspect = await plant.store.queue.claim_suspect()
        works = [] if suspect is None else [suspect]
    for work in works:
        plant.worker.take(work)
    return bool(works)
