"""Anthropic's Messages. A schema goes out as `output_config.format`, which every model since Claude 4.5 takes.

Sent under version 2023-06-01, the one in which a model that still takes a temperature may be given one; `headers` of
the access may say another. Reference: https://platform.claude.com/docs/en/api/messages.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from pulse.core.clock import Clock
from pulse.egress.port import Egress
from pulse.models.port import Access, Completion, Delta, Embeddings, Image, Prompt, Usage
from pulse.models.wire.answering import Gathering, Stop, no_embeddings
from pulse.models.wire.asking import (
    address_of,
    base64_of,
    closed,
    images_of,
    schema_of,
    system_of,
    temperature_of,
    text_of,
    without_nones,
)
from pulse.models.wire.exchange import ANSWER_BYTES, STREAM_BYTES, TIMEOUT_MS, Call, Exchange

BASE_URL = "https://api.anthropic.com/v1"
VERSION = "2023-06-01"
# The provider wants a limit; this is what configurations of Pulse have unless they say otherwise.
MAX_TOKENS = 4096

STOPS: Mapping[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "filtered",
}


class _Tokens(msgspec.Struct):
    """In a stream the first event counts what goes in, a later one what comes out."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Block(msgspec.Struct):
    """Thinking is a block too, and has no text."""

    type: str
    text: str = ""


class _Message(msgspec.Struct):
    content: list[_Block]
    model: str = ""
    stop_reason: str | None = None
    usage: _Tokens = msgspec.field(default_factory=_Tokens)


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Message | None = None
    delta: _Delta | None = None
    usage: _Tokens | None = None
    error: Any = None


class _Listing(msgspec.Struct):
    data: list[Any]


class AnthropicModels:
    """Models behind Messages; implements `Models`."""

    def __init__(self, egress: Egress, clock: Clock, *, base_url: str = BASE_URL) -> None:
        self._exchange = Exchange("Anthropic", egress, clock)
        self._base_url = base_url

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        message = await self._exchange.answer(self._call(access, prompt), _Message)
        text = [block.text for block in message.content if block.type == "text"]
        stop = STOPS.get(message.stop_reason or "", "other")
        model = message.model or prompt.model
        return Gathering("Anthropic", model, text, usage_of(message.usage), stop).completion()

    async def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        call, gathering = self._call(access, prompt, streamed=True), Gathering("Anthropic", prompt.model)
        tokens = _Tokens()
        async with aclosing(self._exchange.events(call)) as events:
            async for event in events:
                found = self._exchange.read(event.data, _Event)
                if found.type == "error":
                    raise self._exchange.reported(call, found.error)
                if found.type == "message_stop":
                    gathering.usage = usage_of(tokens)
                    yield Delta(completion=gathering.completion())
                    return
                if text := _take(found, gathering, tokens):
                    yield Delta(text)
        gathering.stop = None  # a reason to stop, but no end: what came may not be all
        gathering.completion()

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        raise no_embeddings("Anthropic")

    async def check(self, access: Access) -> None:
        """GET /models, of which one is enough."""
        await self._exchange.answer(self._request(access, "/models?limit=1", {}, None), _Listing)

    def _call(self, access: Access, prompt: Prompt, *, streamed: bool = False) -> Call:
        payload = _payload(prompt) | ({"stream": True} if streamed else {})
        key = {"idempotency-key": prompt.key} if prompt.key is not None else {}
        most = STREAM_BYTES if streamed else ANSWER_BYTES
        return self._request(access, "/messages", key, payload, timeout_ms=prompt.timeout_ms, max_bytes=most)

    def _request(
        self,
        access: Access,
        path: str,
        headers: Mapping[str, str],
        payload: Mapping[str, Any] | None,
        *,
        timeout_ms: int = TIMEOUT_MS,
        max_bytes: int = ANSWER_BYTES,
    ) -> Call:
        url = (access.base_url or self._base_url).rstrip("/") + path
        proof = {"x-api-key": access.api_key} if access.api_key else {}
        sent = {"anthropic-version": VERSION, **proof, **headers}
        return Call(access, url, sent, payload, timeout_ms=timeout_ms, max_bytes=max_bytes)


def usage_of(tokens: _Tokens) -> Usage:
    """What went in with what came from the cache and went into it, which the provider counts apart."""
    cached = tokens.cache_read_input_tokens or 0
    fresh = (tokens.input_tokens or 0) + (tokens.cache_creation_input_tokens or 0)
    return Usage(fresh + cached, tokens.output_tokens or 0, cached)


def _take(event: _Event, gathering: Gathering, tokens: _Tokens) -> str:
    """Takes in one event; the text that it adds. Events of an unknown type say nothing."""
    if event.type == "message_start" and event.message is not None:
        gathering.model = event.message.model or gathering.model
        _count(tokens, event.message.usage)
    if event.type == "message_delta":
        _count(tokens, event.usage)
        if event.delta is not None and event.delta.stop_reason is not None:
            gathering.stop = STOPS.get(event.delta.stop_reason, "other")
    if event.type == "content_block_delta" and event.delta is not None and event.delta.type == "text_delta":
        gathering.text.append(event.delta.text)
        return event.delta.text
    return ""


def _count(tokens: _Tokens, counted: _Tokens | None) -> None:
    """Counts are running totals: a later one takes the place of an earlier."""
    for name in _Tokens.__struct_fields__:
        value = getattr(counted, name, None)
        if value is not None:
            setattr(tokens, name, value)


def _payload(prompt: Prompt) -> dict[str, Any]:
    schema = schema_of(prompt)
    fitting = closed(schema) if schema is not None else None
    return without_nones(
        model=prompt.model,
        max_tokens=prompt.max_tokens if prompt.max_tokens is not None else MAX_TOKENS,
        system=system_of(prompt),
        messages=[{"role": "user", "content": _content(prompt, schema_sent=fitting is not None)}],
        temperature=temperature_of(prompt, most=1.0),
        output_config={"format": {"type": "json_schema", "schema": fitting}} if fitting is not None else None,
    )


def _content(prompt: Prompt, *, schema_sent: bool) -> list[dict[str, Any]]:
    """Pictures first: the provider says that the model reads them better so."""
    pictures: list[dict[str, Any]] = [{"type": "image", "source": _source(image)} for image in images_of(prompt)]
    return [*pictures, {"type": "text", "text": text_of(prompt, schema_sent=schema_sent)}]


def _source(image: Image) -> dict[str, str]:
    if image.data is None:
        return {"type": "url", "url": address_of(image)}
    return {"type": "base64", "media_type": image.media_type, "data": base64_of(image, "Anthropic")}
