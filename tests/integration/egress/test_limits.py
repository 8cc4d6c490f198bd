"""No server takes more time, memory or headers than it is given."""

import asyncio
import gzip
from collections.abc import Iterator, Sequence

import pytest

from pulse.egress.client import HttpEgress
from pulse.egress.inflating import Inflation
from pulse.egress.port import AnswerTooLarge, EgressError, Request, TimedOut
from tests.integration.egress.conftest import Build, get
from tests.integration.egress.servers import (
    HOME,
    Answering,
    by_path,
    dripping,
    head,
    raw,
    redirect,
    reply,
    serving,
    silence,
)

IMPATIENT_MS = 150
DRIPS = {
    "the status": dripping(b"HTTP/1.1 200 ", b"O"),
    "the headers": dripping(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"),
    "the body": dripping(head(200, "Content-Length: 1000000"), b"x"),
    "the chunks": dripping(head(200, "Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
    "the body without a length": dripping(head(200), b"x"),
    "promises": dripping(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "nothing": silence,
}


class Hanging:
    """A resolver that never answers."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    def close(self) -> None:
        """There is nothing to end."""


async def whole(egress: HttpEgress, request: Request) -> bytes:
    async with egress.stream(request) as streamed:
        return b"".join([piece async for piece in streamed.body])


@pytest.mark.parametrize("answering", DRIPS.values(), ids=DRIPS)
async def test_a_server_that_never_ends_is_left_in_time(egress: HttpEgress, answering: Answering) -> None:
    async with asyncio.timeout(10), serving(answering, HOME) as server:
        with pytest.raises(TimedOut, match=r"did not answer in full within 150 ms\.$") as caught:
            await egress.send(get(server.url(), timeout_ms=IMPATIENT_MS))
        with pytest.raises(TimedOut):
            await whole(egress, get(server.url(), timeout_ms=IMPATIENT_MS))
        await server.until_all_ended()
    assert caught.value.retryable


async def test_the_time_given_covers_looking_the_name_up(build: Build) -> None:
    egress = build(resolver=Hanging())
    async with asyncio.timeout(10):
        with pytest.raises(TimedOut, match=r"^api\.example did not answer"):
            await egress.send(get("http://api.example/", timeout_ms=IMPATIENT_MS))
        with pytest.raises(TimedOut):
            await whole(egress, get("http://api.example/", timeout_ms=IMPATIENT_MS))


async def test_the_time_given_covers_waiting_for_a_connection(build: Build) -> None:
    egress = build(HOME, connections=1)
    async with serving(silence, HOME) as server:
        holding = asyncio.create_task(egress.send(get(server.url())))
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(TimedOut):
            await egress.send(get(server.url(), timeout_ms=IMPATIENT_MS))
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        await server.until_all_ended()
    assert len(server.requests) == 1


async def test_the_time_given_covers_all_redirects_together(egress: HttpEgress) -> None:
    hops = by_path(a=redirect("/b"), b=redirect("/c"), c=silence)
    async with asyncio.timeout(10), serving(hops, HOME) as server:
        with pytest.raises(TimedOut):
            await egress.send(get(server.url("/a"), timeout_ms=IMPATIENT_MS))
        await server.until_all_ended()


@pytest.mark.parametrize("timeout_ms", [0, -1])
async def test_no_time_is_too_little(egress: HttpEgress, timeout_ms: int) -> None:
    async with serving(reply(), HOME) as server:
        with pytest.raises(TimedOut):
            await egress.send(get(server.url(), timeout_ms=timeout_ms))
    assert server.requests == []


async def test_time_that_a_reader_takes_is_time_taken(egress: HttpEgress) -> None:
    async with serving(dripping(head(200), b"x"), HOME) as server:
        loop = asyncio.get_running_loop()
        async with egress.stream(get(server.url(), timeout_ms=500)) as streamed:
            ended = loop.create_future()
            loop.call_later(0.6, ended.set_result, None)
            await ended
            with pytest.raises(TimedOut):
                await anext(aiter(streamed.body))
        await server.until_all_ended()


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
async def test_a_body_as_large_as_may_be_is_taken(egress: HttpEgress, size: int) -> None:
    body = b"x" * size
    async with serving(reply(body=body), HOME) as server:
        assert (await egress.send(get(server.url(), max_bytes=1000))).body == body
        assert await whole(egress, get(server.url(), max_bytes=1000)) == body
        await egress.close()


@pytest.mark.parametrize(
    "answer",
    [
        head(200, "Content-Length: 1001") + b"x" * 1001,
        head(200, "Transfer-Encoding: chunked") + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
        head(200, "Connection: close") + b"x" * 1001,
        head(200, "Content-Encoding: gzip", "Connection: close") + gzip.compress(b"x" * 1001),
        head(200, "Content-Encoding: gzip", "Connection: close") + gzip.compress(b"") * 5000,
    ],
    ids=["of-a-length", "in-chunks", "to-the-end", "packed", "packed-from-nothing"],
)
async def test_a_body_that_is_larger_is_not_taken(egress: HttpEgress, answer: bytes) -> None:
    async def ending(heard: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with serving(ending, HOME) as server:
        with pytest.raises(AnswerTooLarge, match=r"more than 1,000 bytes\.$") as caught:
            await egress.send(get(server.url(), max_bytes=1000))
        with pytest.raises(AnswerTooLarge):
            await whole(egress, get(server.url(), max_bytes=1000))
        await server.until_all_ended()
    assert not caught.value.retryable


async def test_a_stream_gives_what_it_has_before_it_is_too_large(egress: HttpEgress) -> None:
    async with serving(dripping(head(200) + b"x" * 800, b"y" * 100), HOME) as server:
        async with egress.stream(get(server.url(), max_bytes=1000)) as streamed:
            given = await anext(aiter(streamed.body))
            with pytest.raises(AnswerTooLarge):
                assert [piece async for piece in streamed.body]
        assert 800 <= len(given) <= 1000
        await server.until_all_ended()


async def test_a_bomb_is_left_long_before_it_has_gone_off(egress: HttpEgress, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 MB in 260 KB, sent without an end: what is taken in is a little more than what may be."""
    bomb = gzip.compress(bytes(256 * 1024 * 1024), 9)
    inflated = _counted(monkeypatch)
    endless = dripping(head(200, "Content-Encoding: gzip") + bomb, bomb)
    async with asyncio.timeout(20), serving(endless, HOME) as server:
        with pytest.raises(AnswerTooLarge):
            await egress.send(get(server.url(), max_bytes=1_000_000))
        with pytest.raises(AnswerTooLarge):
            await whole(egress, get(server.url(), max_bytes=1_000_000))
        await server.until_all_ended()
    assert 2_000_000 <= sum(inflated) <= 2 * (1_000_000 + 64 * 1024)


async def test_bombs_in_bombs_are_not_opened(egress: HttpEgress) -> None:
    bomb = gzip.compress(gzip.compress(gzip.compress(bytes(1024 * 1024))))
    async with serving(reply(200, "Content-Encoding: gzip, gzip, gzip", body=bomb), HOME) as server:
        with pytest.raises(EgressError, match=r"cannot be decompressed\.$"):
            await egress.send(get(server.url()))
        with pytest.raises(EgressError, match=r"cannot be decompressed\.$"):
            await whole(egress, get(server.url()))
        await server.until_all_ended()


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b"x" * 1000)[:-10]], ids=["else", "cut"])
async def test_a_body_that_is_not_what_it_says_is_refused(egress: HttpEgress, body: bytes) -> None:
    async with serving(reply(200, "Content-Encoding: gzip", body=body), HOME) as server:
        with pytest.raises(EgressError, match=r"cannot be decompressed\.$"):
            await egress.send(get(server.url()))
        await egress.close()


@pytest.mark.parametrize(
    "answer",
    [
        head(200, "X-Large: " + "x" * 66_000, "Content-Length: 0"),
        head(200, "X-Large: " + "x" * 200_000, "Content-Length: 0"),
        head(200, *(f"X-{n}: {'x' * 100}" for n in range(800)), "Content-Length: 0"),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 10_000 + b"\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 10_000),
    ],
    ids=["one", "one-larger", "many", "endless-many", "endless-one"],
)
async def test_headers_that_are_too_large_are_not_taken(egress: HttpEgress, answer: bytes | Answering) -> None:
    async with asyncio.timeout(20), serving(raw(answer) if isinstance(answer, bytes) else answer, HOME) as server:
        with pytest.raises(AnswerTooLarge, match=r"more than 65,536 bytes of headers\.$"):
            await egress.send(get(server.url()))
        with pytest.raises(AnswerTooLarge):
            await whole(egress, get(server.url()))
        await server.until_all_ended()


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much was inflated, piece by piece."""
    sizes: list[int] = []
    pieces = Inflation.pieces

    def counting(inflation: Inflation, data: bytes) -> Iterator[bytes]:
        for piece in pieces(inflation, data):
            sizes.append(len(piece))
            yield piece

    monkeypatch.setattr(Inflation, "pieces", counting)
    return sizes
