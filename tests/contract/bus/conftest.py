"""Buses for contract tests. Redis is the server on 127.0.0.1:6379; a test's channels begin with a prefix of its own."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from pulse.bus.in_process import InProcessBus
from pulse.bus.port import Bus, Handler
from pulse.bus.redis import RedisBus

SERVER = ("127.0.0.1", 6379)


@dataclass
class Heard:
    """A handler that keeps what it heard."""

    payloads: list[bytes] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, payload: bytes) -> None:
        self.payloads.append(payload)
        self._more.set()

    async def until(self, last: bytes) -> list[bytes]:
        """Everything that was heard, once `last` is the last of it."""
        async with asyncio.timeout(10):
            while self.payloads[-1:] != [last]:
                self._more.clear()
                await self._more.wait()
        return self.payloads

    async def one(self) -> bytes:
        """The first thing that was heard."""
        async with asyncio.timeout(10):
            await self._more.wait()
        return self.payloads[0]

    def about(self, words: str | bytes) -> Handler:
        """A handler for what mentions `words` only (for `b""`: gaps only), where others may announce as well."""
        sought = words.encode() if isinstance(words, str) else words

        def handler(payload: bytes) -> None:
            if sought in payload if sought else not payload:
                self(payload)

        return handler


@dataclass(frozen=True)
class Installation:
    """Opens buses of one installation, each as another process would have it."""

    open: Callable[[], Bus]
    has_many_processes: bool


@pytest.fixture(scope="session")
def redis_url() -> str:
    try:
        socket.create_connection(SERVER, timeout=2).close()
    except OSError as error:
        pytest.skip(f"no Redis answers on {SERVER[0]}:{SERVER[1]} ({error})")
    return f"redis://{SERVER[0]}:{SERVER[1]}"


@pytest.fixture
def prefix() -> str:
    """What this test's channels begin with, and what its connections are called."""
    return f"pulse-test-{os.getpid()}-{secrets.token_hex(6)}:"


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def drop_listener(server: Redis, name: str) -> None:
    """Has the server end the connection of that name that listens."""
    await _drop(server, [each for each in await server.client_list() if each["name"] == name and each["psub"] != "0"])


async def drop_publisher(server: Redis, name: str) -> None:
    """Has the server end the connection of that name that publishes."""
    await _drop(server, [each for each in await server.client_list() if each["name"] == name and each["psub"] == "0"])


async def _drop(server: Redis, found: list[dict[str, str]]) -> None:
    assert len(found) == 1, found
    await server.client_kill_filter(_id=found[0]["id"])


@pytest.fixture(params=["in_process", "redis"])
async def installation(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[Installation]:
    opened: list[Bus] = []
    url = str(request.getfixturevalue("redis_url")) if request.param == "redis" else None

    def open_one() -> Bus:
        opened.append(InProcessBus() if url is None else RedisBus(url, prefix=prefix))
        return opened[-1]

    yield Installation(open_one, has_many_processes=url is not None)
    for bus in opened:
        await bus.stop()


@pytest.fixture
def bus(installation: Installation) -> Bus:
    """A bus that was not started."""
    return installation.open()
