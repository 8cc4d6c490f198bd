"""OpenAI: Chat Completions, Responses, embeddings and the list of models."""

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
    sse,
    vector,
)

KEY = "sk-proj-pulse-T3BlbkFJ0123456789abcdefghij"


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a request."""


class ImageUrl(Strict):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class TextPart(Strict, tag="text", tag_field="type"):
    text: str


class ImagePart(Strict, tag="image_url", tag_field="type"):
    image_url: ImageUrl


class Message(Strict):
    role: Literal["system", "developer", "user"]
    content: str | list[TextPart | ImagePart]


class JsonSchema(Strict):
    name: str
    schema: dict[str, Any]
    strict: bool
    description: str | None = None


class ResponseFormat(Strict):
    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(Strict):
    include_usage: bool


class ChatRequest(Strict):
    model: str
    messages: list[Message]
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: ResponseFormat | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None


class EmbeddingsRequest(Strict):
    model: str
    input: list[str]
    encoding_format: Literal["float", "base64"] = "float"


class OpenAIPeer(Peer):
    """A strict server of Chat Completions."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = fixture("openai")

    def handle(self, received: Received) -> Answer:
        known = received.headers.get("authorization") == f"Bearer {KEY}"
        require(known, 401, self.wire["errors"]["unauthorized"]["body"]["error"]["message"].replace("$KEY", KEY))
        match (received.method, received.path):
            case ("GET", "/v1/models"):
                return Answer.of(self.wire["models"])
            case ("POST", "/v1/embeddings"):
                return self.embed(checked(received, EmbeddingsRequest))
            case _:
                return self.complete(received)

    def complete(self, received: Received) -> Answer:
        require(received.path == "/v1/chat/completions" and received.method == "POST", 404, "Unknown request URL")
        request = checked(received, ChatRequest)
        require(bool(request.messages), 400, "[] is too short - 'messages'")
        require(request.temperature is None or 0 <= request.temperature <= 2, 400, "temperature is out of range")
        if request.response_format is not None:
            require_schema(request.response_format.json_schema)
        for message in request.messages:
            require_images(message)
        texts = JSON_ANSWER if request.response_format is not None else ANSWER
        stop = self.does.stop or "stop"
        if stop == "refusal":
            return self.refused_by_the_model(streamed=request.stream)
        if stop == "content_filter":
            texts = ()
        if not request.stream:
            return Answer.of(filled(self.wire["completion"], TEXT="".join(texts), STOP=stop))
        require(
            request.stream_options == StreamOptions(include_usage=True), 400, "stream_options: usage is not asked for"
        )
        return self.stream(texts, stop)

    def refused_by_the_model(self, *, streamed: bool) -> Answer:
        if not streamed:
            return Answer.of(self.wire["refusal"])
        message = self.wire["refusal"]["choices"][0]["message"]
        chunk = {"choices": [{"index": 0, "delta": {"refusal": message["refusal"]}, "finish_reason": None}]}
        return sse([(None, json.dumps(chunk)), (None, "[DONE]")])

    def stream(self, texts: tuple[str, ...], stop: str) -> Answer:
        wire = self.wire["stream"]
        chunks = [*wire["before"], *pieces(texts, wire["delta"])]
        if self.does.error_in_stream:
            return sse([(None, json.dumps(chunk)) for chunk in [*chunks, wire["error"]]])
        chunks += filled(wire["after"], STOP=stop)
        return sse([*[(None, json.dumps(chunk)) for chunk in chunks], (None, "[DONE]")])

    def embed(self, request: EmbeddingsRequest) -> Answer:
        require(0 < len(request.input) <= 2048, 400, "'input' must have between 1 and 2048 items")
        rows = [
            filled(self.wire["embedding"], VECTOR=vector(text), INDEX=place)
            for place, text in reversed(list(enumerate(request.input)))
        ]
        return Answer.of(filled(self.wire["embeddings"], ROWS=rows, TOKENS=len(rows) * 3))

    def refusal(self, status: int, message: str) -> Answer:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return Answer.of({"error": error}, status)

    def error(self, reason: str) -> Answer:
        told = filled(self.wire["errors"][reason], KEY=KEY)
        return Answer.of(told["body"], told["status"], told.get("headers"))


