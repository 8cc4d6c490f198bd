"""What becomes of an answer: texts and stops are made the port's, vectors are counted."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pulse.models.port import Completion, Embeddings, ModelFailed, Usage
from pulse.models.wire.failures import failed

Stop = Literal["end", "length", "filtered", "other"]


@dataclass
class Gathering:
    """An answer as it comes in, whole or in pieces."""

    provider: str
    model: str
    text: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    stop: Stop | None = None

    def completion(self) -> Completion:
        """The answer. Raises ModelFailed where the filter left nothing of it, and where it broke off."""
        text = "".join(self.text)
        if self.stop is None:
            raise failed("unreachable", self.provider)
        if self.stop == "filtered" and not text:
            raise failed("content_filtered", self.provider)
        return Completion(text, self.usage, self.model, self.stop)


def batches(texts: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """The texts in portions of what a provider takes at once."""
    for start in range(0, len(texts), most):
        yield texts[start : start + most]


def embeddings(parts: Sequence[tuple[Sequence[Sequence[float]], int]], model: str) -> Embeddings:
    """All vectors of several answers, with the tokens of each."""
    vectors = [vector for found, _ in parts for vector in found]
    return Embeddings(vectors, Usage(input_tokens=sum(tokens for _, tokens in parts)), model)


def checked(vectors: Sequence[Sequence[float]], expected: int, provider: str) -> Sequence[Sequence[float]]:
    """The vectors. Raises ModelFailed (`bad_answer`) unless there is one a text, all as long, of finite numbers."""
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != expected or len(lengths) > 1 or 0 in lengths:
        raise failed("bad_answer", provider)
    if not all(math.isfinite(number) for vector in vectors for number in vector):
        raise failed("bad_answer", provider)
    return vectors


def no_embeddings(provider: str) -> ModelFailed:
    words = f"{provider} has no embeddings: choose an embedding model of another provider."
    return ModelFailed("invalid_request", words)
