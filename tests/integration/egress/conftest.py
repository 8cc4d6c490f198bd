"""An egress with a resolver that tests can turn, a canary that must hear nothing, and a record of all connections."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_address
from typing import Any

import httpcore2
import pytest

from pulse.egress.allow import parse_allowed
from pulse.egress.client import HttpEgress
from pulse.egress.port import Request
from tests.integration.egress.servers import HOME, Server, canary

Build = Callable[..., HttpEgress]


class Names:
    """A resolver: names have the addresses they are given, one list for each time they are asked for.

    The last list stays. What is not given is a numeric form or `localhost`, and read as the machine reads it.
    """

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name: list(lists) for name, lists in answers.items()}
        self.asked: list[str] = []

    def give(self, name: str, *lists: Sequence[str]) -> None:
        self.answers[name] = list(lists)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if lists := self.answers.get(host):
            return lists.pop(0) if len(lists) > 1 else lists[0]
        if host == "localhost":
            return ["127.0.0.1", "::1"]
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        """There is nothing to end."""


class Wire:
    """What was connected to, as (address, port); `detours` lead addresses that are not here to servers that are."""

    def __init__(self) -> None:
        self.connected: list[tuple[str, int]] = []
        self.detours: dict[str, tuple[str, int]] = {}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made, connect = Wire(), httpcore2.AnyIOBackend.connect_tcp

    async def recorded(backend: Any, host: str, port: int, *args: Any, **options: Any) -> Any:
        made.connected.append((host, port))
        host, port = made.detours.get(host, (host, port))
        if not ip_address(host).is_loopback:
            raise httpcore2.ConnectError("no test leaves this machine")
        return await connect(backend, host, port, *args, **options)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", recorded)
    return made


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    """Trusts nobody, and is made once: to read the machine's certificates takes longer than most tests."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
async def build(names: Names, trust: ssl.SSLContext) -> AsyncIterator[Build]:
    """Makes an egress that is closed when the test ends: `build("127.0.0.1", own_listeners=…)`."""
    async with AsyncExitStack() as stack:

        def make(allow: str = "", **options: Any) -> HttpEgress:
            made = HttpEgress(parse_allowed(allow), **{"resolver": names, "tls": trust, **options})
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.fixture
async def bird() -> AsyncIterator[Server]:
    """The canary: no test may leave it having heard anything."""
    async with canary() as server:
        yield server
        assert server.connections == 0


@pytest.fixture
async def egress(build: Build) -> HttpEgress:
    """An egress that may reach the tests' servers, which are on 127.9.8.7; the canary, elsewhere, is out of bounds."""
    return build(HOME)


def get(url: str, **options: Any) -> Request:
    return Request("GET", url, **options)
