"""Requests to other people's servers, as the rest of Pulse makes them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from pulse.core.errors import PulseError

TIMEOUT_MS = 30_000
MAX_BYTES = 4 * 1024 * 1024
MAX_REDIRECTS = 3


class EgressError(PulseError):
    """The request came to nothing. `retryable`: the same request may succeed later."""

    code = "egress_failed"
    retryable = False


class AddressRefused(EgressError):
    """That address may not be reached from here."""

    code = "address_refused"


class InvalidAddress(EgressError):
    """That is not an address of http or https."""

    code = "invalid_address"


class Unreachable(EgressError):
    """The server cannot be reached, or ended the connection."""

    code = "unreachable"
    retryable = True


class TimedOut(EgressError):
    """The server did not answer in time."""

    code = "timeout"
    retryable = True


class AnswerTooLarge(EgressError):
    """The server answered with more than is taken in."""

    code = "answer_too_large"


class TooManyRedirects(EgressError):
    """The server redirected too often."""

    code = "too_many_redirects"


@dataclass(frozen=True)
class Request:
    """One request. `headers` are pairs in order; `timeout_ms` bounds the whole exchange, redirects included.

    `credentials` names the headers (lower case) that go to no other origin, beside `authorization` and `cookie`.
    """

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    timeout_ms: int = TIMEOUT_MS
    max_bytes: int = MAX_BYTES
    follow_redirects: bool = True
    credentials: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reply:
    """What the server answered: `headers` with names in lower case, `body` decompressed, `url` of the last request."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    url: str
    elapsed_ms: int = 0

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case)."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Streaming:
    """A reply whose body arrives piece by piece; `body` ends with an EgressError where it breaks off."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes] = field(repr=False)
    url: str = ""


class Egress(Protocol):
    """Sends requests; every address that is connected to has been checked first.

    No error tells more of the inner network than the name that was asked for, and none repeats a header or the body.
    """

    async def send(self, request: Request) -> Reply:
        """The whole reply, whatever its status. Raises EgressError."""
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[Streaming]:
        """The reply as it arrives, `max_bytes` in all. Entering raises EgressError. Redirects are not followed."""
        ...

    async def close(self) -> None:
        """Ends what is open."""
        ...
