"""A way out to servers on loopback: what `egress` promises, without its checks of addresses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from pulse.egress.port import AnswerTooLarge, EgressError, Reply, Request, Streaming, TimedOut, Unreachable


class WayOut:
    """Implements `Egress`. `refused`: raised in place of every request."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(trust_env=False, verify=False)
        self.sent: list[Request] = []
        self.refused: EgressError | None = None

    async def send(self, request: Request) -> Reply:
        async with self.stream(request) as streaming:
            body = b"".join([chunk async for chunk in streaming.body])
        return Reply(streaming.status, streaming.headers, body, request.url)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Streaming]:
        self.sent.append(request)
        if self.refused is not None:
            raise self.refused
        try:
            response = await self._opened(request)
        except TimeoutError:
            raise TimedOut from None
        except httpx2.TransportError as error:
            raise _translated(error) from None
        try:
            headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
            yield Streaming(response.status_code, headers, _body(response, request.max_bytes), request.url)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()

    async def _opened(self, request: Request) -> httpx2.Response:
        seconds = request.timeout_ms / 1000
        built = self._client.build_request(
            request.method, request.url, headers=list(request.headers), content=request.body, timeout=seconds
        )
        async with asyncio.timeout(seconds):
            return await self._client.send(built, stream=True)


async def _body(response: httpx2.Response, most: int) -> AsyncIterator[bytes]:
    size = 0
    try:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > most:
                raise AnswerTooLarge
            yield chunk
    except httpx2.TransportError as error:
        raise _translated(error) from None


def _translated(error: httpx2.TransportError) -> EgressError:
    return TimedOut() if isinstance(error, httpx2.TimeoutException) else Unreachable()
