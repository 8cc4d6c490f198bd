"""One request to a provider over HTTP, and its answer: JSON, or server-sent events. Nothing is tried again here."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from pulse.core.clock import Clock
from pulse.egress.port import Egress, EgressError, Request, Streaming
from pulse.models.port import Access, ModelFailed
from pulse.models.wire import failures
from pulse.models.wire.hiding import secrets_of
from pulse.models.wire.sse import Event, InvalidStream, events

T = TypeVar("T")

TIMEOUT_MS = 30_000
ANSWER_BYTES = 16 * 1024 * 1024
# A stream repeats its envelope with every few letters, and vectors are written in decimals.
STREAM_BYTES = 64 * 1024 * 1024
VECTORS_BYTES = 64 * 1024 * 1024
REFUSAL_BYTES = 64 * 1024
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_SENDABLE = re.compile(r"[\t\x20-\x7e]*")
# What says how a request travels is nobody's to set.
_RESERVED = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect")
)


@dataclass(frozen=True)
class Call:
    """One request: a POST of `payload` where there is one (`form` instead: as a form), a GET otherwise.

    `secrets` are hidden in what the provider says, beside those of `access`.
    """

    access: Access
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    form: bytes | None = field(default=None, repr=False)
    timeout_ms: int = TIMEOUT_MS
    max_bytes: int = ANSWER_BYTES
    secrets: Sequence[str] = field(default=(), repr=False)


class Exchange:
    """Calls to one provider. Every method raises ModelFailed and nothing else."""

    def __init__(self, provider: str, egress: Egress, clock: Clock) -> None:
        self.provider = provider
        self._egress = egress
        self._clock = clock

    async def answer(self, call: Call, shape: type[T]) -> T:
        """The answer as `shape` (a msgspec Struct)."""
        with self._translated():
            reply = await self._egress.send(self._request(call))
        if reply.status != 200:
            raise self._refused(call, reply.status, dict(reply.headers), reply.body)
        return self.read(reply.body, shape)

    async def events(self, call: Call) -> AsyncGenerator[Event, None]:
        """The events of a streamed answer, to the end of the body: whether that was all, its reader knows."""
        with self._translated():
            async with aclosing(self._events(call)) as found:
                async for event in found:
                    yield event

    async def _events(self, call: Call) -> AsyncGenerator[Event, None]:
        async with self._egress.stream(self._request(call)) as streaming:
            await self._require_events(call, streaming)
            async with aclosing(events(streaming.body)) as found:
                async for event in found:
                    yield event

    def read(self, text: str | bytes, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(text, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self.bad_answer() from None

    def bad_answer(self) -> ModelFailed:
        return failures.failed("bad_answer", self.provider)

    def reported(self, call: Call, error: Any) -> ModelFailed:
        """The failure that an event of the stream tells."""
        return failures.of_event(self.provider, error, secrets=_secrets(call))

    def _request(self, call: Call) -> Request:
        headers = self._headers(call)
        body = call.form if call.form is not None else self._encoded(call.payload)
        return Request(
            "POST" if body else "GET",
            call.url,
            tuple(headers.items()),
            body,
            timeout_ms=call.timeout_ms,
            max_bytes=call.max_bytes,
            follow_redirects=False,
            credentials=frozenset(headers),
        )

    def _encoded(self, payload: Mapping[str, Any] | None) -> bytes:
        try:
            return b"" if payload is None else msgspec.json.encode(payload)
        except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
            words = f"The prompt for {self.provider} has something that JSON in UTF-8 cannot carry."
            raise ModelFailed("invalid_request", words) from None

    def _headers(self, call: Call) -> dict[str, str]:
        """What the provider wants, then what the credential adds or says otherwise."""
        kind = "application/x-www-form-urlencoded" if call.form is not None else "application/json"
        given = {**call.headers, **call.access.headers}
        headers = {"content-type": kind} | {name.lower(): value for name, value in given.items()}
        for name, value in headers.items():
            if name in _RESERVED or not _NAME.fullmatch(name) or not _SENDABLE.fullmatch(value):
                words = f"The header {name[:40]!r} cannot be sent to {self.provider}: check the credential."
                raise ModelFailed("invalid_request", words)
        return headers

    def _refused(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> ModelFailed:
        now = self._clock.now_ms()
        return failures.of_reply(self.provider, status, headers, body, secrets=_secrets(call), now_ms=now)

    async def _require_events(self, call: Call, streaming: Streaming) -> None:
        headers = dict(streaming.headers)
        if streaming.status != 200:
            raise self._refused(call, streaming.status, headers, await _beginning(streaming.body))
        if not headers.get("content-type", "").lower().startswith("text/event-stream"):
            raise self.bad_answer()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except EgressError as error:
            raise failures.of_egress(error, self.provider) from None
        except InvalidStream:
            raise self.bad_answer() from None


def _secrets(call: Call) -> Sequence[str]:
    return (*call.secrets, *secrets_of(call.access))


async def _beginning(body: AsyncIterator[bytes]) -> bytes:
    """As much of an error as anybody reads. Where it breaks off, the status has said enough."""
    found = bytearray()
    try:
        async for chunk in body:
            found += chunk
            if len(found) >= REFUSAL_BYTES:
                break
    except EgressError:
        pass
    return bytes(found[:REFUSAL_BYTES])
