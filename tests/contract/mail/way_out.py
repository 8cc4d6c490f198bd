"""A way out to servers of tests on this machine, which checks no address."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from pulse.egress.port import AnswerTooLarge, Reply, Request, Streaming, TimedOut, Unreachable


class UncheckedEgress:
    """Sends whatever it is given; implements `Egress`."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(trust_env=False)

    async def send(self, request: Request) -> Reply:
        began = time.monotonic()
        try:
            answer = await self._client.request(
                request.method,
                request.url,
                headers=list(request.headers),
                content=request.body,
                timeout=request.timeout_ms / 1000,
                follow_redirects=request.follow_redirects,
            )
        except httpx2.TimeoutException as error:
            raise TimedOut from error
        except httpx2.TransportError as error:
            raise Unreachable from error
        if len(answer.content) > request.max_bytes:
            raise AnswerTooLarge
        headers = [(name.lower(), value) for name, value in answer.headers.multi_items()]
        elapsed_ms = round((time.monotonic() - began) * 1000)
        return Reply(answer.status_code, headers, answer.content, str(answer.url), elapsed_ms)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Streaming]:
        reply = await self.send(request)
        yield Streaming(reply.status, reply.headers, _pieces(reply.body), reply.url)

    async def close(self) -> None:
        await self._client.aclose()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body
