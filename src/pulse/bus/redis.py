"""The bus on Redis pub/sub: one connection listens to every topic, another publishes.

Redis keeps no announcement for who is not connected, so a connection that comes back unseen would hide what was missed.
That is why the client is told to try nothing again by itself, and why the server's word that it has subscribed us is
what counts: each one but the first means that there was a gap. One pattern covers all topics, so that a subscription
needs no word to the server, and holds from the moment it is made.

Pub/sub knows nothing of Redis databases: installations that share a server hear each other.
"""

import asyncio
import contextlib
import random
import re
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pulse.bus.handlers import Handlers
from pulse.bus.port import Handler
from pulse.core.errors import Misconfigured, Unavailable

log = structlog.get_logger(__name__)
LONGEST_PAUSE_S = 5.0


def pause_s(failures: int, jitter: float) -> float:
    """Seconds to wait after so many attempts in a row that failed; `jitter` from 0 to 1 takes up to half of it off."""
    return min(LONGEST_PAUSE_S, 0.1 * 2.0 ** min(failures - 1, 10)) * (1 - jitter / 2)


class RedisBus:
    """Announcements by way of the server at `redis://…` or `rediss://…`; implements `Bus`.

    The server is given `patience_s` for each answer, and asked for one when it was silent for `silence_s`.
    """

    name = "bus"

    def __init__(self, url: str, *, prefix: str = "pulse:", patience_s: float = 2.0, silence_s: float = 15.0) -> None:
        self.trouble: str | None = None
        self._client = _client(url, patience_s)
        self._prefix = prefix
        self._patience_s = patience_s
        self._silence_s = silence_s
        self._handlers = Handlers()
        self._sending = asyncio.Lock()
        self._attempted = asyncio.Event()
        self._missed = False
        self._failures = 0
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns after the first attempt to listen, whatever came of it."""
        self._task = asyncio.create_task(self._run(), name=self.name)
        await self._attempted.wait()

    async def stop(self) -> None:
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        async with self._sending:
            await self._client.aclose()

    async def publish(self, topic: str, payload: bytes) -> None:
        try:
            # One at a time: connections side by side would not keep the order.
            async with asyncio.timeout(self._patience_s), self._sending:
                await self._send(topic, payload)
        except (RedisError, OSError) as error:
            log.warning("announcement_lost", topic=topic, reason=_reason(error))

    def subscribe(self, topic: str, handler: Handler) -> None:
        self._handlers.add(topic, handler)

    async def _send(self, topic: str, payload: bytes) -> None:
        if self._stopped:
            raise RedisError("the bus has stopped")
        await self._client.publish(self._prefix + topic, payload)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                self._lost(_reason(error))
            except Exception as error:
                log.exception("bus_failed")
                self._lost(_reason(error))
            await asyncio.sleep(pause_s(self._failures, random.random()))

    async def _listen(self) -> None:
        """Hears what is announced until the connection is lost, and raises what lost it."""
        async with self._client.pubsub() as connection:
            await connection.psubscribe(re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix) + "*")
            waits_for_answer = True
            while True:
                patience_s = self._patience_s if waits_for_answer else self._silence_s
                frame = await connection.get_message(timeout=patience_s)
                if frame is not None:
                    self._take(frame)
                    waits_for_answer = False
                elif waits_for_answer:
                    raise TimeoutError(f"no answer within {patience_s:g} seconds")
                else:
                    await connection.ping()
                    waits_for_answer = True

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "psubscribe":
            self._heard_again()
        elif frame["type"] == "pmessage":
            topic = frame["channel"].decode(errors="replace").removeprefix(self._prefix)
            self._handlers.tell(topic, frame["data"])

    def _heard_again(self) -> None:
        if self._missed:
            log.info("bus_heard_again")
            self._handlers.tell_of_a_gap()
        self._missed = True
        self._failures = 0
        self.trouble = None
        self._attempted.set()

    def _lost(self, reason: str) -> None:
        if self.trouble is None:
            log.warning("bus_lost", reason=reason)
        self._missed = True
        self._failures += 1
        self.trouble = f"Redis does not answer as it should: {reason}"
        self._attempted.set()


class RedisChannels:
    """Channels of the server at `redis://…` that other programs listen to, under the names that are given."""

    def __init__(self, url: str, *, patience_s: float = 5.0) -> None:
        self._client = _client(url, patience_s)
        self._patience_s = patience_s

    async def publish(self, channel: str, text: str) -> None:
        """Returns when the server has it. Raises Unavailable."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._client.publish(channel, text)
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis did not take it: {_reason(error)}.") from None

    async def close(self) -> None:
        await self._client.aclose()


def _client(url: str, patience_s: float) -> Redis:
    """The client; nothing is connected yet. Raises Misconfigured."""
    try:
        client = Redis.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0, supported_errors=()),
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
        )
        # An option that nobody knows would come out only now and again, at each attempt to connect.
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError):
        # What was wrong may be a part of the password.
        raise Misconfigured(
            "PULSE_BUS_URL must be like redis://user:password@host:6379, with special characters percent-encoded, "
            "and options that redis-py knows."
        ) from None
    return client


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
