"""A name is looked up once for a connection, all that it means is checked, and what was checked is connected to."""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from pulse.egress.client import HttpEgress
from pulse.egress.port import AddressRefused, Unreachable
from tests.integration.egress.conftest import Build, Names, Wire, get
from tests.integration.egress.servers import HOME, Server, by_path, head, raw, redirect, reply, serving

PUBLIC, OTHER = "93.184.216.34", "93.184.216.35"
MAPPED = str(ip_address(f"::ffff:{PUBLIC}"))


@pytest.fixture
async def public(wire: Wire) -> AsyncIterator[Server]:
    """A server that is reached at two public addresses."""
    answers = by_path(
        a=reply(body=b"public"), once=raw(head(200, "Connection: close", "Content-Length: 6") + b"public")
    )
    async with serving(answers) as server:
        wire.detours = dict.fromkeys((PUBLIC, OTHER, MAPPED), ("127.0.0.1", server.port))
        yield server


async def test_the_address_that_was_checked_is_connected_to_under_the_name_that_was_asked_for(
    build: Build, public: Server, names: Names, wire: Wire
) -> None:
    names.give("api.example", [PUBLIC], ["127.0.0.1"])
    answer = await build().send(get("http://api.example:8080/a"))
    assert (answer.status, answer.body, answer.url) == (200, b"public", "http://api.example:8080/a")
    assert wire.connected == [(PUBLIC, 8080)]
    assert names.asked == ["api.example"]
    assert public.requests[0].header("host") == "api.example:8080"


async def test_a_name_that_turns_inward_is_refused_at_its_next_connection(
    build: Build, public: Server, bird: Server, names: Names, wire: Wire
) -> None:
    names.give("turning.example", [PUBLIC], ["127.0.0.1"])
    egress = build()
    url = f"http://turning.example:{bird.port}/once"
    assert (await egress.send(get(url))).body == b"public"
    for _ in range(3):
        with pytest.raises(AddressRefused):
            await egress.send(get(url))
    assert wire.connected == [(PUBLIC, bird.port)]


async def test_a_connection_that_is_kept_leads_where_it_led_when_it_was_checked(
    build: Build, public: Server, bird: Server, names: Names, wire: Wire
) -> None:
    names.give("turning.example", [PUBLIC], ["127.0.0.1"])
    egress = build()
    for _ in range(3):
        assert (await egress.send(get(f"http://turning.example:{bird.port}/a"))).body == b"public"
    assert wire.connected == [(PUBLIC, bird.port)]
    assert {heard.connection for heard in public.requests} == {1}


async def test_another_name_for_the_same_address_is_checked_for_itself(
    build: Build, public: Server, bird: Server, names: Names, wire: Wire
) -> None:
    """Connections are kept by name: none is handed to a name that it was not checked for."""
    names.give("first.example", [PUBLIC])
    names.give("second.example", [PUBLIC])
    names.give("third.example", ["127.0.0.1"])
    egress = build()
    for name in ("first", "second"):
        await egress.send(get(f"http://{name}.example:{bird.port}/a"))
    with pytest.raises(AddressRefused):
        await egress.send(get(f"http://third.example:{bird.port}/a"))
    assert [heard.connection for heard in public.requests] == [1, 2]
    assert len(wire.connected) == 2


@pytest.mark.parametrize(
    "answers",
    [
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, OTHER, "::1"],
        [PUBLIC, "::ffff:127.0.0.1"],
        [f"::ffff:{PUBLIC}", "64:ff9b::a9fe:a9fe"],
    ],
)
async def test_one_inner_address_among_public_ones_is_enough(
    build: Build, public: Server, bird: Server, names: Names, wire: Wire, answers: list[str]
) -> None:
    names.give("mixed.example", answers)
    with pytest.raises(AddressRefused, match=r"^mixed\.example may not be reached"):
        await build().send(get(f"http://mixed.example:{bird.port}/a"))
    assert wire.connected == []


async def test_an_address_that_does_not_answer_is_left_for_the_next(
    build: Build, public: Server, names: Names, wire: Wire
) -> None:
    wire.detours[OTHER] = ("127.0.0.1", 1)
    names.give("api.example", [OTHER, MAPPED])
    assert (await build().send(get("http://api.example/a"))).body == b"public"
    assert [address for address, _ in wire.connected] == [OTHER, MAPPED]


async def test_when_no_address_answers_the_name_is_unreachable(build: Build, names: Names, wire: Wire) -> None:
    wire.detours = dict.fromkeys((PUBLIC, OTHER), ("127.0.0.1", 1))
    names.give("api.example", [PUBLIC, OTHER])
    with pytest.raises(Unreachable) as caught:
        await build().send(get("http://api.example/a"))
    assert caught.value.message == "api.example cannot be reached."
    assert caught.value.retryable


async def test_a_name_without_an_address_is_unreachable(build: Build, names: Names) -> None:
    with pytest.raises(Unreachable, match=r"^unknown\.example has no address: check the name\.$"):
        await build().send(get("http://unknown.example/"))


async def test_a_redirect_to_a_name_that_turned_inward_is_refused(
    build: Build, bird: Server, names: Names, wire: Wire
) -> None:
    async with serving(redirect(f"http://turned.example:{bird.port}/")) as server:
        wire.detours = {PUBLIC: ("127.0.0.1", server.port)}
        names.give("api.example", [PUBLIC])
        names.give("turned.example", ["127.0.0.1"])
        egress = build()
        with pytest.raises(AddressRefused, match=r"^turned\.example may not be reached"):
            await egress.send(get("http://api.example/"))
        await egress.close()
    assert [address for address, _ in wire.connected] == [PUBLIC]


async def test_an_own_listener_is_refused_whatever_is_allowed(build: Build, bird: Server, wire: Wire) -> None:
    own: list[tuple[str, int]] = [("0.0.0.0", bird.port)]
    egress = build("0.0.0.0/0,::/0,localhost", own_listeners=lambda: own)
    for host in ("127.0.0.1", "127.1", "localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "127.8.8.8"):
        with pytest.raises(AddressRefused):
            await egress.send(get(f"http://{host}:{bird.port}/"))
    assert wire.connected == []


async def test_a_redirect_to_an_own_listener_is_refused(egress: HttpEgress, build: Build, bird: Server) -> None:
    async with serving(redirect(f"http://127.0.0.1:{bird.port}/"), HOME) as server:
        guarded = build("127.0.0.0/8", own_listeners=lambda: [("127.0.0.1", bird.port)])
        with pytest.raises(AddressRefused):
            await guarded.send(get(server.url()))
        await guarded.close()
