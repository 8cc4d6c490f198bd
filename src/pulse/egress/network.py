"""The one place where a connection is made: the name is looked up once, and what is connected to has been checked.

The pool above keeps connections by scheme, name and port. It opens each of them here, so a connection that is used
again leads to an address that was checked when it was opened, whatever the name has come to mean since.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2

from pulse.egress.addresses import Address
from pulse.egress.port import Unreachable
from pulse.egress.resolver import Resolver
from pulse.egress.rules import Rules

ATTEMPTS = 6
ATTEMPT_S = 3.0
"""An address that does not answer is left for the next; the last one may take all the time that is left."""


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Opens connections to checked addresses only. Errors are EgressErrors, or httpcore2's."""

    def __init__(self, resolver: Resolver, rules: Rules) -> None:
        self._resolver = resolver
        self._rules = rules
        self._wire = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  it is the interface; the exchange has its own deadline
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = self._rules.checked(host, port, await self._looked_up(host, port))
        return Connection(await self._first_that_answers(addresses, port))

    async def _looked_up(self, host: str, port: int) -> list[str]:
        try:
            return list(await self._resolver.resolve(host, port))
        except (OSError, UnicodeError):
            raise Unreachable(f"{host} has no address: check the name.") from None

    async def _first_that_answers(self, addresses: list[Address], port: int) -> httpcore2.AsyncNetworkStream:
        *others, last = map(str, addresses[:ATTEMPTS])
        for address in others:
            try:
                return await self._wire.connect_tcp(address, port, timeout=ATTEMPT_S)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._wire.connect_tcp(last, port)


class Connection(httpcore2.AsyncNetworkStream):
    """A connection that is closed, too, when TLS is given up half-way: the one below closes only on an error."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as above
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  as above
        await self._stream.write(buffer, timeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  as above
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self._stream.aclose()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
