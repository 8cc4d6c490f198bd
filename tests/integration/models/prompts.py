"""A prompt with everything, and what reads a stream."""

from contextlib import aclosing
from typing import Any

from pulse.models.port import Completion, Image
from tests.contract.models.peers.serving import Peer
from tests.contract.models.providers import Provider

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
EVERYTHING: dict[str, Any] = {
    "system": "You know capitals.",
    "images": [Image(data=b"\x89PNG")],
    "temperature": 1.5,
    "max_tokens": 300,
    "schema": SCHEMA,
    "key": "msg_1:wf_2:3",
}
QUESTION = "What is the capital of France?"


def peer(provider: Provider) -> Peer:
    assert provider.peer is not None
    return provider.peer


async def streamed(provider: Provider, **changes: Any) -> Completion:
    """The last of a stream."""
    last = None
    async with aclosing(provider.models.stream(provider.access, provider.prompt(**changes))) as deltas:  # type: ignore[type-var]
        async for delta in deltas:
            last = delta
    assert last is not None
    assert last.completion is not None
    return last.completion
