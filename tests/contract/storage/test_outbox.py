"""The outbox: written with what decided it, delivered in order and at least once, and no entry holds up another."""

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from pulse.core.errors import StorageDown
from pulse.storage.outbox import BATCH, MAX_PAUSE_MS, Entry, Handler
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.storage.post import Post, entries, open_post


@dataclass
class Receiver:
    """The other end: notes what comes, and refuses some of it as often as it is told to."""

    came: list[str] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)

    async def __call__(self, key: str, payload: bytes) -> None:
        self.came.append(key)
        assert payload == f"payload of {key}".encode()
        if self.refuses.get(key, 0):
            self.refuses[key] -= 1
            raise ConnectionError(key)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def post(open_database: OpenDatabase, clock: SetClock) -> Post:
    return await open_post(open_database(clock=clock))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def handlers(receiver: Receiver) -> dict[str, Handler]:
    return {"mail": receiver}


async def test_entries_are_delivered_once_and_in_order(
    post: Post, receiver: Receiver, handlers: dict[str, Handler]
) -> None:
    await post.put("k3", "k1")
    await post.put("k2")
    assert await post.outbox.deliver(handlers) == 3
    assert receiver.came == ["k3", "k1", "k2"]
    assert await post.waiting() == []
    assert await post.outbox.deliver(handlers) == 0
    assert len(receiver.came) == 3


async def test_an_entry_lives_and_dies_with_the_callers_transaction(post: Post, handlers: dict[str, Handler]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with post.database.write() as connection:
            await post.outbox.put(connection, entries(["k1"]))
            assert await post.outbox.deliver(handlers) == 0
            raise ZeroDivisionError
    assert await post.waiting() == []
    assert await post.outbox.deliver(handlers) == 0


async def test_nothing_to_put(post: Post) -> None:
    await post.put()
    assert await post.waiting() == []


async def test_a_key_is_unique_within_its_topic(post: Post) -> None:
    await post.put("k1")
    await post.put("k1", topic="notices")
    with pytest.raises(IntegrityError):
        await post.put("k2", "k1")
    assert await post.waiting() == ["k1", "k1"]


async def test_a_refused_entry_waits_and_holds_up_nobody(
    post: Post, receiver: Receiver, handlers: dict[str, Handler], clock: SetClock
) -> None:
    receiver.refuses = {"k1": 2}
    await post.put("k1", "k2", "k3")
    assert await post.outbox.deliver(handlers) == 2
    assert receiver.came == ["k1", "k2", "k3"]
    assert await post.waiting() == ["k1"]
    assert await post.outbox.deliver(handlers) == 0
    await post.put("k4")
    assert await post.outbox.deliver(handlers) == 1
    clock.ms += 1_000
    assert await post.outbox.deliver(handlers) == 0
    clock.ms += 2_000
    assert await post.outbox.deliver(handlers) == 1
    assert receiver.came == ["k1", "k2", "k3", "k4", "k1", "k1"]


async def test_the_pause_grows_up_to_its_limit(
    post: Post, receiver: Receiver, handlers: dict[str, Handler], clock: SetClock
) -> None:
    receiver.refuses = {"k1": 12}
    await post.put("k1")
    for attempt in range(12):
        assert await post.outbox.deliver(handlers) == 0
        assert len(receiver.came) == attempt + 1
        pause = min(1_000 * 2**attempt, MAX_PAUSE_MS)
        clock.ms += pause - 1
        assert await post.outbox.deliver(handlers) == 0
        assert len(receiver.came) == attempt + 1
        clock.ms += 1
    assert await post.outbox.deliver(handlers) == 1


async def test_many_that_are_refused_hold_up_nobody(
    post: Post, receiver: Receiver, handlers: dict[str, Handler]
) -> None:
    refused = [f"r{n}" for n in range(BATCH + 5)]
    receiver.refuses = dict.fromkeys(refused, 1)
    await post.put(*refused, "good")
    delivered = [await post.outbox.deliver(handlers) for _ in range(3)]
    assert delivered == [0, 1, 0]
    assert set(await post.waiting()) == set(refused)


async def test_a_round_delivers_no_more_than_its_limit(post: Post, handlers: dict[str, Handler]) -> None:
    await post.put(*(f"k{n}" for n in range(BATCH + 1)))
    assert [await post.outbox.deliver(handlers) for _ in range(3)] == [BATCH, 1, 0]


async def test_an_entry_that_nobody_handles_waits(post: Post, receiver: Receiver, handlers: dict[str, Handler]) -> None:
    await post.put("k1", topic="notices")
    await post.put("k2")
    assert await post.outbox.deliver(handlers) == 1
    assert await post.outbox.deliver({}) == 0
    assert await post.waiting() == ["k1"]
    assert await post.outbox.deliver({"notices": receiver}) == 1
    assert receiver.came == ["k2", "k1"]


async def test_a_crash_after_the_delivery_delivers_again_under_the_same_key(
    post: Post, receiver: Receiver, handlers: dict[str, Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    await post.put("k1", "k2")

    async def crash(_position: int) -> None:
        raise StorageDown

    with monkeypatch.context() as patch:
        patch.setattr(post.outbox, "_forget", crash)
        with pytest.raises(StorageDown):
            await post.outbox.deliver(handlers)
    assert await post.outbox.deliver(handlers) == 2
    assert receiver.came == ["k1", "k1", "k2"]


async def test_a_relay_that_is_stopped_in_the_middle_leaves_the_entry(
    post: Post, receiver: Receiver, handlers: dict[str, Handler]
) -> None:
    handling = asyncio.Event()

    async def hangs(_key: str, _payload: bytes) -> None:
        handling.set()
        await asyncio.Event().wait()

    await post.put("k1")
    relay = asyncio.create_task(post.outbox.deliver({"mail": hangs}))
    await handling.wait()
    relay.cancel()
    await asyncio.wait([relay])
    assert relay.cancelled()
    assert await post.outbox.deliver(handlers) == 1
    assert receiver.came == ["k1"]


async def test_a_handler_may_put_more(post: Post, receiver: Receiver) -> None:
    """No transaction is open while a handler works."""

    async def passes_on(key: str, _payload: bytes) -> None:
        await post.put(key, topic="later")

    await post.put("k1")
    assert await post.outbox.deliver({"mail": passes_on}) == 1
    assert await post.outbox.deliver({"later": receiver}) == 1
    assert receiver.came == ["k1"]


async def test_any_bytes_are_a_payload(post: Post) -> None:
    came: list[bytes] = []

    async def keep(_key: str, payload: bytes) -> None:
        came.append(payload)

    for number, payload in enumerate((b"", b"\0\xff", bytes(100_000))):
        async with post.database.write() as connection:
            await post.outbox.put(connection, [Entry("mail", f"k{number}", payload)])
    await post.outbox.deliver({"mail": keep})
    assert came == [b"", b"\0\xff", bytes(100_000)]


async def test_within_a_plain_transaction(post: Post, receiver: Receiver, handlers: dict[str, Handler]) -> None:
    def work(connection: Connection) -> None:
        post.outbox.put_now(connection, entries(["k1", "k2"]))
        post.outbox.put_now(connection, [])

    def fails(connection: Connection) -> None:
        post.outbox.put_now(connection, entries(["k3"]))
        raise ZeroDivisionError

    await post.database.transact(work)
    with pytest.raises(ZeroDivisionError):
        await post.database.transact(fails)
    assert await post.outbox.deliver(handlers) == 2
    assert receiver.came == ["k1", "k2"]
