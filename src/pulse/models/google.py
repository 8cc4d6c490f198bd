"""Google's Gemini: generateContent, and streamGenerateContent as server-sent events.

With an API key, or with a service account, whose token then goes as a bearer. Pictures go as bytes: a URL there would
have to be one of Google's own files. Reference: https://ai.google.dev/api/generate-content.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

import msgspec

from pulse.core.clock import Clock
from pulse.egress.port import Egress
from pulse.models.port import Access, Completion, Delta, Embeddings, ModelFailed, Prompt, Usage
from pulse.models.wire.answering import Gathering, Stop, batches, checked, embeddings
from pulse.models.wire.asking import (
    base64_of,
    images_of,
    path_part,
    schema_of,
    system_of,
    temperature_of,
    text_of,
    without_nones,
)
from pulse.models.wire.exchange import ANSWER_BYTES, STREAM_BYTES, TIMEOUT_MS, VECTORS_BYTES, Call, Exchange
from pulse.models.wire.service_account import Tokens
from pulse.models.wire.sse import Event

T = TypeVar("T")

BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
MAX_TEXTS = 100

_FILTERS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY")
STOPS: Mapping[str, Stop] = {"STOP": "end", "MAX_TOKENS": "length", **dict.fromkeys(_FILTERS, "filtered")}


class _Camel(msgspec.Struct, rename="camel"):
    """Names as Google writes them."""


class _Part(_Camel):
    """A thought is a part too, and no answer."""

    text: str = ""
    thought: bool = False


class _Content(_Camel):
    parts: list[_Part] = []


class _Candidate(_Camel):
    content: _Content = msgspec.field(default_factory=_Content)
    finish_reason: str | None = None


class _Tokens(_Camel):
    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    cached_content_token_count: int = 0


class _Feedback(_Camel):
    block_reason: str | None = None


class _Answer(_Camel):
    """An answer, or one piece of it."""

    candidates: list[_Candidate] = []
    prompt_feedback: _Feedback = msgspec.field(default_factory=_Feedback)
    usage_metadata: _Tokens | None = None
    model_version: str = ""
    error: Any = None


class _Values(_Camel):
    values: list[float]


class _Vectors(_Camel):
    embeddings: list[_Values]
    usage_metadata: _Tokens | None = None


class _Listing(_Camel):
    models: list[Any]


class GoogleModels:
    """Models behind generateContent; implements `Models`."""

    def __init__(self, egress: Egress, clock: Clock, *, base_url: str = BASE_URL) -> None:
        self._exchange = Exchange("Google", egress, clock)
        self._tokens = Tokens(self._exchange, clock)
        self._base_url = base_url

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        path = f"{_path(prompt.model)}:generateContent"
        call = await self._call(access, path, _payload(prompt), timeout_ms=prompt.timeout_ms)
        gathering = Gathering("Google", prompt.model)
        self._take(gathering, await self._answer(call, _Answer))
        if gathering.stop is None:
            raise self._exchange.bad_answer()
        return gathering.completion()

    async def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        path = f"{_path(prompt.model)}:streamGenerateContent?alt=sse"
        payload = _payload(prompt)
        call = await self._call(access, path, payload, timeout_ms=prompt.timeout_ms, max_bytes=STREAM_BYTES)
        gathering = Gathering("Google", prompt.model)
        async with aclosing(self._events(call)) as events:
            async for event in events:
                for text in self._taken(call, gathering, event.data):
                    yield Delta(text)
        yield Delta(completion=gathering.completion())

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        parts = [await self._embed(access, model, portion) for portion in batches(texts, MAX_TEXTS)]
        return embeddings(parts, model)

    async def check(self, access: Access) -> None:
        """GET /models, of which one is enough."""
        await self._answer(await self._call(access, "/models?pageSize=1"), _Listing)

    async def _embed(self, access: Access, model: str, texts: Sequence[str]) -> tuple[Sequence[Sequence[float]], int]:
        name = f"models/{model.removeprefix('models/')}"
        requests = [{"model": name, "content": {"parts": [{"text": text}]}} for text in texts]
        path = f"{_path(model)}:batchEmbedContents"
        call = await self._call(access, path, {"requests": requests}, max_bytes=VECTORS_BYTES)
        found = await self._answer(call, _Vectors)
        vectors = checked([row.values for row in found.embeddings], len(texts), "Google")
        return vectors, found.usage_metadata.prompt_token_count if found.usage_metadata else 0

    async def _call(
        self,
        access: Access,
        path: str,
        payload: Mapping[str, Any] | None = None,
        *,
        timeout_ms: int = TIMEOUT_MS,
        max_bytes: int = ANSWER_BYTES,
    ) -> Call:
        url = (access.base_url or self._base_url).rstrip("/") + path
        proof = await self._proof(access, timeout_ms)
        return Call(
            access, url, proof, payload, timeout_ms=timeout_ms, max_bytes=max_bytes, secrets=tuple(proof.values())
        )

    async def _proof(self, access: Access, timeout_ms: int) -> dict[str, str]:
        if access.service_account is not None:
            return {"authorization": f"Bearer {await self._tokens.get(access, timeout_ms)}"}
        return {"x-goog-api-key": access.api_key} if access.api_key else {}

    async def _answer(self, call: Call, shape: type[T]) -> T:
        with self._forgetting(call.access):
            return await self._exchange.answer(call, shape)

    async def _events(self, call: Call) -> AsyncGenerator[Event, None]:
        with self._forgetting(call.access):
            async with aclosing(self._exchange.events(call)) as events:
                async for event in events:
                    yield event

    @contextmanager
    def _forgetting(self, access: Access) -> Iterator[None]:
        """A token that is refused is not used again."""
        try:
            yield
        except ModelFailed as error:
            if error.reason == "unauthorized":
                self._tokens.forget(access)
            raise

    def _taken(self, call: Call, gathering: Gathering, data: str) -> list[str]:
        piece = self._exchange.read(data, _Answer)
        if piece.error is not None:
            raise self._exchange.reported(call, piece.error)
        before = len(gathering.text)
        self._take(gathering, piece)
        return gathering.text[before:]

    def _take(self, gathering: Gathering, answer: _Answer) -> None:
        for candidate in answer.candidates[:1]:
            gathering.text += [part.text for part in candidate.content.parts if part.text and not part.thought]
            if candidate.finish_reason:
                gathering.stop = STOPS.get(candidate.finish_reason, "other")
        if answer.prompt_feedback.block_reason:
            gathering.stop = "filtered"
        gathering.model = answer.model_version or gathering.model
        gathering.usage = usage_of(answer.usage_metadata) if answer.usage_metadata else gathering.usage


def usage_of(tokens: _Tokens) -> Usage:
    """Thoughts are paid for as what is written."""
    written = tokens.candidates_token_count + tokens.thoughts_token_count
    return Usage(tokens.prompt_token_count, written, tokens.cached_content_token_count)


def _path(model: str) -> str:
    return f"/models/{path_part(model.removeprefix('models/'))}"


def _payload(prompt: Prompt) -> dict[str, Any]:
    system, schema = system_of(prompt), schema_of(prompt, of_objects=False)
    config = without_nones(
        temperature=temperature_of(prompt),
        maxOutputTokens=prompt.max_tokens,
        responseMimeType="application/json" if schema is not None else None,
        responseJsonSchema=schema,
    )
    return without_nones(
        contents=[{"role": "user", "parts": _parts(prompt, schema_sent=schema is not None)}],
        systemInstruction={"parts": [{"text": system}]} if system else None,
        generationConfig=config or None,
    )


def _parts(prompt: Prompt, *, schema_sent: bool) -> list[dict[str, Any]]:
    images = images_of(prompt)
    data = ({"mimeType": image.media_type, "data": base64_of(image, "Google")} for image in images)
    return [{"text": text_of(prompt, schema_sent=schema_sent)}, *({"inlineData": one} for one in data)]
