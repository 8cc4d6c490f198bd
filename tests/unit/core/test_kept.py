"""What was read is kept, joined and forgotten as it says."""

import asyncio

import pytest
from anyio import wait_all_tasks_blocked

from pulse.core.kept import Kept


class Source:
    """Something that takes time to read: each reading waits at the gate."""

    def __init__(self) -> None:
        self.value = "first"
        self.readings = 0
        self.gate = asyncio.Event()
        self.fails = False

    async def read(self, key: str) -> str:
        self.readings += 1
        found = f"{key}: {self.value}"
        await self.gate.wait()
        if self.fails:
            raise OSError("away")
        return found


@pytest.fixture
def source() -> Source:
    return Source()


async def test_callers_that_come_together_share_one_reading(source: Source) -> None:
    kept = Kept(source.read, 60)
    callers = [asyncio.create_task(kept.get("a")) for _ in range(256)]
    await wait_all_tasks_blocked()
    source.gate.set()
    assert set(await asyncio.gather(*callers)) == {"a: first"}
    assert source.readings == 1
    assert await kept.get("a") == "a: first"
    assert source.readings == 1


async def test_a_caller_that_goes_away_leaves_the_reading_to_the_others(source: Source) -> None:
    kept = Kept(source.read, 60)
    first, second = (asyncio.create_task(kept.get("a")) for _ in range(2))
    await wait_all_tasks_blocked()
    first.cancel()
    source.gate.set()
    assert await second == "a: first"
    assert source.readings == 1


async def test_a_failed_reading_fails_for_all_who_wait_and_is_not_kept(source: Source) -> None:
    kept = Kept(source.read, 60)
    callers = [asyncio.create_task(kept.get("a")) for _ in range(3)]
    await wait_all_tasks_blocked()
    source.fails = True
    source.gate.set()
    assert [type(error) for error in await asyncio.gather(*callers, return_exceptions=True)] == [OSError] * 3
    source.fails = False
    assert await kept.get("a") == "a: first"
    assert source.readings == 2


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_whoever_comes_after_a_change_does_not_get_what_was_read_before(
    source: Source, *, all_of_them: bool
) -> None:
    kept = Kept(source.read, 60)
    before = asyncio.create_task(kept.get("a"))
    await wait_all_tasks_blocked()
    source.value = "second"
    if all_of_them:
        kept.forget_all()
    else:
        kept.forget("a")
    after = asyncio.create_task(kept.get("a"))
    await wait_all_tasks_blocked()
    source.gate.set()
    assert await before == "a: first"
    assert await after == "a: second"
    assert await kept.get("a") == "a: second"
    assert source.readings == 2


async def test_nothing_is_kept_longer_than_it_may(source: Source) -> None:
    kept = Kept(source.read, 0)
    source.gate.set()
    await kept.get("a")
    source.value = "second"
    assert await kept.get("a") == "a: second"


async def test_keys_are_apart(source: Source) -> None:
    kept = Kept(source.read, 60)
    source.gate.set()
    assert [await kept.get("a"), await kept.get("b")] == ["a: first", "b: first"]
    kept.forget("a")
    source.value = "second"
    assert [await kept.get("a"), await kept.get("b")] == ["a: second", "b: first"]
