"""AWS Bedrock: Converse and ConverseStream for answers, InvokeModel for the vectors of Titan and Cohere.

Pictures go as bytes; a schema goes as a tool that the model has to call.
Reference: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any

import msgspec

from pulse.core.clock import Clock
from pulse.models.port import Access, Completion, Delta, Embeddings, Image, ModelFailed, Prompt, Usage
from pulse.models.wire.answering import Gathering, Stop, batches, checked, embeddings
from pulse.models.wire.asking import (
    bytes_of,
    images_of,
    schema_of,
    system_of,
    temperature_of,
    text_of,
    without_nones,
)
from pulse.models.wire.aws import Clients, by, deadline
from pulse.models.wire.exchange import TIMEOUT_MS
from pulse.models.wire.failures import failed

REGION = "us-east-2"
TOOL = "answer"
PROVIDER = "AWS Bedrock"
JSON = "application/json"
STOPS: Mapping[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
}
_BROKEN = ("malformed_model_output", "malformed_tool_use")
_TOKENS = "x-amzn-bedrock-input-token-count"


class _Floats(msgspec.Struct):
    float: list[list[float]]


class _Vectors(msgspec.Struct):
    """Titan has one vector; version 3 of Cohere has several, version 4 has them by type."""

    embedding: list[float] | None = None
    embeddings: list[list[float]] | _Floats | None = None

    def rows(self) -> list[list[float]]:
        if self.embedding is not None:
            return [self.embedding]
        return self.embeddings.float if isinstance(self.embeddings, _Floats) else self.embeddings or []


class BedrockModels:
    """Models of AWS Bedrock; implements `Models`.

    `ambient`: a credential without keys uses what the machine has (its role, its environment, its files), which is the
    operator's and not the tenant's; otherwise it is refused. The endpoints are AWS's own unless they are given.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ambient: bool = False,
        region: str = REGION,
        endpoint_url: str | None = None,
        control_endpoint_url: str | None = None,
    ) -> None:
        endpoints = {"bedrock-runtime": endpoint_url, "bedrock": control_endpoint_url}
        self._clients = Clients(PROVIDER, clock, ambient=ambient, region=region, endpoints=endpoints)

    async def complete(self, access: Access, prompt: Prompt) -> Completion:
        payload = _payload(prompt)
        async with self._clients.open("bedrock-runtime", access) as client:
            reply = await by(deadline(prompt.timeout_ms), client.converse(**payload))
            text = [_said(block, as_tool="toolConfig" in payload) for block in reply["output"]["message"]["content"]]
            usage, stop = usage_of(reply["usage"]), _stop(reply["stopReason"])
        return Gathering(PROVIDER, prompt.model, text, usage, stop).completion()

    async def stream(self, access: Access, prompt: Prompt) -> AsyncIterator[Delta]:
        payload, gathering = _payload(prompt), Gathering(PROVIDER, prompt.model)
        async with aclosing(self._events(access, payload, deadline(prompt.timeout_ms))) as events:
            async for event in events:
                if text := _take(event, gathering, as_tool="toolConfig" in payload):
                    yield Delta(text)
        yield Delta(completion=gathering.completion())

    async def embed(self, access: Access, model: str, texts: Sequence[str]) -> Embeddings:
        write, most = _embedder(model)
        parts = []
        async with self._clients.open("bedrock-runtime", access) as client:
            for portion in batches(texts, most):
                body = msgspec.json.encode(write(portion))
                invoked = client.invoke_model(modelId=model, body=body, contentType=JSON, accept=JSON)
                parts.append(await by(deadline(TIMEOUT_MS), _vectors(invoked, len(portion))))
        return embeddings(parts, model)

    async def check(self, access: Access) -> None:
        """ListFoundationModels, which the credential must be allowed to do."""
        async with self._clients.open("bedrock", access) as client:
            await by(deadline(TIMEOUT_MS), client.list_foundation_models())

    async def _events(
        self, access: Access, payload: dict[str, Any], end: float
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        async with self._clients.open("bedrock-runtime", access) as client:
            reply = await by(end, client.converse_stream(**payload))
            with closing(reply["stream"]) as stream:
                events = aiter(stream)
                while (event := await by(end, anext(events, None))) is not None:
                    yield event


# ---- what is asked -----------------------------------------------------------------------------------------------


def _payload(prompt: Prompt) -> dict[str, Any]:
    system, schema = system_of(prompt), schema_of(prompt)
    limits = without_nones(maxTokens=prompt.max_tokens, temperature=temperature_of(prompt, most=1.0))
    pictures = [_picture(image) for image in images_of(prompt)]
    text = text_of(prompt, schema_sent=schema is not None)
    return without_nones(
        modelId=prompt.model,
        messages=[{"role": "user", "content": [*pictures, {"text": text}]}],
        system=[{"text": system}] if system else None,
        inferenceConfig=limits or None,
        toolConfig=_tool(schema) if schema is not None else None,
    )


def _tool(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool whose input is the answer, which the model is made to call."""
    plain = json.loads(json.dumps(schema))
    tool = {"name": TOOL, "description": "Give the answer.", "inputSchema": {"json": plain}}
    return {"tools": [{"toolSpec": tool}], "toolChoice": {"tool": {"name": TOOL}}}


def _picture(image: Image) -> dict[str, Any]:
    kind = image.media_type.removeprefix("image/").replace("jpg", "jpeg")
    return {"image": {"format": kind, "source": {"bytes": bytes_of(image, PROVIDER)}}}


# ---- what is answered --------------------------------------------------------------------------------------------


def usage_of(tokens: Mapping[str, int]) -> Usage:
    """What went in with what came from the cache and went into it, which AWS counts apart."""
    cached = tokens.get("cacheReadInputTokens", 0)
    fresh = tokens["inputTokens"] + tokens.get("cacheWriteInputTokens", 0)
    return Usage(fresh + cached, tokens["outputTokens"], cached)


def _stop(reason: str) -> Stop:
    """Why it ended. To call the tool is an end as any other: there is but the one."""
    if reason in _BROKEN:
        raise failed("bad_answer", PROVIDER)
    return "end" if reason == "tool_use" else STOPS.get(reason, "other")


def _said(block: Mapping[str, Any], *, as_tool: bool) -> str:
    """The text of a block. With a tool, what the model says around its call is no part of the answer."""
    if not as_tool:
        return str(block.get("text", ""))
    return json.dumps(block["toolUse"]["input"], ensure_ascii=False) if "toolUse" in block else ""


def _take(event: Mapping[str, Any], gathering: Gathering, *, as_tool: bool) -> str:
    """Takes in one event; the text that it adds. The last one, `metadata`, counts the tokens."""
    if "messageStop" in event:
        gathering.stop = _stop(event["messageStop"]["stopReason"])
    if "metadata" in event:
        gathering.usage = usage_of(event["metadata"]["usage"])
    delta = event.get("contentBlockDelta", {}).get("delta", {})
    text = str(delta.get("toolUse", {}).get("input", "") if as_tool else delta.get("text", ""))
    gathering.text.append(text)
    return text


# ---- vectors -----------------------------------------------------------------------------------------------------


def _embedder(model: str) -> tuple[Callable[[Sequence[str]], dict[str, Any]], int]:
    """How a portion of texts is written for that model, and how many are taken at once."""
    if "titan-embed" in model:
        return lambda texts: {"inputText": texts[0]}, 1
    if "cohere.embed" in model:
        return lambda texts: {"texts": list(texts), "input_type": "search_document", "embedding_types": ["float"]}, 96
    words = "AWS Bedrock makes vectors with amazon.titan-embed-… and cohere.embed-… here: choose one of these."
    raise ModelFailed("invalid_request", words)


async def _vectors(invoked: Awaitable[Mapping[str, Any]], expected: int) -> tuple[Sequence[Sequence[float]], int]:
    reply = await invoked
    found = msgspec.json.decode(await reply["body"].read(), type=_Vectors)
    vectors = checked(found.rows(), expected, PROVIDER)
    return vectors, int(reply["ResponseMetadata"]["HTTPHeaders"].get(_TOKENS, 0))
