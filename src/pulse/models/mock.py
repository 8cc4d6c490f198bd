"""A model for trying things out: no network, no key, no cost, and always the same answer to the same question.

The answer repeats the question and says something about it that depends on every word of it; a schema gets a value
that fits. The model's name decides how it behaves, and so do two headers of the access:

    mock-small, mock-large       a short answer, a long one
    mock-fail-<reason>           fails with that reason of FAILURES
    mock-slow-<ms>               answers after so many milliseconds, or times out
    mock-embedding               vectors in which texts that share words are near each other
    x-mock-fail: <reason>[;<s>]  fails; <s> is what the provider asks to wait, in seconds
    x-mock-wait-ms: <ms>         as mock-slow
"""

import asyncio
import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

from pulse.models.port import FAILURES, Access, Completion, Delta, Embeddings, ModelFailed, Prompt, Usage
from pulse.models.wire.asking import images_of, system_of
from pulse.models.wire.failures import failed
from pulse.models.wire.fitting import CannotFit, Fitting

DIMENSIONS = 256
MAX_QUOTED = 120
TOKENS_OF_AN_IMAGE = 85
_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\S+\s*|\s+")
_NAME = re.compile(r"mock-(small|large|embedding|fail-(?P<reason>\w+)|slow-(?P<ms>\d{1,9}))")
_OPENINGS = ("In short", "As it stands", "Put plainly", "On the whole", "At first sight")
_MIDDLES = ("the answer is yes", "the answer is no", "it depends", "there are two sides to it", "more should be known")
_ENDINGS = (
    "The usual case is the simple one.",
    "Two readings are possible, and the first is the likelier.",
    "A second look would be worth its time.",
    "Nothing in the question speaks against it.",
    "An example would make it clearer.",
)


class MockModels:
    """Models that are none; implements `Models`. `wait` (seconds) is how time passes."""

    def __init__(self, wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._wait = wait

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        await self._behave(access, prompt.model, prompt.timeout_ms)
        return answered(prompt)

    async def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        await self._behave(access, prompt.model, prompt.timeout_ms)
        completion = answered(prompt)
        for piece in _PIECE.findall(completion.text):
            yield Delta(piece)
        yield Delta(completion=completion)

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        await self._behave(access, model, 30_000)
        tokens = sum(map(count, texts))
        return Embeddings([vector(text) for text in texts], Usage(input_tokens=tokens), model)

    async def check(self, access: Access) -> None:
        await self._behave(access, "mock-small", 30_000)

    async def _behave(self, access: Access, model: str, timeout_ms: int) -> None:
        """Waits or fails as it was told."""
        named = _NAME.fullmatch(model)
        if named is None:
            raise failed("model_not_found", "Mock", f"There are mock-small and mock-large, and no {model}.")
        headers = {name.lower(): value for name, value in access.headers.items()}
        wait_ms = _whole(named["ms"] or headers.get("x-mock-wait-ms", "0"))
        await self._wait(min(wait_ms, timeout_ms) / 1000)
        if wait_ms >= timeout_ms:
            raise failed("timeout", "Mock")
        if told := named["reason"] or headers.get("x-mock-fail", ""):
            raise _failure(told)


def answered(prompt: Prompt) -> Completion:
    """What the model says to a prompt."""
    text = _fitted(prompt) if prompt.schema is not None and "schema" in prompt.takes else _said(prompt)
    asked = count(prompt.text) + count(prompt.system or "") + TOKENS_OF_AN_IMAGE * len(images_of(prompt))
    whole = count(text)
    if prompt.max_tokens is None or whole <= prompt.max_tokens:
        return Completion(text, Usage(asked, whole), prompt.model)
    cut = _first(text, prompt.max_tokens)
    return Completion(cut, Usage(asked, prompt.max_tokens), prompt.model, "length")


def count(text: str) -> int:
    """Tokens: words and signs."""
    return len(_TOKEN.findall(text))


def vector(text: str) -> list[float]:
    """A bag of words, hashed into so many dimensions and made of length 1: words in common bring texts near."""
    values = [0.0] * DIMENSIONS
    for feature, weight in _features(text):
        digest = hashlib.sha256(feature.encode(errors="surrogatepass")).digest()
        place = int.from_bytes(digest[:4], "big") % DIMENSIONS
        values[place] += weight if digest[4] % 2 else -weight
    length = math.hypot(*values)
    return [value / length for value in values] if length else [1.0] + [0.0] * (DIMENSIONS - 1)


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Words; and pieces of them, which weigh less, so that `orders` is near to `order`."""
    for word in re.findall(r"\w+", text.lower()):
        yield word, 1.0
        yield from ((f"#{word[start : start + 3]}", 0.5) for start in range(len(word) - 2))


def _said(prompt: Prompt) -> str:
    system, images = system_of(prompt), images_of(prompt)
    digest = hashlib.sha256(json.dumps([system, prompt.text, len(images)]).encode()).digest()
    opening, middle = _OPENINGS[digest[0] % len(_OPENINGS)], _MIDDLES[digest[1] % len(_MIDDLES)]
    seen = f" It came with {len(images)} {'image' if len(images) == 1 else 'images'}." if images else ""
    short = f"You asked: “{_quoted(prompt.text)}”.{seen} {opening}, {middle}."
    if prompt.model != "mock-large":
        return short
    first = digest[2] % len(_ENDINGS)
    more = " ".join(_ENDINGS[(first + step) % len(_ENDINGS)] for step in range(3))
    return f"{short}\n\n{more}"


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_QUOTED else f"{words[:MAX_QUOTED].rstrip()}…"


def _fitted(prompt: Prompt) -> str:
    try:
        return json.dumps(Fitting(prompt.schema or {}, prompt.text).value(), ensure_ascii=False)
    except CannotFit as error:
        raise failed("invalid_request", "Mock", str(error)) from None


def _first(text: str, tokens: int) -> str:
    for number, found in enumerate(_TOKEN.finditer(text)):
        if number == tokens:
            return text[: found.start()].rstrip()
    return text


def _failure(told: str) -> ModelFailed:
    reason, _, wait = told.partition(";")
    if reason not in FAILURES:
        return failed("invalid_request", "Mock", f"{reason!r} is none of {', '.join(sorted(FAILURES))}.")
    return failed(reason, "Mock", "It was told to.", retry_after_s=_whole(wait) if wait else None)


def _whole(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) else 0
