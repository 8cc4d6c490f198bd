"""`httpRequest`: what is answered, where redirects lead, and what goes wrong."""

import asyncio
from typing import Any

import pytest

from pulse.effects.world.web import MAX_ANSWER
from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.peers import told
from tests.integration.effects.functions.requests.turning import Turning, options
from tests.integration.egress.servers import (
    HOME,
    Heard,
    Server,
    by_path,
    dripping,
    head,
    raw,
    redirect,
    serving,
    silence,
)


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        ("application/json", b'{"a": [1, null]}', {"a": [1, None]}),
        ("application/problem+json; charset=utf-8", b'{"title": "No"}', {"title": "No"}),
        ("application/json", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ("application/json", b'"text"', "text"),
        ("application/json", b"{not json", "{not json"),
        ("application/json", b'{"n": 1e400}', '{"n": 1e400}'),
        ("application/json", b'{"n": 9007199254740991}', {"n": 9007199254740991}),
        ("text/plain", b'{"a": 1}', '{"a": 1}'),
        ("text/html; charset=UTF-8", "<p>Grüße</p>".encode(), "<p>Grüße</p>"),
        ("text/plain; charset=ISO-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ('text/csv; header=present; charset="windows-1252"', "5 €".encode("cp1252"), "5 €"),
        ("text/plain; charset=idna", b"xn--a", "xn--a"),
        ("text/plain; charset=no-such", "ü".encode(), "ü"),
        ("application/octet-stream", b"\x00\xff\xfe", "\x00��"),
        ("application/json", b"", None),
    ],
)
async def test_answers(web: Bench, server: Server, turn: Turning, kind: str, body: bytes, data: Any) -> None:
    turn.answering = told(200, body, kind=kind)
    assert (await web.tried(options(url=server.url("/")))).result["data"] == data


