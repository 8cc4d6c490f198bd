"""The consumer: evaluates everything, each message once at a time, and stores what comes of it."""

import asyncio
from collections.abc import Callable

import pytest

from pulse.consumer.consumer import Consumer
from pulse.core.errors import SandboxStopped, StorageDown, Unavailable
from pulse.messages.records import Outcome, Work
from pulse.storage.claims import LEASE_MS
from tests.contract.messages.office import A, B, Office
from tests.integration.consumer.workshop import Workshop, accepted, eventually


async def until_idle(consumer: Consumer) -> None:
    async def is_idle() -> bool:
        return consumer.in_flight == 0

    await eventually(is_idle)


async def until_room(consumer: Consumer) -> None:
    async def has_room() -> bool:
        return consumer.room() > 0

    await eventually(has_room)


async def test_all_messages_are_evaluated_once(workshop: Workshop) -> None:
    waiting = [*await accepted(workshop, 30), *await accepted(workshop, 20, B), *await accepted(workshop, 5, A, "lane")]
    await workshop.start(concurrency=8, batch=4)
    messages = [workshop.office.message(B) for _ in range(100)]
    await asyncio.gather(*(workshop.office.intake.accept(message) for message in messages))
    ids = [*waiting, *(message.id for message in messages)]
    await workshop.until_states(ids, "success")
    assert sorted(workshop.bench.started) == sorted(ids)
    assert sorted(workshop.office.ended) == sorted(ids)


async def test_no_more_than_so_many_at_once(held: Workshop) -> None:
    ids = await accepted(held, 7)
    consumer = await held.start(concurrency=3, batch=2)
    await held.bench.until(lambda: len(held.bench.running) == 3)
    assert consumer.in_flight == 3
    assert consumer.room() == 0
    held.bench.finish(ids[0])
    await held.bench.until(lambda: len(held.bench.started) == 4)
    assert len(held.bench.running) == 3
    held.bench.finish_all()
    await held.until_states(ids, "success")


async def test_tenants_share_the_room(held: Workshop) -> None:
    await accepted(held, 10)
    theirs = await accepted(held, 2, B)
    await held.start(concurrency=4, batch=2)
    await held.bench.until(lambda: len(held.bench.running) == 4)
    assert set(theirs) < set(held.bench.running)


async def test_what_comes_while_there_is_room_passes_the_queue(held: Workshop) -> None:
    consumer = await held.start(concurrency=2)
    await until_room(consumer)
    ids = await accepted(held, 2)
    assert set(held.bench.running) == set(ids)
    assert await held.office.states(ids) == ["running", "running"]
    late = await accepted(held, 1)
    assert await held.office.states(late) == ["ready"]
    held.bench.finish_all()
    await held.until_states([*ids, *late], "success")


async def test_a_hint_is_not_needed(workshop: Workshop) -> None:
    """Messages that another process has stored are found by looking."""
    await workshop.start()
    other = Office(workshop.office.database, workshop.office.objects, workshop.clock)
    message_id = await other.accept()
    await workshop.until_states([message_id], "success")


# ---- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unavailable(), SandboxStopped(), StorageDown()])
async def test_what_cannot_be_evaluated_now_is_evaluated_later(workshop: Workshop, error: Exception) -> None:
    message_id, other = await accepted(workshop, 2)
    workshop.bench.raising[message_id] = [error]
    await workshop.start()
    await workshop.until_states([message_id, other], "ready", "success")
    row = (await workshop.office.rows())[message_id]
    assert (row.due_at, row.deaths) == (workshop.clock.now_ms() + 1_000, 0)
    workshop.clock.ms += 1_000
    await workshop.until_states([message_id], "success")
    assert workshop.bench.started.count(message_id) == 2


async def test_what_pulse_fails_at_ends_as_internal_error(workshop: Workshop) -> None:
    message_id, other = await accepted(workshop, 2)
    workshop.bench.raising[message_id] = [ZeroDivisionError("a secret")]
    await workshop.start()
    await workshop.until_states([message_id, other], "fail", "success")
    row = (await workshop.office.rows())[message_id]
    assert row.code == "internal_error"
    assert "ZeroDivisionError" in row.error
    assert "secret" not in row.error


