"""How many messages are evaluated: exactly as many as the limit says, however they come, and each is counted once."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from pulse.billing.records import OveragePolicy
from pulse.messages.records import Work
from pulse.storage.locks import take_locks
from tests.contract.messages.meeting import needs_two_writers, until_waiting
from tests.contract.messages.office import PRODUCTION, A, B, Office

MONTH_MS = 31 * 86_400_000


async def limit(office: Office, most: int | None, policy: OveragePolicy = "hard_limit") -> None:
    await office.plans.configure(A, most, policy)


async def accept(office: Office, count: int, **more: Any) -> list[str]:
    accepted = await asyncio.gather(*(office.intake.accept(office.message(**more)) for _ in range(count)))
    return [each.id for each in accepted]


async def test_without_a_plan_nobody_is_limited_and_everything_is_counted(office: Office, bystander: str) -> None:
    ids = await accept(office, 20)
    assert await office.states(ids) == ["ready"] * 20
    assert await office.used(A) == 20


async def test_the_message_past_the_limit_is_the_first_that_is_ignored(office: Office, bystander: str) -> None:
    await limit(office, 3)
    ids = [await office.accept(body={"total": 7}) for _ in range(5)]
    assert await office.states(ids) == ["ready"] * 3 + ["ignore"] * 2
    assert await office.used(A) == 3
    assert office.ended == ids[3:], "who waits for its outcome hears of it"
    shown = json.loads(await office.document(A, ids[3]))
    assert (shown["status"], shown["reason"], shown["context"]["total"]) == ("ignore", {"code": "over_limit"}, 7)
    assert (shown["elapsedMs"], shown["completedAt"]) == (0, shown["receivedAt"])


async def test_a_batch_that_crosses_the_limit_is_cut_in_the_order_it_came(office: Office) -> None:
    await limit(office, 7)
    ids = await accept(office, 20)
    assert await office.states(ids) == ["ready"] * 7 + ["ignore"] * 13
    assert await office.used(A) == 7


async def test_two_processes_accept_no_more_than_the_limit(office: Office, beside: Office, bystander: str) -> None:
    await limit(office, 25)
    ours, theirs = await asyncio.gather(accept(office, 40), accept(beside, 40))
    states = await office.states([*ours, *theirs])
    assert (states.count("ready"), states.count("ignore")) == (25, 55)
    assert await office.used(A) == 25


async def test_one_organizations_limit_is_not_anothers(office: Office) -> None:
    await limit(office, 1)
    theirs = await accept(office, 5, organization_id=B)
    ours = await accept(office, 5)
    assert await office.states(theirs) == ["ready"] * 5
    assert await office.states(ours) == ["ready"] + ["ignore"] * 4
    assert (await office.used(A), await office.used(B)) == (1, 5)


async def test_a_repeat_is_not_counted(office: Office) -> None:
    await limit(office, 2)
    first = await office.accept(idempotency_key="k")
    again = await office.intake.accept(office.message(idempotency_key="k"))
    assert (again.id, again.deduplicated) == (first, True)
    second = await office.accept()
    assert await office.states([first, second]) == ["ready", "ready"]
    assert await office.used(A) == 2


async def test_the_repeat_of_one_over_the_limit_stays_over_it(office: Office) -> None:
    """What became of a delivery does not change because its sender tries again; a replay is what does that."""
    await limit(office, 0)
    over = await office.accept(idempotency_key="k")
    await limit(office, None)
    again = await office.intake.accept(office.message(idempotency_key="k"))
    assert (again.id, again.deduplicated, await office.states([over])) == (over, True, ["ignore"])


async def test_one_id_is_counted_once(office: Office) -> None:
    message = office.message()
    for _ in range(3):
        await office.intake.accept_once(message)
    assert await office.used(A) == 1


async def test_a_month_begins_with_nothing_used(office: Office) -> None:
    await limit(office, 1)
    await accept(office, 2)
    office.clock.ms += MONTH_MS
    (fresh,) = await accept(office, 1)
    assert await office.states([fresh]) == ["ready"]
    assert [count for _, count in await office.plans.history(A, 3)] == [1, 1, 0]


async def test_warned_of_is_evaluated_all_the_same(office: Office) -> None:
    await limit(office, 2, "warn")
    ids = await accept(office, 5)
    assert await office.states(ids) == ["ready"] * 5
    assert await office.used(A) == 5


async def test_children_are_counted_and_limited_like_others(office: Office) -> None:
    await limit(office, 2)
    await office.accept()
    (work,) = await office.claim()
    children = (office.message(body={"n": 1}), office.message(body={"n": 2}))
    await office.finish(work, children=children)
    assert await office.states([child.id for child in children]) == ["ready", "ignore"]
    assert await office.used(A) == 2


async def test_children_whose_parent_was_lost_are_not_counted(office: Office) -> None:
    await office.accept()
    (work,) = await office.claim()
    assert not await office.finish(replace(work, epoch=9), children=(office.message(),))
    assert await office.used(A) == 1


async def test_one_over_the_limit_holds_up_no_lane(office: Office) -> None:
    await limit(office, 1)
    first = await office.accept(lane="lane")
    over = await office.accept(lane="lane")
    await limit(office, 2)
    third = await office.accept(lane="lane")
    assert await office.states([first, over, third]) == ["ready", "ignore", "blocked"]


async def test_a_transaction_that_fails_counts_nothing(office: Office) -> None:
    message = office.message()
    await office.intake.accept(message)
    # The same id once more breaks the transaction of both; the other one is stored by itself.
    other = office.message()
    twice = asyncio.gather(office.intake.accept(message), office.intake.accept(other), return_exceptions=True)
    broken, stored = await twice
    assert isinstance(broken, Exception)
    assert not isinstance(stored, BaseException)
    assert await office.used(A) == 2


async def test_processes_that_meet_in_lanes_and_limits_wait_for_nobody_who_waits_for_them(
    office: Office, beside: Office
) -> None:
    """Outcomes that free lanes and send children, and messages that join those lanes, in both processes at once."""

    def turn(at: Office, work: Work, lanes: list[str]) -> list[Any]:
        child = at.message(lane=lanes[-1])
        return [at.finish(work, children=(child,)), *(at.intake.accept(at.message(lane=lane)) for lane in lanes)]

    await limit(office, 10_000)
    for _ in range(5):
        lanes = [f"lane {number}" for number in range(8)]
        heads = [await office.accept(lane=lane) for lane in lanes]
        works = await office.claim()
        assert [work.id for work in works] == heads

        await asyncio.gather(
            *(each for place, work in enumerate(works) for each in turn((office, beside)[place % 2], work, lanes))
        )
        for row in (await office.rows()).values():
            if row.state in ("ready", "blocked", "running"):
                await office.queue.cancel(A, row.id)


async def test_a_process_that_stands_still_holds_up_its_organization_only(office: Office, beside: Office) -> None:
    needs_two_writers(office.database)
    async with beside.database.write() as connection:
        await connection.run_sync(take_locks, [beside.meter.lock(A)])
        ours = asyncio.create_task(office.intake.accept(office.message()))
        await until_waiting(office.database)
        theirs = [await office.accept(B) for _ in range(3)]
        assert not ours.done()
    accepted = await ours
    assert await office.states([accepted.id, *theirs]) == ["ready"] * 4
    assert (await office.used(A), await office.used(B)) == (1, 3)


@pytest.mark.parametrize("kind", ["success", "ignore"])
async def test_what_has_ended_is_not_given_back(office: Office, kind: str) -> None:
    await limit(office, 1)
    await office.ended_message(status=kind)
    over = await office.accept()
    assert await office.states([over]) == ["ignore"]


async def test_signals_are_told_of_what_is_evaluated_only(office: Office) -> None:
    told: list[str] = []

    class Told:
        def put(self, _connection: object, messages: Any) -> None:
            told.extend(message.id for message in messages)

        def stored(self) -> None:
            return None

    office.intake.signals = Told()
    await limit(office, 1)
    ids = await accept(office, 3, environment_id=PRODUCTION)
    assert told == ids[:1]
