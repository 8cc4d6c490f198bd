"""What both formats of OpenAI share: the way in, embeddings, tokens, and how a schema is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pulse.core.clock import Clock
from pulse.egress.port import Egress
from pulse.models.port import Access, Embeddings
from pulse.models.wire.answering import batches, checked, embeddings
from pulse.models.wire.asking import is_strict
from pulse.models.wire.exchange import TIMEOUT_MS, VECTORS_BYTES, Call, Exchange

BASE_URL = "https://api.openai.com/v1"
MAX_TEXTS = 2048
_NAMES = (("openai.com", "OpenAI"), ("openai.azure.com", "Azure OpenAI"), ("x.ai", "xAI"))


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Tokens(msgspec.Struct):
    prompt_tokens: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    model: str = ""
    usage: _Tokens | None = None


class _Listing(msgspec.Struct):
    data: list[Any]


@dataclass(frozen=True)
class Servers:
    """Servers that speak OpenAI's formats: the one at `base_url`, and those that an access names."""

    egress: Egress
    clock: Clock
    base_url: str

    def of(self, access: Access) -> "OpenAIExchange":
        """The way to the server that the access is for."""
        return OpenAIExchange(self.egress, self.clock, access.base_url or self.base_url)


class OpenAIExchange(Exchange):
    """Calls to the server at `base_url`, which messages call by its name or its host."""

    def __init__(self, egress: Egress, clock: Clock, base_url: str) -> None:
        super().__init__(name_of(base_url), egress, clock)
        self._base_url = base_url.rstrip("/")

    def url(self, path: str) -> str:
        return self._base_url + path

    def call(self, access: Access, path: str, payload: Mapping[str, Any] | None = None, **options: Any) -> Call:
        """A call below the base URL. `key` (of an option) makes a repeat one request."""
        headers = {"authorization": f"Bearer {access.api_key}"} if access.api_key else {}
        key = options.pop("key", None)
        if key is not None:
            headers["idempotency-key"] = key
        return Call(access, self.url(path), headers, payload, **options)

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        """POST /embeddings, as often as the number of texts asks for."""
        parts = [await self._embed(access, model, portion) for portion in batches(texts, MAX_TEXTS)]
        return embeddings([(vectors, tokens) for vectors, tokens, _ in parts], parts[-1][2] if parts else model)

    async def check(self, access: Access) -> None:
        """GET /models."""
        await self.answer(self.call(access, "/models"), _Listing)

    async def _embed(
        self, access: Access, model: str, texts: Sequence[str]
    ) -> tuple[Sequence[Sequence[float]], int, str]:
        payload = {"model": model, "input": list(texts), "encoding_format": "float"}
        call = self.call(access, "/embeddings", payload, timeout_ms=TIMEOUT_MS, max_bytes=VECTORS_BYTES)
        found = await self.answer(call, _Vectors)
        rows = sorted(found.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(texts))):
            raise self.bad_answer()
        vectors = checked([row.embedding for row in rows], len(texts), self.provider)
        return vectors, found.usage.prompt_tokens if found.usage else 0, found.model or model


def name_of(base_url: str) -> str:
    """What messages call the server: the provider's name where it is known, its host otherwise."""
    host = host_of(base_url)
    known = (name for domain, name in _NAMES if host == domain or host.endswith(f".{domain}"))
    return next(known, host or "The provider")


def host_of(url: str) -> str:
    """The host of an address, or nothing where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def schema_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as OpenAI names it. Strict where it can be, since the provider refuses any other strict schema."""
    return {"name": "answer", "schema": schema, "strict": is_strict(schema)}
