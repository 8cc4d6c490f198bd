"""Requests over the network: one pool of connections for the whole process, each opened to a checked address.

Nothing is taken from the environment (no proxy, no `.netrc`), and nothing is kept from one request to the next: no
cookies, no redirects, no credentials. TLS proves the name that was asked for, whatever address it led to.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import cached_property

import h11
import httpcore2
import httpx2

from pulse.egress.allow import Allowed
from pulse.egress.answer import Answer, headers_too_large
from pulse.egress.hop import Hop, first_hop
from pulse.egress.listeners import Listener
from pulse.egress.network import CheckedNetwork
from pulse.egress.port import (
    MAX_REDIRECTS,
    EgressError,
    Reply,
    Request,
    Streaming,
    TimedOut,
    TooManyRedirects,
    Unreachable,
)
from pulse.egress.resolver import Resolver, SystemResolver
from pulse.egress.rules import Rules
from pulse.egress.target import Target

CONNECTIONS = 256
IDLE_CONNECTIONS = 32
IDLE_S = 15.0


class HttpEgress:
    """HTTP/1.1 to public addresses, and to what `allowed` lists; implements `Egress`.

    `own_listeners` gives the (host, port) pairs on which Pulse itself listens just now: those are never reached. `tls`
    decides which certificates are trusted (default: the machine's). Beyond `connections` at once, requests wait.
    """

    def __init__(
        self,
        allowed: Allowed | None = None,
        *,
        own_listeners: Callable[[], Iterable[Listener]] = tuple,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        self._closed = False
        self._resolver = resolver or SystemResolver()
        self._network = CheckedNetwork(self._resolver, Rules(allowed or Allowed(), own_listeners))
        self._tls = tls
        self._connections = connections

    @cached_property
    def _pool(self) -> httpcore2.AsyncConnectionPool:
        """Made with the first request: to read the machine's certificates takes longer than all the rest of a start."""
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls or httpx2.create_ssl_context(trust_env=False),
            max_connections=self._connections,
            max_keepalive_connections=min(IDLE_CONNECTIONS, self._connections),
            keepalive_expiry=IDLE_S,
            network_backend=self._network,
        )

    async def send(self, request: Request) -> Reply:
        began = time.monotonic()
        hop = first_hop(request)
        async with _until(_deadline(request), hop, request):
            answered, answer, body = await self._followed(hop, request)
        elapsed_ms = round((time.monotonic() - began) * 1000)
        return Reply(answer.status, answer.headers, body, answered.url, elapsed_ms)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Streaming]:
        deadline = _deadline(request)
        hop = first_hop(request)
        response = None
        try:
            async with _until(deadline, hop, request):
                response = await self._asked(hop)
            answer = Answer(hop.target.host, hop.method, response, request.max_bytes)
            async with aclosing(answer.pieces()) as pieces, aclosing(_timed(pieces, deadline, hop, request)) as body:
                yield Streaming(answer.status, answer.headers, body, hop.target.url)
        finally:
            if response is not None:
                await response.aclose()

    async def close(self) -> None:
        self._closed = True
        self._resolver.close()
        if "_pool" in vars(self):
            await self._pool.aclose()

    async def _followed(self, hop: Hop, request: Request) -> tuple[Target, Answer, bytes]:
        """The last answer of a chain of redirects."""
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._asked(hop)
            try:
                answer = Answer(hop.target.host, hop.method, response, request.max_bytes)
                moved = hop.redirected(answer.status, answer.header("location")) if request.follow_redirects else None
                if moved is None:
                    return hop.target, answer, await _whole(answer, hop.target.host)
            finally:
                await response.aclose()
            hop = moved
        raise TooManyRedirects(
            f"{hop.target.host} was reached by more than {MAX_REDIRECTS} redirects: ask it directly."
        )

    async def _asked(self, hop: Hop) -> httpcore2.Response:
        """The response to one request; its body is still to come."""
        if self._closed:
            raise Unreachable("Pulse is stopping, and sends no more requests: try again when it is back.")
        target = hop.target
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        with _failures(target.host):
            return await self._pool.handle_async_request(
                httpcore2.Request(hop.method, url, headers=hop.wire_headers(), content=hop.body)
            )


async def _whole(answer: Answer, host: str) -> bytes:
    with _failures(host):
        async with aclosing(answer.pieces()) as pieces:
            return b"".join([piece async for piece in pieces])


async def _timed(pieces: AsyncGenerator[bytes], deadline: float, hop: Hop, request: Request) -> AsyncGenerator[bytes]:
    while True:
        async with _until(deadline, hop, request):
            with _failures(hop.target.host):
                piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


def _deadline(request: Request) -> float:
    return asyncio.get_running_loop().time() + request.timeout_ms / 1000


@asynccontextmanager
async def _until(deadline: float, hop: Hop, request: Request) -> AsyncIterator[None]:
    """Raises TimedOut at the deadline, and at once where that is past: what is there already would need no waiting."""
    try:
        if asyncio.get_running_loop().time() >= deadline:
            raise TimeoutError
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        raise TimedOut(f"{hop.target.host} did not answer in full within {request.timeout_ms:,} ms.") from None


@contextmanager
def _failures(host: str) -> Iterator[None]:
    """Tells the library's errors in words of our own: its own may hold the address that was connected to."""
    try:
        yield
    except httpcore2.TimeoutException:
        raise TimedOut(f"{host} did not answer in time.") from None
    except httpcore2.ConnectError as error:
        raise _not_connected(host, *error.args) from None
    except httpcore2.NetworkError:
        raise Unreachable(f"{host} ended the connection before its answer was complete.") from None
    except httpcore2.ProtocolError as error:
        raise _not_understood(host, *error.args) from None


def _not_connected(host: str, cause: object = None) -> EgressError:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return EgressError(f"{host} has no certificate that is trusted here: {cause.verify_message}.")
    if isinstance(cause, ssl.SSLError):
        return EgressError(f"{host} and Pulse found no way to speak TLS with each other.")
    return Unreachable(f"{host} cannot be reached.")


def _not_understood(host: str, cause: object = None) -> EgressError:
    if isinstance(cause, h11.RemoteProtocolError) and cause.error_status_hint == 431:
        return headers_too_large(host)
    return Unreachable(f"{host} ended the connection before its answer was complete, or does not speak HTTP/1.1.")
