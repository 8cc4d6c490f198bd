"""Calls of models: the right wire format, within the limits, within the time, and tried again where that helps.

One time limit bounds everything: waiting for a limit, every try, and the pauses between them. A try that would begin
after it is not begun, and the error of the one before is raised at once.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING
from typing import Any, Generic, Protocol, TypeVar

from pulse.core.errors import Misconfigured
from pulse.core.retry import backoff_ms
from pulse.models.catalogue import Definition, cost_usd
from pulse.models.port import Completion, Embeddings, Image, ModelFailed, Models, Prompt, Usage
from pulse.prompts.configurations import ResolvedModel
from pulse.prompts.limits import RateLimits

RETRIES = 3
FIRST_PAUSE_MS = 500
LONGEST_PAUSE_MS = 8_000
# What a picture costs at most at the providers' usual scales, in tokens.
IMAGE_TOKENS = 1_600
T = TypeVar("T", Completion, Embeddings)


@dataclass(frozen=True)
class Ask:
    """What a model is asked. What is None is the configuration's default.

    `key` makes a repeat one request, at providers that know idempotency keys. `schema` is a JSON Schema of the answer.
    """

    text: str
    system: str | None = None
    images: Sequence[Image] = ()
    temperature: float | None = None
    max_tokens: int | None = None
    timeout_ms: int | None = None
    schema: Mapping[str, Any] | None = None
    key: str | None = None


@dataclass(frozen=True)
class Answered(Generic[T]):
    """What a model answered: after how many tries, in how long (waiting included), for how much (millionths of a
    dollar), and from whom (the provider's slug, the provider's name of the model).
    """

    completion: T
    attempts: int
    duration_ms: int
    cost_micros: int
    model: str
    provider: str


Called = Answered[Completion]
Embedded = Answered[Embeddings]


class Resolver(Protocol):
    """Whoever knows what a configuration stands for."""

    async def resolve(self, organization_id: str, configuration_id: str) -> ResolvedModel: ...


class ModelCaller:
    """Calls models by configuration. `formats` are the wire formats by name (`Provider.api_format`)."""

    def __init__(
        self,
        resolver: Resolver,
        limits: RateLimits,
        formats: Mapping[str, Models],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        note_use: Callable[[str, int], None] | None = None,
    ) -> None:
        """`monotonic` tells seconds, `draw` a number from 0 to 1 for jitter; `sleep` waits for seconds.

        `note_use` is told the id of each credential that is used, and when, in ms since 1970.
        """
        self._resolver = resolver
        self._limits = limits
        self._formats = formats
        self._monotonic = monotonic
        self._draw = draw
        self._sleep = sleep
        self._note_use = note_use

    async def call(self, organization_id: str, configuration_id: str, ask: Ask) -> Called:
        """The model's answer.

        Raises ModelFailed (its `details` have `attempts`), NotFound, CredentialInactive, Misconfigured.
        """
        model = await self._resolver.resolve(organization_id, configuration_id)
        format_ = self._format(model)
        prompt = prompt_of(model, ask)

        async def complete(remaining_ms: int) -> Completion:
            return await format_.complete(model.access, replace(prompt, timeout_ms=remaining_ms))

        return await self._answered(
            _Call(model, complete, prompt.timeout_ms, most_tokens(prompt), input_tokens(prompt))
        )

    async def embed(self, organization_id: str, configuration_id: str, texts: Sequence[str]) -> Embedded:
        """One vector a text. Raises as `call` does."""
        model = await self._resolver.resolve(organization_id, configuration_id)
        format_ = self._format(model)
        tokens = sum(_tokens_of(text) for text in texts)

        async def embed(_remaining_ms: int) -> Embeddings:
            return await format_.embed(model.access, model.model_id, texts)

        return await self._answered(_Call(model, embed, model.defaults.timeout_ms, tokens, tokens))

    def _format(self, model: ResolvedModel) -> Models:
        found = self._formats.get(format_of(model))
        if found is None:
            raise Misconfigured(f"This installation cannot speak to {model.provider.name}: its format is not set up.")
        return found

    async def _answered(self, call: "_Call[T]") -> Answered[T]:
        started = self._monotonic()
        ends = started + call.timeout_ms / 1000
        attempt = 0
        while True:
            attempt += 1
            try:
                completion = await self._attempt(call, ends)
            except ModelFailed as error:
                error.details["attempts"] = attempt
                pause_ms = self._pause_ms(error, attempt)
                if pause_ms is None or self._monotonic() + pause_ms / 1000 >= ends:
                    raise
                await self._sleep(pause_ms / 1000)
                continue
            return Answered(
                completion=completion,
                attempts=attempt,
                duration_ms=round((self._monotonic() - started) * 1000),
                cost_micros=cost_micros(call.model.definition, completion.usage),
                model=completion.model or call.model.model_id,
                provider=call.model.provider.slug,
            )

    async def _attempt(self, call: "_Call[T]", ends: float) -> T:
        """One try, for which its limits are taken first, and settled afterwards."""
        await self._reserve(call, ends)
        if self._note_use is not None:
            self._note_use(call.model.credential_id, time.time_ns() // 1_000_000)
        used = call.most_tokens
        try:
            answer = await self._in_time(call, ends)
            used = total(answer.usage) or call.most_tokens
        except ModelFailed as error:
            # After a timeout nobody knows what the model did; what was refused cost nothing.
            used = call.input_tokens if error.reason == "timeout" else 0
            raise
        finally:
            await self._limits.settle(call.model.credential_id, call.model.limits, call.most_tokens, used)
        return answer

    async def _reserve(self, call: "_Call[T]", ends: float) -> None:
        """Waits until the limits allow the call. Raises ModelFailed (`rate_limited`) where that is too late."""
        model = call.model
        while wait_ms := await self._limits.reserve(model.credential_id, model.limits, call.most_tokens):
            if self._monotonic() + wait_ms / 1000 >= ends:
                words = f"The limit of this credential is reached: try again in {-(-wait_ms // 1000)} s, or raise it."
                raise LimitReached(words, wait_ms)
            await self._sleep(wait_ms / 1000)

    async def _in_time(self, call: "_Call[T]", ends: float) -> T:
        remaining_ms = max(1, int((ends - self._monotonic()) * 1000))
        try:
            async with asyncio.timeout(remaining_ms / 1000):
                return await call.send(remaining_ms)
        except TimeoutError:
            raise ModelFailed("timeout", f"The model did not answer within {call.timeout_ms:,} ms.") from None

    def _pause_ms(self, error: ModelFailed, attempt: int) -> int | None:
        """How long to wait before the next try: at least as long as the provider asks for; None: it is no use."""
        if isinstance(error, LimitReached) or not error.retryable or attempt > RETRIES:
            return None
        asked_ms = round((error.retry_after_s or 0) * 1000)
        return max(asked_ms, backoff_ms(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, self._draw()))


class LimitReached(ModelFailed):
    """A limit of the credential is reached, and will be for longer than the call may wait."""

    def __init__(self, message: str, wait_ms: int) -> None:
        super().__init__("rate_limited", message, retry_after_s=wait_ms / 1000)


@dataclass(frozen=True)
class _Call(Generic[T]):
    """A request: `send` makes it within so many milliseconds; it uses so many tokens at most."""

    model: ResolvedModel
    send: Callable[[int], Awaitable[T]]
    timeout_ms: int
    most_tokens: int
    input_tokens: int


def format_of(model: ResolvedModel) -> str:
    """The wire format: the model's own, but for servers of one's own, or else the provider's."""
    at_provider = model.access.base_url in (None, model.provider.base_url)
    return (model.definition.api_format if at_provider else None) or model.provider.api_format


