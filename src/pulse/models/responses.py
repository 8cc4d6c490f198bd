"""The Responses API of OpenAI, which xAI speaks too. Nothing is stored there (`store: false`).

Reference: https://platform.openai.com/docs/api-reference/responses.
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
from pulse.models.wire.openai import BASE_URL, OpenAIExchange, Servers, schema_format

# Why a response is incomplete.
STOPS: Mapping[str, Stop] = {"max_output_tokens": "length", "content_filter": "filtered"}
_LAST = ("response.completed", "response.incomplete", "response.failed")


class _Details(msgspec.Struct):
    cached_tokens: int = 0


class _Tokens(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _Details | None = None


class _Part(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""


class _Item(msgspec.Struct):
    """Something the model put out; reasoning and calls of tools have no text."""

    type: str
    content: list[_Part] | None = None


class _Incomplete(msgspec.Struct):
    reason: str = ""


class _Response(msgspec.Struct):
    status: str
    output: list[_Item] = []
    model: str = ""
    usage: _Tokens | None = None
    error: Any = None
    incomplete_details: _Incomplete | None = None


class _Event(msgspec.Struct):
    """One event of the stream; an error has its fields beside the type."""

    type: str
    delta: Any = None
    response: _Response | None = None
    error: Any = None
    code: str | None = None
    message: str | None = None


class ResponsesModels:
    """Models behind the Responses API, at `base_url` unless an access names another server; implements `Models`."""

    def __init__(self, egress: Egress, clock: Clock, *, base_url: str = BASE_URL) -> None:
        self._servers = Servers(egress, clock, base_url)

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        server = self._servers.of(access)
        call = _call(server, access, prompt)
        return _completed(server, call, prompt, await server.answer(call, _Response))

    async def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        server = self._servers.of(access)
        call = _call(server, access, prompt, streamed=True)
        async with aclosing(server.events(call)) as events:
            async for event in events:
                found = server.read(event.data, _Event)
                if found.type == "response.output_text.delta" and isinstance(found.delta, str):
                    yield Delta(found.delta)
                elif found.type == "error":
                    raise server.reported(call, found.error or {"code": found.code, "message": found.message})
                elif found.response is not None and found.type in _LAST:
                    yield Delta(completion=_completed(server, call, prompt, found.response))
                    return
        raise failed("unreachable", server.provider)

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        return await self._servers.of(access).embed(access, model, texts)

    async def check(self, access: Access) -> None:
        await self._servers.of(access).check(access)


def _call(server: OpenAIExchange, access: Access, prompt: Prompt, *, streamed: bool = False) -> Call:
    payload = _payload(prompt) | ({"stream": True} if streamed else {})
    options = {"max_bytes": STREAM_BYTES} if streamed else {}
    return server.call(access, "/responses", payload, timeout_ms=prompt.timeout_ms, key=prompt.key, **options)


def _completed(server: OpenAIExchange, call: Call, prompt: Prompt, response: _Response) -> Completion:
    if response.status == "failed":
        raise server.reported(call, response.error)
    parts = [part for item in response.output if item.type == "message" for part in item.content or ()]
    if refusal := next((part.refusal for part in parts if part.type == "refusal"), None):
        raise failed("content_filtered", server.provider, refusal)
    text = [part.text for part in parts if part.type == "output_text"]
    model = response.model or prompt.model
    return Gathering(server.provider, model, text, usage_of(response.usage), _stop(server, response)).completion()


def _stop(server: OpenAIExchange, response: _Response) -> Stop:
    if response.status == "completed":
        return "end"
    if response.status != "incomplete" or response.incomplete_details is None:
        raise server.bad_answer()
    return STOPS.get(response.incomplete_details.reason, "other")


def usage_of(tokens: _Tokens | None) -> Usage:
    if tokens is None:
        return Usage()
    details = tokens.input_tokens_details
    return Usage(tokens.input_tokens, tokens.output_tokens, details.cached_tokens if details else 0)


def _payload(prompt: Prompt) -> dict[str, Any]:
    schema = schema_of(prompt)
    return without_nones(
        model=prompt.model,
        instructions=system_of(prompt),
        input=[{"role": "user", "content": _content(prompt, schema_sent=schema is not None)}],
        temperature=temperature_of(prompt),
        max_output_tokens=prompt.max_tokens,
        text={"format": {"type": "json_schema", **schema_format(schema)}} if schema is not None else None,
        store=False,
    )


def _content(prompt: Prompt, *, schema_sent: bool) -> list[dict[str, Any]]:
    pictures = ({"type": "input_image", "image_url": data_url(image)} for image in images_of(prompt))
    return [{"type": "input_text", "text": text_of(prompt, schema_sent=schema_sent)}, *pictures]
