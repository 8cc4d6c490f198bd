"""Google: generateContent, batchEmbedContents, the list of models, and the grant of tokens to service accounts."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

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

KEY = "AIzaSyPulse-0123456789abcdefghijklmnopq"
TOKEN = "ya29.c.pulse-access-token-0123456789"


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A part of a request."""


class Inline(Strict):
    mime_type: Literal["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif"]
    data: str


class Part(Strict):
    text: str | None = None
    inline_data: Inline | None = None


class Content(Strict):
    parts: list[Part]
    role: Literal["user", "model"] | None = None


class Config(Strict):
    temperature: float | None = None
    max_output_tokens: int | None = None
    response_mime_type: Literal["application/json", "text/plain"] | None = None
    response_json_schema: Any = None


class GenerateRequest(Strict):
    contents: list[Content]
    system_instruction: Content | None = None
    generation_config: Config | None = None


class EmbedRequest(Strict):
    model: str
    content: Content


class BatchRequest(Strict):
    requests: list[EmbedRequest]


@dataclass(frozen=True)
class Account:
    """A service account of the test's own."""

    key: RSAPrivateKey
    email: str = "pulse@demo-project.iam.gserviceaccount.com"
    key_id: str = "2b0f0c1d8e7a4f3e9c6b5a4d3c2b1a0f9e8d7c6b"

    def file(self, token_uri: str) -> str:
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "demo-project",
                "private_key_id": self.key_id,
                "private_key": pem,
                "client_email": self.email,
                "client_id": "103456789012345678901",
                "token_uri": token_uri,
            }
        )


@cache
def account() -> Account:
    """Made once: a key takes a while."""
    return Account(generate_private_key(public_exponent=65537, key_size=2048))


class GooglePeer(Peer):
    """A strict server of the Gemini API, version v1beta, that grants tokens at /token."""

    def __init__(self, now_s: int = 1_700_000_000) -> None:
        super().__init__()
        self.wire = fixture("google")
        self.now_s = now_s
        self.granted = 0
        self.revoked = False

    def handle(self, received: Received) -> Answer:
        if received.path == "/token":
            return self.grant(received)
        self.require_known(received)
        if (received.method, received.path, received.query) == ("GET", "/v1beta/models", "pageSize=1"):
            return Answer.of(self.wire["models"])
        head, _, name = received.path.partition("/v1beta/models/")
        model, _, method = name.rpartition(":")
        require(received.method == "POST" and head == "" and "/" not in model, 404, "Requested entity was not found.")
        match (method, received.query):
            case ("generateContent", ""):
                return self.complete(checked(received, GenerateRequest), streamed=False)
            case ("streamGenerateContent", "alt=sse"):
                return self.complete(checked(received, GenerateRequest), streamed=True)
            case ("batchEmbedContents", ""):
                return self.embed(unquote(model), checked(received, BatchRequest))
            case _:
                raise AssertionError(f"unknown method {received.path}?{received.query}")

    def concerned(self, received: Received) -> bool:
        return received.path != "/token"

    def require_known(self, received: Received) -> None:
        if "x-goog-api-key" in received.headers:
            known = received.headers["x-goog-api-key"] == KEY and "authorization" not in received.headers
            require(
                known, 400, f"API key not valid: {received.headers['x-goog-api-key']}. Please pass a valid API key."
            )
        else:
            known = received.headers.get("authorization") == f"Bearer {TOKEN}-{self.granted}" and not self.revoked
            require(known, 401, f"Request had invalid credentials: {received.headers.get('authorization')}")

    def complete(self, request: GenerateRequest, *, streamed: bool) -> Answer:
        config = request.generation_config or Config()
        for part in request.contents[0].parts:
            require((part.text is None) != (part.inline_data is None), 400, "a part has exactly one field of 'data'")
            if part.inline_data is not None:
                require(
                    bool(base64.b64decode(part.inline_data.data, validate=True)), 400, "Unable to process input image."
                )
        wants_json = config.response_json_schema is not None
        require(
            not wants_json or config.response_mime_type == "application/json", 400, "response_mime_type must be JSON"
        )
        stop = self.does.stop or "STOP"
        texts = JSON_ANSWER if wants_json else ANSWER
        if stop == "SAFETY":
            texts = ()
        if stop == "BLOCKED":
            return sse([(None, json.dumps(self.wire["blocked"]))]) if streamed else Answer.of(self.wire["blocked"])
        if not streamed:
            return Answer.of(filled(self.wire["completion"], TEXT="".join(texts), STOP=stop))
        return self.stream(texts, stop)

    def stream(self, texts: tuple[str, ...], stop: str) -> Answer:
        wire = self.wire["stream"]
        events = list(pieces(texts, wire["delta"]))
        events += [wire["error"]] if self.does.error_in_stream else filled(wire["after"], STOP=stop)
        return sse([(None, json.dumps(event)) for event in events])

    def embed(self, model: str, batch: BatchRequest) -> Answer:
        require(0 < len(batch.requests) <= 100, 400, "at most 100 requests can be in one batch")
        require(all(one.model == f"models/{model}" for one in batch.requests), 400, "model must match the path")
        texts = [one.content.parts[0].text or "" for one in batch.requests]
        return Answer.of({"embeddings": [{"values": vector(text)} for text in texts]})

    def grant(self, received: Received) -> Answer:
        """RFC 7523: the assertion must be signed by the account, for this server, and be of this hour."""
        form = {name: values[0] for name, values in parse_qs(received.body.decode()).items()}
        require(received.headers["content-type"] == "application/x-www-form-urlencoded", 400, "invalid_request")
        require(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", 400, "unsupported_grant_type")
        content, _, signature = form["assertion"].rpartition(".")
        header, claims = (json.loads(decoded(part)) for part in content.split("."))
        account().key.public_key().verify(decoded(signature), content.encode(), PKCS1v15(), SHA256())
        good = header == {"alg": "RS256", "typ": "JWT", "kid": account().key_id}
        good &= claims["iss"] == account().email and claims["aud"] == f"{self.url}/token"
        good &= claims["iat"] == self.now_s and claims["exp"] == self.now_s + 3600
        good &= claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
        require(good, 400, "invalid_grant")
        self.granted += 1
        self.revoked = False
        token = f"{TOKEN}-{self.granted}"
        return Answer.of({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def refusal(self, status: int, message: str) -> Answer:
        if message in ("invalid_grant", "invalid_request", "unsupported_grant_type"):
            return Answer.of({"error": message, "error_description": "Invalid JWT Signature."}, status)
        name = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND"}[status]
        return Answer.of({"error": {"code": status, "message": message, "status": name}}, status)

    def error(self, reason: str) -> Answer:
        told = self.wire["errors"][reason]
        return Answer.of(told["body"], told["status"])


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
