"""Redirects are followed a few times, each checked like a first request, and credentials stay where they belong."""

import pytest

from pulse.egress.client import HttpEgress
from pulse.egress.port import AddressRefused, InvalidAddress, Request, TooManyRedirects
from tests.integration.egress.conftest import Build, Names, Wire, get
from tests.integration.egress.servers import HOME, Server, by_path, head, raw, redirect, reply, serving
from tests.unit.egress.forms import LOOPBACK

SECRETS = (
    ("Authorization", "Bearer sk-live-1"),
    ("Cookie", "session=1"),
    ("X-Api-Key", "sk-live-2"),
    ("X-Tag", "kept"),
)


def signed(method: str, url: str, body: bytes = b"") -> Request:
    return Request(method, url, SECRETS, body, credentials=frozenset(("x-api-key",)))


def secrets(server: Server) -> set[str]:
    return {name for heard in server.requests for name, _ in heard.headers} & {name.lower() for name, _ in SECRETS}


@pytest.mark.parametrize("host", [*LOOPBACK[:24], "[::1]", "[::ffff:127.0.0.1]", "localhost", "169.254.169.254", "0"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_an_inner_address_is_refused(
    egress: HttpEgress, bird: Server, wire: Wire, host: str, status: int
) -> None:
    async with serving(redirect(f"http://{host}:{bird.port}/", status), HOME) as server:
        with pytest.raises((AddressRefused, InvalidAddress)):
            await egress.send(get(server.url()))
        await egress.close()
    assert [address for address, _ in wire.connected if address != HOME] == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://192.0.2.1/", "ftp://192.0.2.1/", "http://a@b/"])
async def test_a_redirect_to_what_is_not_http_is_refused(egress: HttpEgress, location: str) -> None:
    async with serving(redirect(location), HOME) as server:
        with pytest.raises(InvalidAddress):
            await egress.send(get(server.url()))
        await egress.close()


async def test_a_chain_is_followed_to_its_end(egress: HttpEgress) -> None:
    answers = by_path(a=redirect("/b"), b=redirect("c", 301), c=redirect("/d?x=1#top", 307), d=reply(body=b"end"))
    async with serving(answers, HOME) as server:
        answer = await egress.send(get(server.url("/a")))
        await egress.close()
    assert (answer.status, answer.body, answer.url) == (200, b"end", server.url("/d?x=1"))
    assert [heard.path for heard in server.requests] == ["/a", "/b", "/c", "/d?x=1"]


async def test_a_chain_that_is_too_long_is_left(egress: HttpEgress) -> None:
    async with serving(redirect("/again"), HOME) as server:
        with pytest.raises(TooManyRedirects, match=r"more than 3 redirects"):
            await egress.send(get(server.url()))
        await egress.close()
    assert len(server.requests) == 4


async def test_a_redirect_is_an_answer_where_none_is_to_be_followed(egress: HttpEgress) -> None:
    async with serving(redirect("http://127.0.0.1/"), HOME) as server:
        answer = await egress.send(get(server.url(), follow_redirects=False))
        assert (answer.status, answer.body, answer.header("location")) == (302, b"moved", "http://127.0.0.1/")
        async with egress.stream(get(server.url())) as streamed:
            assert streamed.status == 302
            assert [piece async for piece in streamed.body] == [b"moved"]
        await egress.close()


async def test_a_redirect_that_names_no_place_is_an_answer(egress: HttpEgress) -> None:
    async with serving(raw(head(302, "Content-Length: 4") + b"what"), HOME) as server:
        answer = await egress.send(get(server.url()))
        await egress.close()
    assert (answer.status, answer.body) == (302, b"what")


async def test_credentials_do_not_go_to_another_port(egress: HttpEgress) -> None:
    async with (
        serving(reply(), HOME) as other,
        serving(redirect(other.url("/x"), 307), HOME) as server,
    ):
        await egress.send(signed("POST", server.url(), b"{}"))
        await egress.close()
    assert secrets(server) == {"authorization", "cookie", "x-api-key", "x-tag"}
    assert secrets(other) == {"x-tag"}
    assert [(heard.method, heard.body) for heard in other.requests] == [("POST", b"{}")]


async def test_credentials_do_not_go_to_another_name_for_the_same_server(build: Build, names: Names) -> None:
    for name in ("api.example", "evil.example"):
        names.give(name, [HOME])
    egress = build(HOME)
    async with serving(reply(body=b"end"), HOME) as server:
        async with serving(redirect(server.url("/b", host="evil.example")), HOME) as redirecting:
            answer = await egress.send(signed("GET", redirecting.url("/a", host="api.example")))
        await egress.close()
    assert answer.url == server.url("/b", host="evil.example")
    assert secrets(server) == {"x-tag"}
    assert server.requests[0].header("host") == f"evil.example:{server.port}"


async def test_credentials_stay_on_the_way_within_one_origin(egress: HttpEgress) -> None:
    async with serving(by_path(a=redirect("/b"), b=reply()), HOME) as server:
        await egress.send(signed("GET", server.url("/a")))
        await egress.close()
    assert server.requests[1].header("authorization") == "Bearer sk-live-1"
    assert server.requests[1].header("cookie") == "session=1"
    assert server.requests[1].header("x-api-key") == "sk-live-2"


@pytest.mark.parametrize(("status", "method", "body"), [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"{}")])
async def test_the_method_and_the_body_are_what_the_status_makes_of_them(
    egress: HttpEgress, status: int, method: str, body: bytes
) -> None:
    async with serving(by_path(a=redirect("/b", status), b=reply()), HOME) as server:
        await egress.send(Request("POST", server.url("/a"), (("Content-Type", "application/json"),), b"{}"))
        await egress.close()
    last = server.requests[-1]
    assert (last.method, last.body) == (method, body)
    assert (last.header("content-length"), last.header("content-type")) == (
        ("2", "application/json") if body else (None, None)
    )