async def test_an_error_status_is_an_answer(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = told(503, {"error": "later"}, "Retry-After: 7")
    ran = await web.tried(options(url=server.url("/")))
    assert (ran.result["status"], ran.result["data"]) == (503, {"error": "later"})
    assert ran.result["headers"]["retry-after"] == "7"
    assert (ran.entry["status"], ran.entry["success"]) == (503, False)


async def test_headers_of_one_name_are_joined(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = told(200, {}, "Link: <a>; rel=next", "X-One: 1", "LINK: <b>; rel=last")
    headers = (await web.tried(options(url=server.url("/")))).result["headers"]
    assert (headers["link"], headers["x-one"]) == ("<a>; rel=next, <b>; rel=last", "1")


# ---- redirects ---------------------------------------------------------------------------------------------------


async def test_redirects_are_followed(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = by_path(a=redirect("/b"), b=redirect("/c", 307), c=told(200, "there"))
    assert (await web.tried(options(url=server.url("/a")))).result["data"] == "there"


async def test_or_not_where_the_script_says_so(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = redirect("/b")
    ran = await web.tried(options(url=server.url("/a"), followRedirects=False))
    assert (ran.result["status"], ran.result["headers"]["location"]) == (302, "/b")
    assert len(server.requests) == 1


async def test_but_not_for_ever(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = redirect("/again")
    ran = await web.tried(options(url=server.url("/a")))
    assert (ran.failure.code, ran.failure.retryable) == ("too_many_redirects", False)
    assert ran.entry["code"] == "too_many_redirects"


@pytest.mark.parametrize(
    "given",
    [
        {"apiKey": CANARY},
        {"apiKey": CANARY, "apiKeyHeader": "X-Team"},
        {"headers": {"Authorization": f"Bearer {CANARY}"}},
        {"headers": {"X-Vault-Token": CANARY}},
        {"headers": {"X-Hub-Signature-256": CANARY}},
        {"headers": {"X-Client-Secret": CANARY}},
    ],
)
async def test_secrets_do_not_go_along_to_another_server(
    bench: Bench, server: Server, turn: Turning, ways_out: WaysOut, given: Any
) -> None:
    async with serving(told(200, "there"), HOME) as other:
        turn.answering = redirect(other.url("/"))
        web = bench.reaching(egress=ways_out(HOME))
        ran = await web.tried(options(url=server.url("/"), **given))
        assert ran.result["data"] == "there"
        assert CANARY in str(server.requests[0].headers)
        assert CANARY not in str(other.requests[0].headers)
    hides(ran)


# ---- what goes wrong ---------------------------------------------------------------------------------------------


async def test_a_server_that_says_nothing(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = silence
    ran = await web.tried(options(url=server.url("/slow?x=1"), timeoutMs=30))
    assert (ran.failure.code, ran.failure.retryable, ran.failure.effect) == ("timeout", True, "httpRequest")
    assert ran.entry == {
        "type": "api",
        "service": "http",
        "method": "GET",
        "url": server.url("/slow"),
        "success": False,
        "code": "timeout",
    }


async def test_a_server_that_never_ends(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = dripping(head(200, "Content-Type: text/plain"), b"x")
    assert (await web.tried(options(url=server.url("/"), timeoutMs=50))).failure.code == "timeout"


async def test_an_answer_that_is_too_large(web: Bench, server: Server, turn: Turning) -> None:
    turn.answering = told(200, b"x" * (MAX_ANSWER + 1), kind="text/plain")
    ran = await web.tried(options(url=server.url("/")))
    assert (ran.failure.code, ran.failure.retryable) == ("answer_too_large", False)
    turn.answering = told(200, b"x" * MAX_ANSWER, kind="text/plain")
    assert len((await web.run(f"size = ({options(url=server.url('/'))}).data.length")).globals) == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"nonsense\r\n\r\n"])
async def test_a_server_that_breaks_off(web: Bench, server: Server, turn: Turning, answer: bytes) -> None:
    async def hang_up(heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw(answer)(heard, reader, writer)
        writer.close()

    turn.answering = hang_up
    failure = (await web.tried(options(url=server.url("/")))).failure
    assert (failure.code, failure.retryable) == ("unreachable", True)


async def test_nobody_there(bench: Bench, ways_out: WaysOut) -> None:
    async with serving(told(200, {}), HOME) as gone:
        pass
    failure = (await bench.reaching(egress=ways_out(HOME)).tried(options(url=gone.url("/")))).failure
    assert (failure.code, failure.retryable) == ("unreachable", True)


async def test_without_the_exception_the_server_is_out_of_bounds(
    bench: Bench, server: Server, ways_out: WaysOut
) -> None:
    ran = await bench.reaching(egress=ways_out()).tried(options(url=server.url("/inner?token=abc")))
    assert (ran.failure.code, ran.failure.retryable) == ("address_refused", False)
    assert server.connections == 0
    assert ran.entry["url"] == server.url("/inner")


async def test_there_may_be_no_way_out(bench: Bench) -> None:
    assert (await bench.tried(options(url="https://api.example.com/"))).failure.code == "not_available"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "options.url: say where to"),
        ({"path": "/v1"}, "options.url: say where to"),
        ({"url": 5}, "options.url: Expected `str | null`, got `int`."),
        ({"method": "BREW"}, "options.method: 'BREW' is none of GET, POST"),
        ({"method": "CONNECT"}, "options.method: 'CONNECT' is none of"),
        ({"method": ""}, "options.method: '' is none of"),
        ({"timeoutMs": 0}, "options.timeoutMs: 1 to 300000 milliseconds."),
        ({"timeoutMs": 300_001}, "options.timeoutMs: 1 to 300000 milliseconds."),
        ({"timeoutMs": "5"}, "options.timeoutMs: Expected `int`, got `str`."),
        ({"followRedirects": "yes"}, "options.followRedirects: Expected `bool`, got `str`."),
        ({"headers": {"x-tokens": [CANARY]}}, "options.headers"),
        ({"retries": 3}, "options: Object contains unknown field `retries`."),
    ],
)
async def test_an_option_that_is_not_as_it_must_be(web: Bench, server: Server, given: Any, words: str) -> None:
    wanted = {"url": server.url("/"), **given} if given and "path" not in given else given
    ran = await web.tried(options(**wanted))
    assert ran.failure.code == "invalid_arguments"
    assert words in ran.failure.message
    assert server.connections == 0
    hides(ran)


@pytest.mark.parametrize("call", ["await httpRequest()", "await httpRequest('https://api.example.com')"])
async def test_a_call_that_is_none_says_how_to_call_it(web: Bench, call: str) -> None:
    failure = (await web.tried(call)).failure
    assert failure.code == "invalid_arguments"
    assert "Call it as await httpRequest({url, method?" in failure.message


@pytest.mark.parametrize(
    "url",
    [
        "ftp://files.example.com/",
        "file:///etc/passwd",
        "/v1/orders",
        "",
        "http://",
        "http://[::1",
        "http://a b.example/",
    ],
)
async def test_what_is_no_address(web: Bench, url: str) -> None:
    ran = await web.tried(options(url=url))
    assert (ran.failure.code, ran.failure.retryable) == ("invalid_address", False)
    assert "url" not in ran.entry


@pytest.mark.parametrize(
    "header", [{"x-key": f"{CANARY}\r\nHost: evil"}, {f"x {CANARY}": "1"}, {"x-key": f"{CANARY}→"}]
)
async def test_a_header_that_cannot_be_sent(web: Bench, server: Server, header: dict[str, str]) -> None:
    ran = await web.tried(options(url=server.url("/"), headers=header))
    assert (ran.failure.code, "Header 1 has characters" in ran.failure.message) == ("egress_failed", True)
    assert server.connections == 0
