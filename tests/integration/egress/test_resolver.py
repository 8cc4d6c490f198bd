"""The machine's own resolver: every address of a name, and nobody held up by a name server that hangs."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from pulse.egress.port import TimedOut, Unreachable
from pulse.egress.resolver import SystemResolver
from tests.integration.egress.conftest import Build, get
from tests.integration.egress.servers import HOME, reply, serving


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Looking up `hanging.example` does not end before the test does; the event tells that it has begun."""
    begun, released, look_up = threading.Event(), threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *args: int, **options: int) -> object:
        if host == "hanging.example":
            begun.set()
            released.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield begun
    monkeypatch.undo()
    released.set()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("::1", "::1"),
        ("1.1.1.1",) * 2,
    ],
)
async def test_a_numeric_form_is_read_as_the_machine_reads_it(host: str, address: str) -> None:
    resolver = SystemResolver()
    assert await resolver.resolve(host, 80) == [address]
    resolver.close()


async def test_every_address_of_a_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0), ("192.0.2.1", 80)]
    found = [(socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    resolver = SystemResolver()
    assert await resolver.resolve("api.example", 80) == ["192.0.2.1", "2001:db8::1", "192.0.2.1"]
    resolver.close()


async def test_a_name_that_is_not_known_is_unreachable(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match=r"^api\.example has no address: check the name\.$"):
        await build(resolver=None).send(get("http://api.example/"))


async def test_a_name_server_that_hangs_holds_up_nobody_else(build: Build, hanging: threading.Event) -> None:
    egress = build(HOME, resolver=None)
    async with asyncio.timeout(10), serving(reply(body=b"here"), HOME) as server:
        waiting = asyncio.create_task(egress.send(get("http://hanging.example/", timeout_ms=300)))
        await asyncio.to_thread(hanging.wait, 10)
        assert (await egress.send(get(server.url()))).body == b"here"
        with pytest.raises(TimedOut):
            await waiting
        await egress.close()
