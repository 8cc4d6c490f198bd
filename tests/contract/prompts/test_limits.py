"""Limits of credentials: held over several processes, given back where nothing was used, apart from each other."""

import asyncio

import pytest

from pulse.prompts.buckets import Limits
from pulse.prompts.limits import RateLimits
from tests.contract.conftest import OpenDatabase
from tests.contract.prompts.conftest import Desk

ONE, OTHER = "mcr_one", "mcr_other"


async def test_requests_up_to_the_limit_and_then_as_they_come_back(desk: Desk) -> None:
    limits = Limits(requests_per_minute=3)
    assert [await desk.limits.reserve(ONE, limits, 0) for _ in range(5)] == [0, 0, 0, 20_000, 20_000]
    desk.clock.ms += 19_999
    assert await desk.limits.reserve(ONE, limits, 0) == 1
    desk.clock.ms += 1
    assert [await desk.limits.reserve(ONE, limits, 0) for _ in range(2)] == [0, 20_000]
    desk.clock.ms += 120_000
    assert [await desk.limits.reserve(ONE, limits, 0) for _ in range(4)] == [0, 0, 0, 20_000]


async def test_tokens_of_a_minute_and_of_a_day(desk: Desk) -> None:
    limits = Limits(tokens_per_minute=600, tokens_per_day=1_000)
    assert await desk.limits.reserve(ONE, limits, 500) == 0
    assert await desk.limits.reserve(ONE, limits, 200) == 10_000
    desk.clock.ms += 60_000
    assert await desk.limits.reserve(ONE, limits, 500) == 0
    desk.clock.ms += 60_000
    wait_ms = await desk.limits.reserve(ONE, limits, 500)
    # The day's bucket had 1,000, and 500 come back within half a day.
    assert 43_000_000 < wait_ms < 43_200_000
    desk.clock.ms += wait_ms
    assert await desk.limits.reserve(ONE, limits, 500) == 0


async def test_what_does_not_fit_takes_nothing_from_any_bucket(desk: Desk) -> None:
    limits = Limits(requests_per_minute=2, tokens_per_minute=100)
    assert await desk.limits.reserve(ONE, limits, 90) == 0
    for _ in range(5):
        assert await desk.limits.reserve(ONE, limits, 90) > 0
    assert await desk.limits.reserve(ONE, limits, 10) == 0
    assert await desk.limits.reserve(ONE, limits, 0) == 30_000


async def test_tokens_that_were_not_used_go_back_and_others_are_taken(desk: Desk) -> None:
    limits = Limits(tokens_per_minute=600)
    assert await desk.limits.reserve(ONE, limits, 600) == 0
    await desk.limits.settle(ONE, limits, reserved=600, used=100)
    assert await desk.limits.reserve(ONE, limits, 500) == 0
    await desk.limits.settle(ONE, limits, reserved=500, used=800)
    assert await desk.limits.reserve(ONE, limits, 0) == 30_000


async def test_who_wants_more_than_there_ever_is_begins_when_the_bucket_is_full(desk: Desk) -> None:
    limits = Limits(tokens_per_minute=100)
    assert await desk.limits.reserve(ONE, limits, 1) == 0
    assert await desk.limits.reserve(ONE, limits, 300) == 600
    desk.clock.ms += 600
    assert await desk.limits.reserve(ONE, limits, 300) == 0
    assert await desk.limits.reserve(ONE, limits, 1) == 120_600


async def test_no_limit_is_no_row(desk: Desk) -> None:
    assert [await desk.limits.reserve(ONE, Limits(), 10**9) for _ in range(3)] == [0, 0, 0]
    await desk.limits.settle(ONE, Limits(), 10, 5)
    async with desk.database.read() as connection:
        assert (await connection.execute(desk.tables.buckets.select())).all() == []


async def test_each_credential_has_its_own(desk: Desk) -> None:
    limits = Limits(requests_per_minute=1)
    assert await desk.limits.reserve(ONE, limits, 0) == 0
    assert await desk.limits.reserve(ONE, limits, 0) > 0
    assert await desk.limits.reserve(OTHER, limits, 0) == 0


async def test_a_changed_limit_applies_at_once(desk: Desk) -> None:
    assert await desk.limits.reserve(ONE, Limits(requests_per_minute=1), 0) == 0
    assert await desk.limits.reserve(ONE, Limits(requests_per_minute=1), 0) == 60_000
    assert await desk.limits.reserve(ONE, Limits(requests_per_minute=None), 0) == 0
    assert await desk.limits.reserve(ONE, Limits(requests_per_minute=60), 0) == 1_000


@pytest.mark.parametrize("rivals", [2, 4])
async def test_many_processes_share_one_limit(desk: Desk, open_database: OpenDatabase, rivals: int) -> None:
    limits = Limits(requests_per_minute=10, tokens_per_minute=1_000)
    processes = [RateLimits(open_database(clock=desk.clock), desk.tables) for _ in range(rivals)]
    wanted = [process.reserve(ONE, limits, 50) for process in processes for _ in range(12)]
    answers = await asyncio.gather(*wanted)
    assert answers.count(0) == 10


async def test_a_deleted_credential_leaves_no_row(desk: Desk) -> None:
    made = await desk.credential(limits=Limits(requests_per_minute=5))
    await desk.limits.reserve(made.id, made.limits, 0)
    await desk.credentials.delete(desk.ours.id, made.id)
    async with desk.database.read() as connection:
        assert (await connection.execute(desk.tables.buckets.select())).all() == []
