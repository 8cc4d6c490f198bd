"""A language model as the rest of Pulse sees it: a prompt goes in, a completion comes out, whoever the provider is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pulse.core.errors import PulseError

FAILURES = frozenset(
    (
        "unauthorized",
        "forbidden",
        "model_not_found",
        "invalid_request",
        "context_too_long",
        "content_filtered",
        "quota_exceeded",
        "rate_limited",
        "overloaded",
        "timeout",
        "unreachable",
        "address_refused",
        "bad_answer",
        "provider_error",
    )
)
RETRYABLE = frozenset(("rate_limited", "overloaded", "timeout", "unreachable", "provider_error"))


class ModelFailed(PulseError):
    """The model gave no answer. `reason` is one of FAILURES; `retry_after_s` is what the provider asked for."""

    code = "model_failed"

    def __init__(self, reason: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def retryable(self) -> bool:
        return self.reason in RETRYABLE


@dataclass(frozen=True)
class Access:
    """How a provider is reached: its address and whatever proves who asks. Never shown, never logged.

    `api_key` for most; `service_account` (Google's JSON) or AWS keys (`access_key`, `secret_key`, `session_token`)
    where the provider takes those. `headers` are added to each request.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    service_account: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Image:
    """A picture: `url` (https), or `data` (bytes) with its `media_type`."""

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str = "image/png"


@dataclass(frozen=True)
class Prompt:
    """What a model is asked. `model` is the provider's name for it.

    `temperature` (0 to 2), `max_tokens` and `schema` (a JSON Schema of the answer) are left out where they are None;
    `takes` says which of `temperature`, `system`, `schema`, `vision` the model accepts at all (capabilities are data,
    see `catalogue.py`): what it does not take is left out, or folded into the text. `key` makes a repeat one request
    at providers that know idempotency keys.
    """

    model: str
    text: str
    system: str | None = None
    images: Sequence[Image] = ()
    temperature: float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    timeout_ms: int = 30_000
    takes: frozenset[str] = frozenset(("temperature", "system", "schema", "vision"))
    key: str | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens, as the provider counted them; 0 where it does not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True)
class Completion:
    """What a model answered. `stop` is why it ended; `model` is what the provider says has answered."""

    text: str
    usage: Usage
    model: str
    stop: Literal["end", "length", "filtered", "other"] = "end"


@dataclass(frozen=True)
class Delta:
    """A piece of a streamed answer: more text, or, as the last one, the completion whole."""

    text: str = ""
    completion: Completion | None = None


@dataclass(frozen=True)
class Embeddings:
    """One vector a text, in order."""

    vectors: Sequence[Sequence[float]]
    usage: Usage
    model: str


class Models(Protocol):
    """One wire format. Every method raises ModelFailed, and nothing that repeats a secret."""

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        """The answer, whole. One request: trying again is for the caller."""
        ...

    def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        """The answer as it is written."""
        ...

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        """Vectors of texts. Raises ModelFailed (`invalid_request`) where the provider has no embeddings."""
        ...

    async def check(self, access: Access) -> None:
        """A real, cheap request that shows whether the access is good."""
        ...