async def test_an_outcome_is_stored_again_and_again_until_the_database_is_back(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id, other = await accepted(workshop, 2)
    troubles = [StorageDown(), StorageDown(), Unavailable()]
    store = workshop.office.outcomes.store

    async def troubled(outcome: Outcome) -> bool:
        if outcome.id == message_id and troubles:
            raise troubles.pop()
        return await store(outcome)

    monkeypatch.setattr(workshop.office.outcomes, "store", troubled)
    await workshop.start()
    await workshop.until_states([message_id, other], "success")
    assert troubles == []
    assert sorted(workshop.bench.started) == [message_id, other], "it is stored again, not evaluated again"


@pytest.mark.parametrize("make", [StorageDown, lambda: RuntimeError("unheard of")], ids=["unavailable", "unexpected"])
async def test_a_claim_that_fails_is_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Exception]
) -> None:
    troubles = [make(), make()]
    claim = workshop.office.queue.claim

    async def troubled(limit: int) -> list[Work]:
        if troubles:
            raise troubles.pop()
        return await claim(limit)

    monkeypatch.setattr(workshop.office.queue, "claim", troubled)
    ids = await accepted(workshop, 3)
    await workshop.start()
    await workshop.until_states(ids, "success")


# ---- leases and cancelling -----------------------------------------------------------------------------------


async def test_whoever_has_lost_the_lease_writes_nothing(held: Workshop) -> None:
    (message_id,) = await accepted(held, 1)
    consumer = await held.start()
    await held.bench.until_running(message_id)
    held.clock.ms += LEASE_MS + 1
    await held.office.queue.sweep()
    other = Office(held.office.database, held.office.objects, held.clock)
    (work,) = await other.queue.claim(1)
    held.bench.finish(message_id)
    await held.bench.until_running()
    await until_idle(consumer)
    assert await held.office.states([message_id]) == ["running"]
    assert held.office.ended == []
    assert await other.finish(work, "fail")


async def test_leases_that_cannot_be_renewed_end_what_runs(held: Workshop) -> None:
    ids = await accepted(held, 3)
    consumer = await held.start()
    await held.bench.until_running(*ids)
    await consumer.lease_lost()
    assert sorted(held.bench.cut_off) == ids
    assert consumer.in_flight == 0
    assert await held.office.states(ids) == ["running"] * 3
    held.clock.ms += LEASE_MS + 1
    assert await held.office.queue.sweep() == 3
    held.bench.finish_all()
    await held.until_states(ids, "success")


async def test_what_runs_is_renewed(held: Workshop) -> None:
    ids = await accepted(held, 2)
    consumer = await held.start()
    await held.bench.until_running(*ids)
    held.clock.ms += LEASE_MS - 1
    await consumer.renew()
    held.clock.ms += LEASE_MS - 1
    assert await held.office.queue.sweep() == 0


async def test_a_cancel_ends_the_evaluation_and_nothing_of_it_is_stored(held: Workshop) -> None:
    canceled, other = await accepted(held, 2)
    consumer = await held.start()
    await held.bench.until_running(canceled, other)
    await held.office.queue.cancel(A, canceled)
    await held.bench.until_running(other)
    assert held.bench.cut_off == [canceled]
    assert await held.office.states([canceled, other]) == ["canceled", "running"]
    assert (await held.office.bytes_of(canceled))[1] is None
    held.bench.finish_all()
    await held.until_states([canceled, other], "canceled", "success")
    assert held.office.ended == [other]
    assert consumer.in_flight == 0


async def test_a_cancel_of_the_head_lets_the_lane_go_on(held: Workshop) -> None:
    first, second = await accepted(held, 2, A, "lane")
    await held.start()
    await held.bench.until_running(first)
    await held.office.queue.cancel(A, first)
    await held.bench.until_running(second)
    held.bench.finish_all()
    await held.until_states([first, second], "canceled", "success")
