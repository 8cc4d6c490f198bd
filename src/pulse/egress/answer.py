"""What comes back from a server, taken in within the limits."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import httpcore2

from pulse.egress.inflating import Broken, Inflation, inflation
from pulse.egress.port import AnswerTooLarge, EgressError

MAX_HEADER_BYTES = 64 * 1024
_FRAMES = 64 * 1024
"""What a coding may add to a body that it cannot make smaller."""


class Answer:
    """A reply whose headers are here. `headers` have names in lower case; those that describe a compression that is
    undone are left out."""

    def __init__(self, host: str, method: str, response: httpcore2.Response, max_bytes: int) -> None:
        self._host = host
        self._response = response
        self._max_bytes = max_bytes
        self.status = response.status
        headers = _decoded(host, response.headers)
        self._inflation = None if method == "HEAD" else self._undone(headers)
        gone = {"content-encoding", "content-length"} if self._inflation else set()
        self.headers = tuple((name, value) for name, value in headers if name not in gone)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body, decompressed. Raises AnswerTooLarge, EgressError, and httpcore2's errors."""
        received, given = 0, 0
        async with aclosing(self._response.aiter_stream()) as arriving:
            async for data in arriving:
                received += len(data)
                self._hold(received, given)
                for piece in self._inflated(data):
                    given += len(piece)
                    self._hold(received, given)
                    yield piece
        self._finish()

    def _hold(self, received: int, given: int) -> None:
        if given > self._max_bytes or received > self._max_bytes + _FRAMES:
            raise AnswerTooLarge(f"{self._host} answered with more than {self._max_bytes:,} bytes.")

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        if self._inflation is None:
            yield data
            return
        try:
            yield from self._inflation.pieces(data)
        except Broken:
            raise self._unreadable() from None

    def _finish(self) -> None:
        try:
            if self._inflation is not None:
                self._inflation.finish()
        except Broken:
            raise self._unreadable() from None

    def _undone(self, headers: list[tuple[str, str]]) -> Inflation | None:
        try:
            return inflation(",".join(value for name, value in headers if name == "content-encoding"))
        except Broken:
            raise self._unreadable() from None

    def _unreadable(self) -> EgressError:
        return EgressError(f"{self._host} answered with a body that cannot be decompressed.")


def _decoded(host: str, raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    if sum(len(name) + len(value) for name, value in raw) > MAX_HEADER_BYTES:
        raise headers_too_large(host)
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]


def headers_too_large(host: str) -> AnswerTooLarge:
    return AnswerTooLarge(f"{host} answered with more than {MAX_HEADER_BYTES:,} bytes of headers.")
