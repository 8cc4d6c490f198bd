"""Chat Completions: OpenAI, xAI, and every server that speaks the same at a base URL of its own.

Reference: https://platform.openai.com/docs/api-reference/chat.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from pulse.core.clock import Clock
from pulse.egress.port import Egress
from pulse.models.port import Access, Completion, Delta, Embeddings, Prompt, Usage
from pulse.models.wire.answering import Gathering, Stop
from pulse.models.wire.asking import (
    data_url,
    images_of,
    schema_of,
    system_of,
    temperature_of,
    text_of,
    without_nones,
)
from pulse.models.wire.exchange import STREAM_BYTES, Call
from pulse.models.wire.failures import failed
from pulse.models.wire.openai import BASE_URL, OpenAIExchange, Servers, host_of, schema_format

STOPS: Mapping[str, Stop] = {"stop": "end", "length": "length", "content_filter": "filtered"}
# These take `max_completion_tokens` only, for some of their models; other servers may know `max_tokens` only.
_NEW_LIMIT = ("openai.com", "openai.azure.com", "x.ai")


class _Details(msgspec.Struct):
    cached_tokens: int | None = 0


class _Tokens(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    delta: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    """A completion, or one chunk of it."""

    choices: list[_Choice]
    model: str = ""
    usage: _Tokens | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    model: str = ""
    usage: _Tokens | None = None
    error: Any = None


class OpenAIModels:
    """Models behind Chat Completions, at `base_url` unless an access names another server; implements `Models`."""

    def __init__(self, egress: Egress, clock: Clock, *, base_url: str = BASE_URL) -> None:
        self._servers = Servers(egress, clock, base_url)

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        server = self._servers.of(access)
        answer = await server.answer(_call(server, access, prompt), _Answer)
        if not answer.choices:
            raise server.bad_answer()
        choice, gathering = answer.choices[0], Gathering(server.provider, prompt.model)
        _take(gathering, choice, choice.message)
        _note(gathering, answer.model, answer.usage)
        return gathering.completion()

    async def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        server = self._servers.of(access)
        call, gathering = _call(server, access, prompt, streamed=True), Gathering(server.provider, prompt.model)
        async with aclosing(server.events(call)) as events:
            async for event in events:
                if event.data == "[DONE]":
                    break
                for text in _taken(server, call, gathering, event.data):
                    yield Delta(text)
        yield Delta(completion=gathering.completion())

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        return await self._servers.of(access).embed(access, model, texts)

    async def check(self, access: Access) -> None:
        await self._servers.of(access).check(access)


def _call(server: OpenAIExchange, access: Access, prompt: Prompt, *, streamed: bool = False) -> Call:
    path = "/chat/completions"
    payload = _payload(prompt, limit=limit_field(server.url(path)))
    if not streamed:
        return server.call(access, path, payload, timeout_ms=prompt.timeout_ms, key=prompt.key)
    payload |= {"stream": True, "stream_options": {"include_usage": True}}
    options = {"timeout_ms": prompt.timeout_ms, "max_bytes": STREAM_BYTES, "key": prompt.key}
    return server.call(access, path, payload, **options)


def _taken(server: OpenAIExchange, call: Call, gathering: Gathering, data: str) -> list[str]:
    """The new text of one chunk. The last chunk has the usage, and no choices."""
    chunk = server.read(data, _Chunk)
    if chunk.error is not None:
        raise server.reported(call, chunk.error)
    _note(gathering, chunk.model, chunk.usage)
    before = len(gathering.text)
    for choice in chunk.choices[:1]:
        _take(gathering, choice, choice.delta)
    return gathering.text[before:]


def _take(gathering: Gathering, choice: _Choice, message: _Message) -> None:
    if message.refusal:
        raise failed("content_filtered", gathering.provider, message.refusal)
    if message.content:
        gathering.text.append(message.content)
    if choice.finish_reason:
        gathering.stop = STOPS.get(choice.finish_reason, "other")


def _note(gathering: Gathering, model: str, tokens: _Tokens | None) -> None:
    gathering.model = model or gathering.model
    if tokens is not None:
        gathering.usage = usage_of(tokens)


def limit_field(url: str) -> str:
    """What the limit of tokens is called there."""
    host = host_of(url)
    known = any(host == name or host.endswith(f".{name}") for name in _NEW_LIMIT)
    return "max_completion_tokens" if known else "max_tokens"


def usage_of(tokens: _Tokens) -> Usage:
    """The tokens that are paid for. xAI counts those of reasoning in the total only."""
    written = max(tokens.completion_tokens, tokens.total_tokens - tokens.prompt_tokens)
    details = tokens.prompt_tokens_details
    return Usage(tokens.prompt_tokens, written, (details.cached_tokens or 0) if details else 0)


def _payload(prompt: Prompt, *, limit: str) -> dict[str, Any]:
    schema = schema_of(prompt)
    return without_nones(
        model=prompt.model,
        messages=_messages(prompt, schema_sent=schema is not None),
        temperature=temperature_of(prompt),
        response_format={"type": "json_schema", "json_schema": schema_format(schema)} if schema is not None else None,
        **{limit: prompt.max_tokens},
    )


def _messages(prompt: Prompt, *, schema_sent: bool) -> list[dict[str, Any]]:
    system = system_of(prompt)
    text, images = text_of(prompt, schema_sent=schema_sent), images_of(prompt)
    parts = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in images]
    asked = {"role": "user", "content": [{"type": "text", "text": text}, *parts] if parts else text}
    return [{"role": "system", "content": system}, asked] if system else [asked]
