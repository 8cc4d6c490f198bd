"""Anthropic: Messages and the list of models."""

import base64
import json
from typing import Any, Literal

import msgspec

from tests.contract.models.peers.serving import (
    ANSWER,
    JSON_ANSWER,
    Answer,
    Peer,
    Received,
    checked,
    filled,
    fixture,
    pieces,
    require,
    require_header,
    sse,
)

KEY = "sk-ant-api03-pulse-0123456789abcdefghijklmnop"
# What the output format does not take in a schema.
REFUSED = {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "multipleOf", "uniqueItems"}


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a request."""


class UrlSource(Strict, tag="url", tag_field="type"):
    url: str


class BytesSource(Strict, tag="base64", tag_field="type"):
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    data: str


class TextBlock(Strict, tag="text", tag_field="type"):
    text: str


class ImageBlock(Strict, tag="image", tag_field="type"):
    source: UrlSource | BytesSource


class Message(Strict):
    role: Literal["user", "assistant"]
    content: list[TextBlock | ImageBlock]


class Format(Strict):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Strict):
    format: Format


class MessagesRequest(Strict):
    model: str
    max_tokens: int
    messages: list[Message]
    system: str | None = None
    temperature: float | None = None
    output_config: OutputConfig | None = None
    stream: bool = False


class AnthropicPeer(Peer):
    """A strict server of Messages, version 2023-06-01."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = fixture("anthropic")

    def handle(self, received: Received) -> Answer:
        require_header(received, "x-api-key", KEY, 401, f"invalid x-api-key {received.headers.get('x-api-key')}")
        require("authorization" not in received.headers, 400, "authorization: not with x-api-key")
        require_header(received, "anthropic-version", "2023-06-01", 400, "anthropic-version: header is required")
        if (received.method, received.path, received.query) == ("GET", "/v1/models", "limit=1"):
            return Answer.of(self.wire["models"])
        require((received.method, received.path) == ("POST", "/v1/messages"), 404, "Not found")
        return self.complete(checked(received, MessagesRequest))

    def complete(self, request: MessagesRequest) -> Answer:
        require(request.temperature is None or 0 <= request.temperature <= 1, 400, "temperature: range: 0..1")
        require(request.max_tokens > 0, 400, "max_tokens: must be greater than or equal to 1")
        for block in request.messages[0].content:
            if isinstance(block, ImageBlock):
                require_source(block.source)
        if request.output_config is not None:
            require_closed(request.output_config.format.schema)
        texts = ANSWER if request.output_config is None else JSON_ANSWER
        stop = self.does.stop or "end_turn"
        if stop == "refusal":
            texts = ()
        if request.stream:
            return self.stream(texts, stop)
        return Answer.of(filled(self.wire["completion"], TEXT="".join(texts), STOP=stop))

    def stream(self, texts: tuple[str, ...], stop: str) -> Answer:
        wire = self.wire["stream"]
        events = [*wire["before"], *pieces(texts, wire["delta"])]
        events += [wire["error"]] if self.does.error_in_stream else filled(wire["after"], STOP=stop)
        return sse([(event["type"], json.dumps(event)) for event in events])

    def refusal(self, status: int, message: str) -> Answer:
        kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
        error = {"type": kinds.get(status, "invalid_request_error"), "message": message}
        return Answer.of({"type": "error", "error": error, "request_id": "req_1"}, status)

    def error(self, reason: str) -> Answer:
        told = self.wire["errors"][reason]
        return Answer.of(told["body"], told["status"], told.get("headers"))


def require_source(source: UrlSource | BytesSource) -> None:
    if isinstance(source, UrlSource):
        require(source.url.startswith("https://"), 400, "image.source.url: only HTTPS URLs are supported")
    else:
        require(bool(base64.b64decode(source.data, validate=True)), 400, "image.source.base64: invalid base64 data")


def require_closed(schema: Any) -> None:
    """As the provider does: every object is closed, and nothing is bounded."""
    if isinstance(schema, list):
        for part in schema:
            require_closed(part)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        require(
            schema.get("additionalProperties") is False, 400, "For 'object' type, 'additionalProperties' must be false"
        )
    require(
        not REFUSED & set(schema), 400, f"output_config.format.schema: not supported: {sorted(REFUSED & set(schema))}"
    )
    for part in schema.values():
        require_closed(part)
