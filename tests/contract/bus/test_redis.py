"""What holds of Redis only: connections are lost, servers are not there or fall silent, and come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from structlog.testing import capture_logs

from pulse.bus.redis import LONGEST_PAUSE_S, RedisBus, pause_s
from pulse.core.errors import Misconfigured
from tests.contract.bus.conftest import SERVER, Heard, drop_listener, drop_publisher
from tests.contract.bus.relay import Relay

NOWHERE = "redis://pulse:hunter2@127.0.0.1:1"


@pytest.fixture
async def relay(redis_url: str) -> AsyncIterator[Relay]:
    made = Relay(SERVER)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def bus(redis_url: str, prefix: str) -> AsyncIterator[RedisBus]:
    """A bus whose connections bear the name that its channels begin with."""
    made = RedisBus(f"{redis_url}?client_name={prefix}", prefix=prefix)
    yield made
    await made.stop()


@pytest.fixture
async def relayed(relay: Relay, prefix: str) -> AsyncIterator[RedisBus]:
    """An impatient bus on the relay."""
    made = RedisBus(f"redis://127.0.0.1:{relay.port}", prefix=prefix, patience_s=1, silence_s=0.1)
    yield made
    await made.stop()


@pytest.fixture
async def nowhere() -> AsyncIterator[RedisBus]:
    """A bus on a port that nobody listens on."""
    made = RedisBus(NOWHERE)
    yield made
    await made.stop()


@contextmanager
def lost_announcements() -> Iterator[list[Any]]:
    """The topics of those that are lost meanwhile."""
    topics: list[Any] = []
    with capture_logs() as logs:
        yield topics
    topics += [entry["topic"] for entry in logs if entry["event"] == "announcement_lost"]


async def test_after_the_server_dropped_it_each_handler_is_told_once_of_the_gap(
    bus: RedisBus, server: Redis, prefix: str
) -> None:
    first, second = Heard(), Heard()
    bus.subscribe("first", first)
    bus.subscribe("second", second)
    await bus.start()
    for _ in range(2):
        await drop_listener(server, prefix)
        await first.until(b"")
        await bus.publish("first", b"news")
        await bus.publish("second", b"news")
        await second.until(b"news")
    assert await first.until(b"news") == second.payloads == [b"", b"news", b"", b"news"]
    assert bus.trouble is None


async def test_one_connection_listens_however_many_topics_there_are(bus: RedisBus, server: Redis, prefix: str) -> None:
    heard = Heard()
    for n in range(20):
        bus.subscribe(f"topic {n}", heard)
    await bus.start()
    for n in range(20):
        await bus.publish(f"topic {n}", b"%d" % n)
    await heard.until(b"19")
    assert sum(each["name"] == prefix for each in await server.client_list()) == 2


async def test_a_publisher_that_was_dropped_connects_again(bus: RedisBus, server: Redis, prefix: str) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.start()
    await bus.publish("topic", b"news")
    await drop_publisher(server, prefix)
    await heard.until(b"news")
    await bus.publish("topic", b"more")
    assert await heard.until(b"more") == [b"news", b"more"]


async def test_a_process_that_hears_nothing_may_announce(bus: RedisBus, redis_url: str, prefix: str) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.start()
    announcer = RedisBus(redis_url, prefix=prefix)
    await announcer.publish("topic", b"news")
    await announcer.stop()
    assert await heard.until(b"news") == [b"news"]


async def test_stop_leaves_no_connection(bus: RedisBus, server: Redis, prefix: str) -> None:
    await bus.start()
    await bus.publish("topic", b"news")
    await bus.stop()
    # The server closes its end when it reads that we have closed ours: a round trip later.
    async with asyncio.timeout(10):
        while any(each["name"] == prefix for each in await server.client_list()):
            await server.ping()


async def test_a_server_that_is_not_there_keeps_nothing_from_starting(nowhere: RedisBus) -> None:
    await nowhere.start()
    assert nowhere.trouble is not None
    assert "127.0.0.1:1" in nowhere.trouble
    assert "hunter2" not in nowhere.trouble


async def test_announcements_that_cannot_be_sent_are_lost_and_logged(nowhere: RedisBus) -> None:
    with lost_announcements() as topics:
        await nowhere.publish("before the start", b"news")
        await nowhere.start()
        await nowhere.publish("after it", b"news")
        await nowhere.stop()
        await nowhere.publish("after the end", b"news")
    assert topics == ["before the start", "after it", "after the end"]


async def test_a_server_that_comes_later_is_heard_from_then_on(relayed: RedisBus, relay: Relay) -> None:
    heard = Heard()
    relayed.subscribe("topic", heard)
    await relay.close()
    await relayed.start()
    assert relayed.trouble is not None
    await relay.open()
    await heard.until(b"")
    assert not relayed.trouble
    await relayed.publish("topic", b"news")
    assert await heard.until(b"news") == [b"", b"news"]


async def test_a_server_that_falls_silent_is_left(relayed: RedisBus, relay: Relay) -> None:
    """As when the other machine is gone, or a firewall forgets the connection: no end of it ever comes."""
    heard = Heard()
    relayed.subscribe("topic", heard)
    await relayed.start()
    await relayed.publish("topic", b"news")
    await heard.until(b"news")
    relay.hush()
    with lost_announcements() as topics:
        await relayed.publish("topic", b"lost")
    assert topics == ["topic"]
    await heard.until(b"")
    await relayed.publish("topic", b"more")
    assert await heard.until(b"more") == [b"news", b"", b"more"]


async def test_a_server_that_never_answers_holds_nobody_up(prefix: str) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        bus = RedisBus(f"redis://127.0.0.1:{port}", prefix=prefix, patience_s=0.1)
        with lost_announcements() as topics:
            await asyncio.gather(bus.start(), *(bus.publish(f"{n}", b"") for n in range(5)))
        assert sorted(topics) == ["0", "1", "2", "3", "4"]
        assert bus.trouble is not None
        await bus.stop()


async def test_a_server_that_is_silent_because_nothing_happens_is_kept(
    relayed: RedisBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ping = asyncio.Semaphore(0), PubSub.ping

    def asking(connection: PubSub) -> Awaitable[bool]:
        asked.release()
        return ping(connection)

    monkeypatch.setattr(PubSub, "ping", asking)
    heard = Heard()
    relayed.subscribe("topic", heard)
    await relayed.start()
    for _ in range(4):
        await asked.acquire()
    await relayed.publish("topic", b"news")
    assert await heard.until(b"news") == [b"news"]


async def test_installations_with_other_prefixes_do_not_hear(bus: RedisBus, server: Redis, prefix: str) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.start()
    await server.publish(f"other-{prefix}topic", b"news")
    await server.publish(f"{prefix}topic", b"end")
    assert await heard.until(b"end") == [b"end"]


async def test_channels_begin_with_pulse(redis_url: str, server: Redis, prefix: str) -> None:
    async with server.pubsub() as listener:
        await listener.subscribe(f"pulse:{prefix}")
        await listener.get_message(timeout=10)
        bus = RedisBus(redis_url)
        await bus.publish(prefix, b"news")
        await bus.stop()
        frame = await listener.get_message(timeout=10)
    assert frame is not None
    assert frame["data"] == b"news"


@pytest.mark.parametrize(
    "url", ["http://h", "redis://pulse:hunter/2@h", "redis://pulse:hunter2@h?colour=red", "redis://h?db=hunter2"]
)
def test_an_address_that_cannot_be_used_is_refused_without_a_word_of_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        RedisBus(url)
    assert "hunter" not in str(caught.value)


def test_the_pause_grows_and_varies() -> None:
    assert [pause_s(n, 0) for n in (1, 2, 3, 6, 7, 10_000)] == [0.1, 0.2, 0.4, 3.2, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert pause_s(3, 1) == pause_s(3, 0) / 2
