"""Messages that are held at the limit: they keep their order, and are released and counted when there is room."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import update

from tests.contract.messages.office import A, B, Office

MONTH_MS = 31 * 86_400_000


class Told:
    """Who is told of messages besides, with what it heard."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes]] = []
        self.committed = 0

    def put(self, _connection: object, messages: Any) -> None:
        self.told.extend((message.id, message.payload) for message in messages)

    def stored(self) -> None:
        self.committed += 1


async def hold(office: Office, most: int | None) -> None:
    await office.plans.configure(A, most, "hold")


async def held(office: Office, count: int, **more: Any) -> list[str]:
    """So many messages of an organization that may have none."""
    await hold(office, 0)
    return [await office.accept(**more) for _ in range(count)]


async def test_what_is_over_the_limit_waits_and_is_not_counted(office: Office, bystander: str) -> None:
    await hold(office, 2)
    ids = [await office.accept() for _ in range(4)]
    assert await office.states(ids) == ["ready", "ready", "held", "held"]
    assert await office.used(A) == 2
    assert await office.held.release(A) == 0


async def test_a_raised_limit_releases_the_oldest_first(office: Office, bystander: str) -> None:
    ids = await held(office, 5)
    await hold(office, 3)
    assert await office.held.release(A) == 3
    assert await office.states(ids) == ["ready"] * 3 + ["held"] * 2
    assert await office.used(A) == 3
    assert [work.id for work in await office.claim()] == ids[:3]


async def test_while_some_wait_new_ones_wait_behind_them(office: Office) -> None:
    ids = await held(office, 2)
    await hold(office, 10)
    later = await office.accept()
    assert await office.states([later]) == ["held"]
    assert await office.held.release(A) == 3
    assert [work.id for work in await office.claim()] == [*ids, later]
    after = await office.accept()
    assert await office.states([after]) == ["ready"]
    assert await office.used(A) == 4


@pytest.mark.parametrize("change", ["no limit", "warn", "month"])
async def test_whatever_makes_room_releases_them(office: Office, change: str) -> None:
    await hold(office, 1)
    ids = [await office.accept() for _ in range(2)]
    if change == "month":
        office.clock.ms += MONTH_MS
    else:
        await office.plans.configure(A, None if change == "no limit" else 0, "hold" if change == "no limit" else "warn")
    assert await office.held.release_all() == 1
    assert await office.states(ids) == ["ready", "ready"]


async def test_a_policy_that_ignores_leaves_waiting_what_waits(office: Office) -> None:
    """They were promised to run once there is room."""
    ids = await held(office, 2)
    await office.plans.configure(A, 1, "hard_limit")
    assert await office.held.release(A) == 1
    assert await office.states(ids) == ["ready", "held"]


async def test_lanes_keep_their_order_through_a_release(office: Office) -> None:
    await hold(office, 1)
    running = await office.accept(lane="lane")
    waiting = [await office.accept(lane="lane") for _ in range(2)]
    other = await office.accept(lane="other")
    (work,) = await office.claim()
    await hold(office, None)
    assert await office.held.release(A) == 3
    assert await office.states([running, *waiting, other]) == ["running", "blocked", "blocked", "ready"]
    await office.finish(work)
    assert await office.states([*waiting, other]) == ["ready", "blocked", "ready"]


async def test_two_processes_release_each_message_once(office: Office, beside: Office) -> None:
    ids = await held(office, 30)
    await hold(office, 20)
    released = await asyncio.gather(*(each.held.release(A) for each in (office, beside, office, beside)))
    assert sum(released) == 20
    assert await office.states(ids) == ["ready"] * 20 + ["held"] * 10
    assert await office.used(A) == 20


async def test_a_release_and_new_messages_that_meet_keep_the_limit(office: Office, beside: Office) -> None:
    ids = await held(office, 20)
    await hold(office, 30)
    # Within one millisecond the ids of two processes have no order.
    office.clock.ms += 1
    coming = [beside.message() for _ in range(30)]
    await asyncio.gather(office.held.release(A), *(beside.intake.accept(message) for message in coming))
    await office.held.release(A)
    states = await office.states([*ids, *(message.id for message in coming)])
    assert (states.count("ready"), states.count("held")) == (30, 20)
    assert states[:20] == ["ready"] * 20, "who came first goes first"
    assert await office.used(A) == 30


async def test_one_that_waits_can_be_canceled(office: Office) -> None:
    first, second = await held(office, 2)
    await office.queue.cancel(A, first)
    await hold(office, None)
    assert await office.held.release(A) == 1
    assert await office.states([first, second]) == ["canceled", "ready"]