def prompt_of(model: ResolvedModel, ask: Ask) -> Prompt:
    """The prompt for that model: with the configuration's defaults, within what the model can do.

    Raises ModelFailed (`invalid_request`) for numbers that no model takes.
    """
    _refuse_impossible(ask)
    definition, defaults = model.definition, model.defaults
    most = definition.max_output_tokens or definition.context_window
    wanted = defaults.max_tokens if ask.max_tokens is None else ask.max_tokens
    return Prompt(
        model=model.model_id,
        text=ask.text,
        system=ask.system,
        images=ask.images,
        temperature=defaults.temperature if ask.temperature is None else ask.temperature,
        max_tokens=min(wanted, most),
        schema=ask.schema,
        timeout_ms=min(ask.timeout_ms or defaults.timeout_ms, defaults.timeout_ms),
        takes=definition.takes,
        key=ask.key,
    )


def _refuse_impossible(ask: Ask) -> None:
    if ask.max_tokens is not None and ask.max_tokens < 1:
        raise ModelFailed("invalid_request", "An answer has at least one token: leave maxTokens out, or raise it.")
    if ask.timeout_ms is not None and ask.timeout_ms < 1:
        raise ModelFailed("invalid_request", "A call takes at least a millisecond: leave timeoutMs out, or raise it.")
    if ask.temperature is not None and not 0 <= ask.temperature <= 2:
        raise ModelFailed("invalid_request", "A temperature is a number from 0 to 2.")


def input_tokens(prompt: Prompt) -> int:
    """About how many tokens go in."""
    return _tokens_of(prompt.text) + _tokens_of(prompt.system or "") + IMAGE_TOKENS * len(prompt.images)


def most_tokens(prompt: Prompt) -> int:
    """About how many tokens the whole exchange takes at most."""
    return input_tokens(prompt) + (prompt.max_tokens or 0)


def _tokens_of(text: str) -> int:
    """About how many tokens a text is: one for four bytes, which is more rather than less than the providers count."""
    return -(-len(text.encode(errors="replace")) // 4)


def cost_micros(definition: Definition, usage: Usage) -> int:
    """What a request cost by the catalogue's prices, in millionths of a dollar, rounded up."""
    return int((cost_usd(definition, usage) * 1_000_000).to_integral_value(ROUND_CEILING))


def total(usage: Usage) -> int:
    """Tokens of a request, in and out."""
    return usage.input_tokens + usage.output_tokens