def require_schema(schema: JsonSchema) -> None:
    """As the provider does: the root is an object, and a strict schema closes and requires everything."""
    require(schema.schema.get("type") == "object", 400, "schema must be a JSON Schema of 'type: \"object\"'")
    if schema.strict:
        require(schema.schema.get("additionalProperties") is False, 400, "'additionalProperties' must be false")
        require(
            set(schema.schema["properties"]) == set(schema.schema.get("required", ())), 400, "'required' is incomplete"
        )


def require_images(message: Message) -> None:
    parts = [part for part in message.content if isinstance(part, ImagePart)]
    require(not parts or message.role == "user", 400, "Image URLs are only allowed for messages with role 'user'")
    for part in parts:
        require_picture(part.image_url.url)


def require_picture(url: str) -> None:
    """An address, or a `data:` URL of a picture that can be decoded."""
    if url.startswith("https://"):
        return
    head, _, data = url.partition(";base64,")
    kinds = ("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp")
    require(head in kinds and bool(base64.b64decode(data, validate=True)), 400, "Invalid image.")


# ---- Responses ---------------------------------------------------------------------------------------------------


class InputText(Strict, tag="input_text", tag_field="type"):
    text: str


class InputImage(Strict, tag="input_image", tag_field="type"):
    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class InputMessage(Strict):
    role: Literal["user", "system", "developer"]
    content: list[InputText | InputImage]


class TextFormat(Strict):
    type: Literal["json_schema"]
    name: str
    schema: dict[str, Any]
    strict: bool


class Text(Strict):
    format: TextFormat


class ResponsesRequest(Strict):
    model: str
    input: list[InputMessage]
    store: bool
    instructions: str | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    text: Text | None = None
    stream: bool = False


class ResponsesPeer(OpenAIPeer):
    """A strict server of the Responses API."""

    def __init__(self) -> None:
        super().__init__()
        self.responses = fixture("responses")

    def complete(self, received: Received) -> Answer:
        require(received.path == "/v1/responses" and received.method == "POST", 404, "Unknown request URL")
        request = checked(received, ResponsesRequest)
        for message in request.input:
            for part in message.content:
                if isinstance(part, InputImage):
                    require_picture(part.image_url)
        if request.text is not None:
            given = request.text.format
            require_schema(JsonSchema(given.name, given.schema, given.strict))
        response = self.response(JSON_ANSWER if request.text is not None else ANSWER)
        return self.streamed(request, response) if request.stream else Answer.of(response)

    def response(self, texts: tuple[str, ...]) -> Any:
        stop = self.does.stop or "completed"
        status = stop if stop in ("completed", "failed") else "incomplete"
        why = {"reason": stop} if status == "incomplete" else None
        text = "" if stop in ("content_filter", "failed") else "".join(texts)
        if stop == "refusal":
            status, why = "completed", None
        made = filled(self.responses["completion"], TEXT=text, STATUS=status, INCOMPLETE=why)
        if stop == "refusal":
            made["output"][-1] = self.responses["refusal"]
        if stop == "failed":
            made["error"], made["output"] = self.responses["failed"], []
        return made

    def streamed(self, request: ResponsesRequest, response: Any) -> Answer:
        started = response | {"status": "in_progress", "output": [], "usage": None}
        first = [
            {"type": "response.created", "response": started},
            {"type": "response.in_progress", "response": started},
        ]
        texts = JSON_ANSWER if request.text is not None else ANSWER
        deltas = list(pieces(texts, self.responses["delta"]))
        item = response["output"][-1] if response["output"] else None
        last = [{"type": "response.output_item.done", "output_index": 1, "item": item}] if item else []
        last += [{"type": f"response.{response['status']}", "response": response}]
        if self.does.error_in_stream:
            last = [self.responses["error"]]
        return sse([(event["type"], json.dumps(event)) for event in [*first, *deltas, *last]])
