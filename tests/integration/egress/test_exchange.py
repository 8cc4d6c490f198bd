"""Plain requests: what goes out, what comes back, and what is left behind (nothing)."""

import asyncio
import gzip
import zlib

import pytest

from pulse.egress.client import HttpEgress
from pulse.egress.port import Egress, EgressError, InvalidAddress, Request, Unreachable
from tests.integration.egress.conftest import Build, Names, get
from tests.integration.egress.servers import HOME, Server, by_path, head, raw, reply, serving, silence

JSON = b'{"items": [1, 2, 3]}'


async def test_a_request_goes_out_as_it_was_given(egress: Egress) -> None:
    async with serving(reply(201, "X-Request-Id: 7"), HOME) as server:
        headers = [("Content-Type", "application/json"), ("X-Tag", "a"), ("X-Tag", "b"), ("Host", "evil.example")]
        answer = await egress.send(Request("post", server.url("/v1/items?x=%2F#top"), headers, JSON))
        await egress.close()
    [heard] = server.requests
    assert (heard.method, heard.path, heard.body) == ("POST", "/v1/items?x=%2F", JSON)
    assert heard.headers == (
        ("host", server.authority),
        ("content-type", "application/json"),
        ("x-tag", "a"),
        ("x-tag", "b"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate"),
        ("user-agent", "Pulse"),
        ("content-length", str(len(JSON))),
    )
    assert (answer.status, answer.header("x-request-id"), answer.body) == (201, "7", b"")
    assert answer.elapsed_ms >= 0


@pytest.mark.parametrize("status", [200, 202, 404, 429, 500, 503])
async def test_every_status_is_an_answer(egress: HttpEgress, status: int) -> None:
    async with serving(reply(status, body=JSON), HOME) as server:
        answer = await egress.send(get(server.url()))
        await egress.close()
    assert (answer.status, answer.body, answer.url) == (status, JSON, server.url())


async def test_headers_come_back_in_order_with_names_in_lower_case(egress: HttpEgress) -> None:
    async with serving(reply(200, "X-B: 1", "Set-Cookie: a=1", "Set-Cookie: b=2", "X-A: caf\xe9"), HOME) as server:
        answer = await egress.send(get(server.url()))
        await egress.close()
    assert answer.headers == (
        *(("x-b", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-a", "cafÃ©")),
        ("content-length", "0"),
    )


async def test_cookies_are_not_kept(egress: HttpEgress) -> None:
    async with serving(reply(200, "Set-Cookie: session=1; Path=/"), HOME) as server:
        for _ in range(2):
            await egress.send(get(server.url()))
        await egress.close()
    assert [heard.header("cookie") for heard in server.requests] == [None, None]
    assert {heard.connection for heard in server.requests} == {1}


@pytest.mark.parametrize(
    ("coding", "packed"),
    [("gzip", gzip.compress(JSON)), ("deflate", zlib.compress(JSON)), ("identity", JSON)],
    ids=["gzip", "deflate", "identity"],
)
async def test_a_body_comes_back_decompressed(egress: HttpEgress, coding: str, packed: bytes) -> None:
    async with serving(reply(200, f"Content-Encoding: {coding}", body=packed), HOME) as server:
        answer = await egress.send(get(server.url()))
        async with egress.stream(get(server.url())) as streamed:
            assert b"".join([piece async for piece in streamed.body]) == JSON
        await egress.close()
    assert answer.body == JSON
    undone = coding != "identity"
    assert (answer.header("content-encoding") is None) is undone
    assert (answer.header("content-length") is None) is undone


async def test_a_coding_that_was_not_asked_for_is_left_as_it_is(egress: HttpEgress) -> None:
    async with serving(reply(200, "Content-Encoding: br", body=b"\x8b\x02"), HOME) as server:
        answer = await egress.send(get(server.url()))
        await egress.close()
    assert (answer.body, answer.header("content-encoding")) == (b"\x8b\x02", "br")


async def test_head_has_the_headers_of_a_body_and_none(egress: HttpEgress) -> None:
    async with serving(raw(head(200, "Content-Encoding: gzip", "Content-Length: 99999999")), HOME) as server:
        answer = await egress.send(Request("HEAD", server.url()))
        await egress.close()
    assert (answer.body, answer.header("content-length")) == (b"", "99999999")


async def test_nothing_is_taken_from_the_environment(
    build: Build, bird: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text(f"machine {HOME} login me password sk-live-1\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{bird.port}")
    async with serving(reply(body=JSON), HOME) as server:
        egress = build(HOME)
        assert (await egress.send(get(server.url()))).body == JSON
        await egress.close()
    assert server.requests[0].header("authorization") is None


async def test_one_connection_serves_one_request_after_the_other(egress: HttpEgress) -> None:
    async with serving(by_path(a=reply(body=JSON), b=reply(404)), HOME) as server:
        for path in ("/a", "/b", "/a"):
            await egress.send(get(server.url(path)))
        async with egress.stream(get(server.url("/a"))) as streamed:
            assert [piece async for piece in streamed.body] == [JSON]
        await egress.send(get(server.url("/a")))
        assert server.connections == 1
        await egress.close()
        await server.until_all_ended()


async def test_a_connection_that_the_server_closed_is_replaced(egress: HttpEgress) -> None:
    closing = raw(head(200, "Connection: close", "Content-Length: 0"))
    async with serving(closing, HOME) as server:
        for _ in range(3):
            assert (await egress.send(get(server.url()))).status == 200
        await egress.close()
    assert server.connections == 3


async def test_no_more_connections_than_allowed_are_open_at_once(build: Build) -> None:
    open_now, most = 0, 0
    gate = asyncio.Event()

    async def counting(heard: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if most == 2:
            gate.set()
        await gate.wait()
        open_now -= 1
        writer.write(head(200, "Content-Length: 0"))

    egress = build(HOME, connections=2)
    async with serving(counting, HOME) as server:
        answers = await asyncio.gather(*(egress.send(get(server.url())) for _ in range(12)))
        await egress.close()
    assert [answer.status for answer in answers] == [200] * 12
    assert (most, server.connections) == (2, 2)


async def test_cancelling_closes_the_connection(egress: HttpEgress) -> None:
    async with serving(silence, HOME) as server:
        asking = asyncio.create_task(egress.send(get(server.url())))
        await server.until(lambda: len(server.requests) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.until_all_ended()


async def test_leaving_a_stream_early_closes_the_connection(egress: HttpEgress) -> None:
    async def half(heard: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "Content-Length: 100") + b"half")
        await reader.read()

    async with serving(half, HOME) as server:
        async with egress.stream(get(server.url())) as streamed:
            assert await anext(aiter(streamed.body)) == b"half"
        await server.until_all_ended()
        async with egress.stream(get(server.url())) as streamed:
            assert streamed.status == 200
        await server.until_all_ended()


async def test_a_stream_arrives_piece_by_piece(egress: HttpEgress) -> None:
    heard_first = asyncio.Event()

    async def events(heard: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
        writer.write(b"8\r\ndata: 1\n\r\n")
        await heard_first.wait()
        writer.write(b"8\r\ndata: 2\n\r\n0\r\n\r\n")

    async with serving(events, HOME) as server, egress.stream(get(server.url())) as streamed:
        assert (streamed.status, streamed.url) == (200, server.url())
        pieces = aiter(streamed.body)
        assert await anext(pieces) == b"data: 1\n"
        heard_first.set()
        assert [piece async for piece in pieces] == [b"data: 2\n"]
    await egress.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        head(200, "Content-Length: 10") + b"half",
        head(200, "Transfer-Encoding: chunked") + b"5\r\nha",
        head(200, "Transfer-Encoding: chunked") + b"zz\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"-ERR unknown command 'GET'\r\n\r\n",
        head(200, "Content-Length: 1", "Content-Length: 2"),
        head(101, "Upgrade: websocket"),
    ],
)
async def test_an_answer_that_breaks_off_or_is_not_http_is_unreachable(egress: HttpEgress, answer: bytes) -> None:
    async def ending(heard: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with serving(ending, HOME) as server:
        with pytest.raises(Unreachable) as caught:
            await egress.send(get(server.url("/?key=sk-live-1"), headers=[("Authorization", "Bearer sk-live-2")]))
        with pytest.raises(Unreachable):
            async with egress.stream(get(server.url())) as streamed:
                assert [piece async for piece in streamed.body]
        await egress.close()
    assert "sk-live" not in caught.value.message


async def test_a_port_that_nobody_listens_on_is_unreachable(egress: HttpEgress, names: Names) -> None:
    names.give("api.internal", [HOME])
    async with serving(reply(), HOME) as server:
        pass
    with pytest.raises(Unreachable) as caught:
        await egress.send(get(server.url(host="api.internal")))
    assert caught.value.message == "api.internal cannot be reached."
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (get("http://user:sk-live-1@example.com/"), InvalidAddress),
        (Request("CONNECT", "http://example.com/"), EgressError),
        (get("http://example.com/", headers=[("X", "sk-live-1\r\nHost: evil")]), EgressError),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_anything_is_looked_up(
    egress: HttpEgress, names: Names, request_: Request, error: type[EgressError]
) -> None:
    with pytest.raises(error) as caught:
        await egress.send(request_)
    with pytest.raises(error):
        async with egress.stream(request_):
            pytest.fail("the stream was opened")
    assert "sk-live" not in caught.value.message
    assert names.asked == []


async def test_after_the_end_nothing_is_sent(egress: HttpEgress) -> None:
    async with serving(silence, HOME) as server:
        asking = asyncio.create_task(egress.send(get(server.url())))
        await server.until(lambda: len(server.requests) == 1)
        await egress.close()
        with pytest.raises(Unreachable):
            await asking
        with pytest.raises(Unreachable, match="Pulse is stopping"):
            await egress.send(get(server.url()))
        await server.until_all_ended()
    assert server.connections == 1
