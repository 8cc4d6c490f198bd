"""The order of answers: recorded ones by their numbers, live ones after them."""

import asyncio
import itertools

import pytest
from anyio.lowlevel import checkpoint

from pulse.effects.deliveries import Deliveries


async def handed_out(deliveries: Deliveries, numbers: list[int]) -> list[int]:
    """The numbers in the order in which they are handed out, when they are waited for in the given order."""
    order: list[int] = []

    async def take(number: int) -> None:
        await deliveries.turn(number)
        order.append(number)

    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(take(number)))
        await checkpoint()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    return order


@pytest.mark.parametrize("asked", list(itertools.permutations([2, 5, 7])))
async def test_recorded_answers_are_handed_out_by_their_numbers(asked: tuple[int, ...]) -> None:
    assert await handed_out(Deliveries({5: 1, 2: 2, 7: 3}), list(asked)) == [2, 5, 7]


async def test_live_answers_come_after_all_recorded_ones() -> None:
    deliveries = Deliveries({4: 2})
    live = deliveries.number(1)
    assert live == 5
    assert await handed_out(deliveries, [live, 4]) == [4, live]


async def test_a_second_evaluation_gets_them_all_again() -> None:
    deliveries = Deliveries()
    numbers = [deliveries.number(seq) for seq in (3, 1)]
    assert await handed_out(deliveries, numbers) == numbers
    left = deliveries.next
    deliveries.begin()
    assert (left, deliveries.next) == (None, (numbers[0], 3))
    assert await handed_out(deliveries, numbers[::-1]) == numbers


async def test_what_is_dropped_holds_up_nobody() -> None:
    deliveries = Deliveries({1: 1, 2: 2})
    waiting = asyncio.create_task(handed_out(deliveries, [2]))
    await checkpoint()
    deliveries.drop(1)
    assert await waiting == [2]
