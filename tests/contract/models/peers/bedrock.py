"""AWS Bedrock: Converse, ConverseStream, InvokeModel and ListFoundationModels, signed."""

import base64
import json
import re
import struct
import zlib
from typing import Any, Literal
from urllib.parse import unquote

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
    vector,
)

ACCESS_KEY = "AKIAPULSE0123456789A"
SECRET_KEY = "pulse/secret+wJalrXUtnFEMI/K7MDENG/bPxRfiCY"
REGION = "us-east-2"
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/\d{8}/(?P<region>[\w-]+)/bedrock/aws4_request, "
    r"SignedHeaders=(?P<headers>[\w;-]+), Signature=[0-9a-f]{64}"
)


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a request."""


class Source(Strict):
    bytes: str


class Image(Strict):
    format: Literal["png", "jpeg", "gif", "webp"]
    source: Source


class Block(Strict):
    text: str | None = None
    image: Image | None = None


class Message(Strict):
    role: Literal["user", "assistant"]
    content: list[Block]


class System(Strict):
    text: str


class Inference(Strict):
    maxTokens: int | None = None  # noqa: N815 - the names of the wire
    temperature: float | None = None


class InputSchema(Strict):
    json: dict[str, Any]


class ToolSpec(Strict):
    name: str
    inputSchema: InputSchema  # noqa: N815
    description: str | None = None


class Tool(Strict):
    toolSpec: ToolSpec  # noqa: N815


class Named(Strict):
    name: str


class ToolChoice(Strict):
    tool: Named


class ToolConfig(Strict):
    tools: list[Tool]
    toolChoice: ToolChoice | None = None  # noqa: N815


class ConverseRequest(Strict):
    messages: list[Message]
    system: list[System] | None = None
    inferenceConfig: Inference | None = None  # noqa: N815
    toolConfig: ToolConfig | None = None  # noqa: N815


class TitanRequest(Strict):
    inputText: str  # noqa: N815


class CohereRequest(Strict):
    texts: list[str]
    input_type: Literal["search_document", "search_query"]
    embedding_types: list[Literal["float"]]


class BedrockPeer(Peer):
    """A strict server of both Bedrock endpoints. It sees that requests are signed, and by whom."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = fixture("bedrock")

    def handle(self, received: Received) -> Answer:
        signed = _SIGNED.fullmatch(received.headers.get("authorization", ""))
        require(signed is not None and signed["region"] == REGION, 403, "IncompleteSignatureException")
        assert signed is not None
        require({"host", "x-amz-date"} <= set(signed["headers"].split(";")), 403, "IncompleteSignatureException")
        require(signed["key"] == ACCESS_KEY, 403, "UnrecognizedClientException")
        if (received.method, received.path) == ("GET", "/foundation-models"):
            return Answer.of(self.wire["models"])
        _, start, model, method = received.path.split("/")
        require((received.method, start) == ("POST", "model"), 404, "UnknownOperationException")
        match method:
            case "converse":
                return self.complete(checked(received, ConverseRequest), streamed=False)
            case "converse-stream":
                return self.complete(checked(received, ConverseRequest), streamed=True)
            case "invoke":
                return self.embed(unquote(model), received)
            case _:
                raise AssertionError(f"unknown operation {received.path}")

    def complete(self, request: ConverseRequest, *, streamed: bool) -> Answer:
        config = request.inferenceConfig or Inference()
        require(config.temperature is None or 0 <= config.temperature <= 1, 400, "ValidationException")
        for block in request.messages[0].content:
            require((block.text is None) != (block.image is None), 400, "ValidationException")
            if block.image is not None:
                require(bool(base64.b64decode(block.image.source.bytes, validate=True)), 400, "ValidationException")
        tool = request.toolConfig
        if tool is not None:
            chosen = tool.toolChoice is not None and tool.toolChoice.tool.name == tool.tools[0].toolSpec.name
            require(chosen and tool.tools[0].toolSpec.inputSchema.json["type"] == "object", 400, "ValidationException")
        if streamed:
            return self.stream(as_tool=tool is not None)
        if tool is not None and self.does.stop is None:
            return Answer.of(filled(self.wire["tool"], INPUT=json.loads("".join(JSON_ANSWER))))
        text = "" if self.does.stop == "guardrail_intervened" else "".join(ANSWER)
        return Answer.of(filled(self.wire["completion"], TEXT=text, STOP=self.does.stop or "end_turn"))

    def stream(self, *, as_tool: bool) -> Answer:
        wire = self.wire["stream"]
        stop = self.does.stop or ("tool_use" if as_tool else "end_turn")
        texts = () if stop == "guardrail_intervened" else JSON_ANSWER if as_tool else ANSWER
        events = [*wire["before"], *([wire["start"]] if as_tool else [])]
        events += pieces(texts, wire["input" if as_tool else "delta"])
        framed = b"".join(frame(name, value) for name, value in events)
        if self.does.error_in_stream:
            framed += frame(wire["error"][0], wire["error"][1], kind="exception")
        else:
            framed += b"".join(frame(name, value) for name, value in filled(wire["after"], STOP=stop))
        return Answer(framed, headers={"content-type": "application/vnd.amazon.eventstream"})

    def embed(self, model: str, received: Received) -> Answer:
        if model.startswith("amazon.titan-embed"):
            text = checked(received, TitanRequest).inputText
            require(bool(text), 400, "ValidationException")
            return counted({"embedding": vector(text), "inputTextTokenCount": 3}, 3)
        texts = checked(received, CohereRequest).texts
        require(0 < len(texts) <= 96, 400, "ValidationException")
        rows = [vector(text) for text in texts]
        by_type = {"float": rows} if "v4" in model else rows
        return counted(
            {"id": "1", "texts": texts, "embeddings": by_type, "response_type": "embeddings_by_type"}, len(texts) * 3
        )

    def refusal(self, status: int, message: str) -> Answer:
        body = {"message": "The request is not valid."}
        return Answer.of(body, status, {"x-amzn-errortype": message if message.isalnum() else "ValidationException"})

    def error(self, reason: str) -> Answer:
        told = self.wire["errors"][reason]
        kind = f"{told['type']}:http://internal.amazon.com/coral/com.amazon.bedrock/"
        return Answer.of(told["body"], told["status"], {"x-amzn-errortype": kind, **told.get("headers", {})})


def counted(value: Any, tokens: int) -> Answer:
    return Answer.of(value, headers={"x-amzn-bedrock-input-token-count": str(tokens)})


def frame(name: str, value: Any, kind: str = "event") -> bytes:
    """One message of vnd.amazon.eventstream: lengths and their checksum, headers, payload, checksum."""
    told = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode()
        for key, text in told.items()
    )
    payload = json.dumps(value).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))
