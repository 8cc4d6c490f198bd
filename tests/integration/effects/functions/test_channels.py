"""`pubsubPublish`, on a Redis server."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from pulse.bus.redis import RedisChannels
from tests.contract.bus.conftest import SERVER
from tests.integration.effects.functions.bench import CANARY, Bench, hides

URL = f"redis://{SERVER[0]}:{SERVER[1]}"


@pytest.fixture
def channel() -> str:
    return f"pulse-test-{secrets.token_hex(8)}:Orders"


@pytest.fixture
async def channels(bench: Bench) -> AsyncIterator[Bench]:
    publisher = RedisChannels(URL)
    yield bench.reaching(publisher=publisher)
    await publisher.close()


@pytest.fixture
async def heard(channel: str) -> AsyncIterator["asyncio.Queue[tuple[str, str]]"]:
    """What arrives on the channel, in either case of its letters."""
    client, queue = Redis.from_url(URL, protocol=2), asyncio.Queue[tuple[str, str]]()
    async with client.pubsub() as connection:
        await connection.subscribe(channel, channel.lower())
        frames = connection.listen()
        assert [(await anext(frames))["type"] for _ in range(2)] == ["subscribe"] * 2

        async def listen() -> None:
            async for frame in frames:
                queue.put_nowait((frame["channel"].decode(), frame["data"].decode()))

        task = asyncio.create_task(listen())
        yield queue
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await client.aclose()


@pytest.mark.parametrize("text", ["shipped", "", "Grüße 👋\n", '{"n": 1}', "x" * 100_000])
async def test_text_arrives_as_it_is(
    channels: Bench, channel: str, heard: "asyncio.Queue[tuple[str, str]]", text: str
) -> None:
    ran = await channels.run(f"___result___ = [await pubsubPublish('{channel}', text)]", message={"text": text})
    async with asyncio.timeout(10):
        assert await heard.get() == (channel, text)
    assert ran.result == [None]
    assert ran.entry == {"type": "api", "service": "pubsub", "channel": channel, "success": True}


async def test_names_are_case_sensitive(channels: Bench, channel: str, heard: "asyncio.Queue[tuple[str, str]]") -> None:
    await channels.run(f"await pubsubPublish('{channel.lower()}', 'one'); await pubsubPublish('{channel}', 'two')")
    async with asyncio.timeout(10):
        assert [await heard.get(), await heard.get()] == [(channel.lower(), "one"), (channel, "two")]


async def test_what_was_published_is_not_published_again(
    channels: Bench, channel: str, heard: "asyncio.Queue[tuple[str, str]]"
) -> None:
    script = f"await pubsubPublish('{channel}', 'once')"
    first = await channels.run(script)
    await channels.run(script, like=first, past=first.recorded())
    await channels.run(f"await pubsubPublish('{channel}', 'last')")
    async with asyncio.timeout(10):
        assert [await heard.get(), await heard.get()] == [(channel, "once"), (channel, "last")]


async def test_a_secret_goes_out_and_stays_nowhere(
    channels: Bench, channel: str, heard: "asyncio.Queue[tuple[str, str]]"
) -> None:
    ran = await channels.run(f"await pubsubPublish('{channel}', KEY)", variables={"KEY": CANARY})
    async with asyncio.timeout(10):
        assert await heard.get() == (channel, CANARY)
    hides(ran)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("pubsubPublish(5, 'x')", "channel: Expected `str`, got `int`."),
        ("pubsubPublish('news', { n: 1 })", "message: Expected `str`, got `object`."),
        ("pubsubPublish('news', 5)", "message: Expected `str`, got `int`."),
        ("pubsubPublish('', 'x')", "channel: 1 to 512 characters."),
        ("pubsubPublish('x'.repeat(513), 'x')", "channel: 1 to 512 characters."),
        ("pubsubPublish('news')", "Call it as await pubsubPublish(channel, message)."),
    ],
)
async def test_both_are_texts(channels: Bench, call: str, words: str) -> None:
    failure = (await channels.tried(f"await {call}")).failure
    assert failure.code == "invalid_arguments"
    assert words in failure.message


async def test_without_redis_it_says_so(bench: Bench) -> None:
    failure = (await bench.tried("await pubsubPublish('news', 'x')")).failure
    assert failure.code == "not_configured"
    assert failure.message.startswith("Redis not configured")


async def test_a_server_that_is_not_there(bench: Bench) -> None:
    publisher = RedisChannels(f"redis://pulse:{CANARY}@127.0.0.1:1")
    ran = await bench.reaching(publisher=publisher).tried("await pubsubPublish('news', 'x')")
    await publisher.close()
    assert (ran.failure.code, ran.failure.retryable) == ("unreachable", True)
    assert ran.entry == {
        "type": "api",
        "service": "pubsub",
        "channel": "news",
        "success": False,
        "code": "unreachable",
    }
    hides(ran)
