"""Suspects: messages under which workers died run while nothing else does, so that a death says whose fault it was."""

import pytest

from pulse.core.errors import StorageDown, Unavailable
from pulse.messages.intake import Nobody
from pulse.messages.records import Work
from pulse.storage.claims import LEASE_MS, SUSPECT_AFTER
from tests.contract.messages.office import A, B
from tests.integration.consumer.workshop import Workshop, accepted


async def suspects(workshop: Workshop, count: int, organization_id: str = A) -> list[str]:
    ids = await accepted(workshop, count, organization_id)
    for message_id in ids:
        await workshop.office.put_into(message_id, deaths=SUSPECT_AFTER)
    return ids


async def test_a_suspect_runs_alone(held: Workshop) -> None:
    office = held.office
    first, second = *await suspects(held, 1), *await suspects(held, 1, B)
    before = await accepted(held, 3)
    consumer = await held.start()
    await held.bench.until_running(*before)
    office.intake.worker = Nobody()
    consumer.suspects_may_wait()
    held.bench.finish(*before)
    await held.bench.until_running(first)
    after = await accepted(held, 2)
    held.bench.finish(first)
    await held.bench.until_running(second)
    assert await office.states(after) == ["ready", "ready"]
    held.bench.finish_all()
    await held.until_states([*before, first, second, *after], "success")
    assert not [pair for pair in held.bench.overlaps if pair & {first, second}]


async def test_nothing_passes_the_queue_while_a_suspect_runs(held: Workshop) -> None:
    (suspect,) = await suspects(held, 1)
    consumer = await held.start()
    consumer.suspects_may_wait()
    await held.bench.until_running(suspect)
    assert consumer.room() == 0
    late = await accepted(held, 3)
    assert await held.office.states(late) == ["ready"] * 3
    held.bench.finish_all()
    await held.until_states([suspect, *late], "success")
    assert not [pair for pair in held.bench.overlaps if suspect in pair]


async def test_a_suspect_that_dies_again_is_counted_alone(held: Workshop) -> None:
    (suspect,) = await suspects(held, 1)
    consumer = await held.start()
    consumer.suspects_may_wait()
    await held.bench.until_running(suspect)
    await consumer.lease_lost()
    held.clock.ms += LEASE_MS + 1
    await held.office.queue.sweep()
    row = (await held.office.rows())[suspect]
    assert (row.deaths, row.lone_deaths) == (SUSPECT_AFTER + 1, 1)


async def test_a_suspect_that_was_put_off_is_found_again(workshop: Workshop) -> None:
    (suspect,) = await suspects(workshop, 1)
    workshop.bench.raising[suspect] = [Unavailable()]
    consumer = await workshop.start()
    consumer.suspects_may_wait()
    await workshop.bench.until(lambda: suspect in workshop.bench.started)
    await workshop.until_states([suspect], "ready")
    assert not await workshop.office.queue.suspects_wait()
    workshop.clock.ms += 1_000
    assert await workshop.office.queue.suspects_wait()
    consumer.suspects_may_wait()
    await workshop.until_states([suspect], "success")
    assert not await workshop.office.queue.suspects_wait()


async def test_a_claim_of_a_suspect_that_fails_is_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suspect,) = await suspects(workshop, 1)
    troubles = [StorageDown(), RuntimeError("unheard of")]
    claim = workshop.office.queue.claim_suspect

    async def troubled() -> Work | None:
        if troubles:
            raise troubles.pop()
        return await claim()

    monkeypatch.setattr(workshop.office.queue, "claim_suspect", troubled)
    consumer = await workshop.start()
    consumer.suspects_may_wait()
    await workshop.until_states([suspect], "success")


async def test_a_false_alarm_changes_nothing(workshop: Workshop) -> None:
    consumer = await workshop.start()
    consumer.suspects_may_wait()
    ids = await accepted(workshop, 3)
    await workshop.until_states(ids, "success")