async def test_one_that_is_canceled_meanwhile_is_neither_counted_nor_sent(
    office: Office, beside: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL lets a cancel come between the look at what is held and its release."""
    canceled, kept = await held(office, 2)
    await hold(office, None)
    office.intake.signals = signals = Told()
    async with office.database.read() as connection:
        seen_before = await connection.run_sync(office.held._oldest, A, 10)
    await beside.queue.cancel(A, canceled)
    monkeypatch.setattr(office.held, "_oldest", lambda *_: seen_before)
    assert await office.held.release(A) == 1
    assert await office.states([canceled, kept]) == ["canceled", "ready"]
    assert [message_id for message_id, _ in signals.told] == [kept]
    assert await office.used(A) == 1


async def test_large_messages_are_released_in_parts(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a transaction reads is bounded in bytes, too; one that is larger than that goes alone."""
    monkeypatch.setattr("pulse.messages.held.BATCH_BYTES", 250)
    ids = await held(office, 4, body={"text": "x" * 200})
    await hold(office, None)
    batches: list[int] = []
    make_ready = office.held._make_ready

    def counted(*given: Any) -> list[str]:
        batches.append(len(given[-1]))
        return make_ready(*given)

    monkeypatch.setattr(office.held, "_make_ready", counted)
    assert await office.held.release(A) == 4
    assert batches == [1, 1, 1, 1, 0]
    assert await office.states(ids) == ["ready"] * 4


async def test_what_is_held_is_counted_whatever_becomes_of_it(office: Office, beside: Office, bystander: str) -> None:
    await office.plans.configure(B, 0, "hold")
    await office.accept(B)
    ids = await held(office, 6)
    assert [await office.reader.held(each) for each in (A, B)] == [6, 1]
    await asyncio.gather(office.queue.cancel(A, ids[0]), beside.queue.cancel(A, ids[1]))
    assert await office.reader.held(A) == 4
    await hold(office, 3)
    assert sum(await asyncio.gather(office.held.release(A), beside.held.release(A))) == 3
    assert await office.reader.held(A) == 1
    await office.queue.cancel(A, ids[2])
    assert await office.reader.held(A) == 1, "it was not held any more"
    await hold(office, None)
    await office.held.release(A)
    assert [await office.reader.held(each) for each in (A, B)] == [0, 1]


async def test_more_are_not_held_than_may_be(
    office: Office, beside: Office, bystander: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulse.messages.allowance.MOST_HELD", 5)
    await hold(office, 2)
    coming = [each.message(lane=lane) for each in (office, beside) for lane in (None, "lane") for _ in range(5)]
    halves = ((office, coming[:10]), (beside, coming[10:]))
    await asyncio.gather(*(each.intake.accept(message) for each, half in halves for message in half))
    states = await office.states([message.id for message in coming])
    assert (states.count("held"), states.count("ignore"), len(states)) == (5, 13, 20)
    assert (await office.reader.held(A), await office.used(A)) == (5, 2)
    refused = coming[states.index("ignore")]
    assert json.loads(await office.document(A, refused.id))["reason"] == {"code": "too_many_held"}
    assert {*office.ended, *beside.ended} == {
        message.id for message, state in zip(coming, states, strict=True) if state == "ignore"
    }
    await office.queue.cancel(A, coming[states.index("held")].id)
    assert await office.states([await office.accept(), await office.accept()]) == ["held", "ignore"]


async def test_a_count_that_is_wrong_is_right_when_none_is_held(office: Office) -> None:
    """As after a process of an older version has released some."""
    await held(office, 2)
    async with office.database.write() as connection:
        await connection.execute(update(office.tables.held_counts).values(count=7))
    await hold(office, None)
    assert await office.held.release(A) == 2
    assert await office.reader.held(A) == 0


async def test_one_organizations_trouble_is_not_anothers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    (ours,) = await held(office, 1)
    await office.plans.configure(B, 0, "hold")
    theirs = await office.accept(B)
    await hold(office, None)
    await office.plans.configure(B, None, "hold")
    release = office.held.release

    async def troubled(organization_id: str) -> int:
        if organization_id == A:
            raise ValueError(organization_id)
        return await release(organization_id)

    monkeypatch.setattr(office.held, "release", troubled)
    assert await office.held.release_all() == 1
    assert await office.states([ours, theirs]) == ["held", "ready"]


async def test_a_release_of_one_organization_leaves_the_others(office: Office) -> None:
    (ours,) = await held(office, 1)
    await office.plans.configure(B, 0, "hold")
    theirs = await office.accept(B)
    await hold(office, 5)
    assert await office.held.release_all() == 1
    assert await office.states([ours, theirs]) == ["ready", "held"]


async def test_more_than_one_batch_is_released(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse.messages.held.BATCH", 2)
    ids = await held(office, 5)
    await hold(office, None)
    assert await office.held.release(A) == 5
    assert await office.states(ids) == ["ready"] * 5


async def test_signals_are_told_of_what_is_released(office: Office) -> None:
    office.intake.signals = signals = Told()
    (message_id,) = await held(office, 1, body={"n": 1})
    assert signals.told == []
    await hold(office, 1)
    await office.held.release(A)
    payload, _ = await office.bytes_of(message_id)
    assert signals.told == [(message_id, payload)]
    assert signals.committed == 2
