"""The relay: the duty that delivers what is in the outbox."""

import asyncio

import pytest

from pulse.core.errors import StorageDown
from pulse.storage import outbox
from pulse.storage.database import Database
from pulse.storage.outbox import BATCH, Handler
from tests.contract.storage.post import Post, open_post


@pytest.fixture
async def post(database: Database) -> Post:
    return await open_post(database)


class Rings:
    """A handler that rings when something has come."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.rang = asyncio.Event()

    async def __call__(self, key: str, _payload: bytes) -> None:
        self.came.append(key)
        self.rang.set()

    async def wait_for(self, *keys: str) -> None:
        async with asyncio.timeout(10):
            while self.came != list(keys):
                self.rang.clear()
                await self.rang.wait()


async def test_a_relay_delivers_what_was_there_and_what_it_is_told_of(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LOOK_AGAIN_S", 3_600)
    rings = Rings()
    relay = outbox.Relay(post.outbox, {"mail": rings})
    await post.put(*(f"k{number}" for number in range(BATCH + 1)))
    await relay.start()
    await rings.wait_for(*(f"k{number}" for number in range(BATCH + 1)))
    await post.put("last")
    relay.hint()
    await rings.wait_for(*(f"k{number}" for number in range(BATCH + 1)), "last")
    await relay.stop()
    await relay.stop()
    assert await post.waiting() in ([], ["last"])


async def test_a_relay_looks_by_itself(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LOOK_AGAIN_S", 0.01)
    rings = Rings()
    relay = outbox.Relay(post.outbox, {"mail": rings})
    await relay.start()
    await post.put("k1")
    await rings.wait_for("k1")
    await relay.stop()


async def test_a_relay_outlives_a_database_that_goes_away(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LOOK_AGAIN_S", 0.01)
    rings, failures = Rings(), iter([StorageDown(), ValueError("something else")])
    deliver = post.outbox.deliver

    async def sometimes(handlers: dict[str, Handler]) -> int:
        for failure in failures:
            raise failure
        return await deliver(handlers)

    monkeypatch.setattr(post.outbox, "deliver", sometimes)
    relay = outbox.Relay(post.outbox, {"mail": rings})
    await post.put("k1")
    await relay.start()
    await rings.wait_for("k1")
    await relay.stop()
    assert list(failures) == []


async def test_a_relay_that_was_never_started_can_be_stopped(post: Post) -> None:
    await outbox.Relay(post.outbox, {}).stop()
