"""Stopping: what runs may finish within the grace, the rest goes back unharmed, and nobody's death is counted."""

import asyncio

import pytest

from pulse.consumer.consumer import Consumer
from pulse.core.errors import SandboxStopped
from pulse.storage.claims import SUSPECT_AFTER
from tests.contract.messages.office import Office
from tests.integration.consumer.workshop import Workshop, accepted


async def stopped(workshop: Workshop) -> None:
    async with asyncio.timeout(30):
        await workshop.consumer.stop()


async def check_handed_back(workshop: Workshop, *ids: str) -> None:
    """These wait as if nobody had ever had them, and another process gets them at once."""
    rows = await workshop.office.rows()
    for message_id in ids:
        row = rows[message_id]
        assert (row.state, row.owner, row.lease_until, row.deaths, row.lone_deaths) == ("ready", None, None, 0, 0)
        assert row.due_at <= workshop.clock.now_ms()
    other = Office(workshop.office.database, workshop.office.objects, workshop.clock)
    assert [work.id for work in await other.queue.claim(100)] == sorted(ids)


async def test_what_runs_finishes_within_the_grace(held: Workshop) -> None:
    ids = await accepted(held, 3)
    await held.start(grace_s=30)
    await held.bench.until_running(*ids)
    stopping = asyncio.create_task(stopped(held))
    late = await accepted(held, 1)
    held.bench.finish_all()
    await stopping
    assert await held.office.states([*ids, *late]) == ["success", "success", "success", "ready"]
    assert held.bench.cut_off == []


async def test_what_does_not_finish_is_handed_back(held: Workshop) -> None:
    ids = await accepted(held, 4)
    await held.start(grace_s=0.2)
    await held.bench.until_running(*ids)
    held.bench.finish(ids[0])
    await held.bench.until_running(*ids[1:])
    await stopped(held)
    assert sorted(held.bench.cut_off) == ids[1:]
    assert await held.office.states(ids[:1]) == ["success"]
    await check_handed_back(held, *ids[1:])


async def test_what_the_sandbox_gives_up_is_handed_back_without_a_pause(held: Workshop) -> None:
    (message_id,) = await accepted(held, 1)
    held.bench.raising[message_id] = [SandboxStopped()]
    await held.start(grace_s=30)
    await held.bench.until_running(message_id)
    stopping = asyncio.create_task(stopped(held))
    await asyncio.wait([stopping], timeout=0)
    held.bench.finish(message_id)
    await stopping
    await check_handed_back(held, message_id)


async def test_stopping_does_not_wait_for_a_suspect_longer_than_for_others(held: Workshop) -> None:
    (suspect,) = await accepted(held, 1)
    await held.office.put_into(suspect, deaths=SUSPECT_AFTER)
    consumer = await held.start(grace_s=0.2)
    consumer.suspects_may_wait()
    await held.bench.until_running(suspect)
    await stopped(held)
    assert held.bench.cut_off == [suspect]
    row = (await held.office.rows())[suspect]
    assert (row.state, row.deaths, row.lone_deaths, row.alone) == ("ready", SUSPECT_AFTER, 0, False)


async def test_stopping_does_not_wait_for_room_for_a_suspect(held: Workshop) -> None:
    (running,) = await accepted(held, 1)
    consumer = await held.start(grace_s=0.2)
    await held.bench.until_running(running)
    (suspect,) = await accepted(held, 1)
    await held.office.put_into(suspect, deaths=SUSPECT_AFTER, state="ready", owner=None, epoch=9)
    consumer.suspects_may_wait()
    await stopped(held)
    row = (await held.office.rows())[suspect]
    assert (row.state, row.lone_deaths) == ("ready", 0)


async def test_a_suspect_that_is_claimed_while_stopping_is_handed_back(
    held: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suspect,) = await accepted(held, 1)
    await held.office.put_into(suspect, deaths=SUSPECT_AFTER)
    consumer = await held.start(grace_s=0.2)
    claim, claimed, stopping = held.office.queue.claim_suspect, asyncio.Event(), asyncio.Event()

    async def slow_claim() -> object:
        work = await claim()
        claimed.set()
        await stopping.wait()
        return work

    monkeypatch.setattr(held.office.queue, "claim_suspect", slow_claim)
    consumer.suspects_may_wait()
    async with asyncio.timeout(30):
        await claimed.wait()
    stop = asyncio.create_task(stopped(held))
    await asyncio.wait([stop], timeout=0)
    stopping.set()
    await stop
    row = (await held.office.rows())[suspect]
    assert (row.state, row.lone_deaths, row.alone) == ("ready", 0, False)


async def test_stopping_twice_or_unstarted_is_no_error(workshop: Workshop) -> None:
    ids = await accepted(workshop, 2)
    await workshop.start()
    await workshop.until_states(ids, "success")
    await stopped(workshop)
    await stopped(workshop)
    unstarted = Consumer(workshop.office.queue, workshop.bench, workshop.office.outcomes)
    await unstarted.stop()
    await unstarted.stop()


async def test_a_stopped_consumer_takes_nothing(workshop: Workshop) -> None:
    await workshop.start()
    await stopped(workshop)
    assert workshop.consumer.room() == 0
    ids = await accepted(workshop, 2)
    assert await workshop.office.states(ids) == ["ready", "ready"]
    assert workshop.bench.started == []
