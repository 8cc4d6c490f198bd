"""Reads request bodies within their limits, compressed ones too, and makes messages of them."""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from pulse.core.errors import Forbidden, InvalidMessage, TooLarge
from pulse.core.json import MAX_DEPTH, MAX_KEYS, one_line, parse
from pulse.receiver.problems import InvalidEncoding, UnsupportedMediaType
from pulse.tenancy.access import Principal

# Shorter than the names alone of a message that has too many of them.
QUICK_BYTES = 5 * MAX_KEYS
# An integer of so many digits may be larger than any double; msgspec takes it all the same.
LONG_NUMBER = b"0" * 309
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
ENCODINGS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def headers_of(request: Request) -> dict[str, str]:
    """The request's headers, read once; of several with one name the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(request.scope["headers"])}


async def read_body(request: Request, headers: Mapping[str, str], limit: int) -> bytes:
    """The body, unpacked. Raises TooLarge as soon as it is, InvalidEncoding, UnsupportedMediaType."""
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit, int(declared))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large(limit, size)
        parts.append(part)
    return _unpacked(b"".join(parts), headers.get("content-encoding", "identity"), limit)


def too_large(limit: int, size: int) -> TooLarge:
    return TooLarge(f"The body has more than {limit} bytes (at least {size}).", limit=limit, size=size)


def require_json(headers: Mapping[str, str], *also: str) -> str:
    """The media type of the body, which must be JSON or one of `also`; none given counts as JSON."""
    media = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json") or media in also:
        return media
    raise UnsupportedMediaType


def require_json_hook(headers: Mapping[str, str]) -> None:
    """As `require_json`, for webhooks. Raises UnsupportedMediaType, which tells Slack's apps what is taken."""
    try:
        require_json(headers)
    except UnsupportedMediaType:
        if "x-slack-signature" not in headers:
            raise
        words = "Slack's slash commands, buttons and dialogs come as forms, which are not taken:"
        raise UnsupportedMediaType(f"{words} use its Events API, whose messages are JSON.") from None


def _unpacked(raw: bytes, encoding: str, limit: int) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in ENCODINGS:
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r} is not taken: use gzip, deflate or none.")
    unpacker = zlib.decompressobj(ENCODINGS[encoding])
    try:
        body = unpacker.decompress(raw, limit + 1)
    except zlib.error:
        raise InvalidEncoding from None
    if len(body) > limit:
        raise too_large(limit, len(body))
    if not unpacker.eof:
        raise InvalidEncoding("The compressed body ends too early.")
    if unpacker.unused_data:
        raise InvalidEncoding("Something follows the compressed body: compress it as a whole.")
    return body


class Envelope(msgspec.Struct, frozen=True):
    """A message as it will be stored: one line of JSON that names its organization and environment."""

    payload: bytes
    type: str | None


def envelope(raw: bytes, principal: Principal) -> Envelope:
    """Checks a message and fills in what its key says. Raises InvalidJson, InvalidMessage, Forbidden."""
    return envelope_of(parse_quickly(raw), raw, principal)


def parse_quickly(raw: bytes) -> Any:
    """Like `parse`, at a quarter of the cost where the text is what a machine writes.

    A text that comes out the same when it is read and written again has no name twice, no number that a double cannot
    hold and no half of a surrogate pair: what is left to check is its size. Any other text takes the long way.
    """
    text = raw.strip()
    if len(raw) < QUICK_BYTES and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH and b"\\u" not in raw:
        try:
            value = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return parse(raw)
        if _encode(value) == text and LONG_NUMBER not in raw.translate(_ZEROS):
            return value
    return parse(raw)


def envelope_of(message: Any, raw: bytes, principal: Principal) -> Envelope:
    """Like `envelope`, for a message that is parsed already; the bytes are kept as they came."""
    if not isinstance(message, dict):
        raise InvalidMessage
    kind = message.get("type")
    if kind is not None and (not isinstance(kind, str) or len(kind) > 200):
        raise InvalidMessage("`type` is text of at most 200 characters, or absent.", path="type")
    missing = _missing_ids(message, principal)
    line = one_line(raw).strip()
    if missing:
        line = b"{" + missing + (b"," if message else b"") + line[1:]
    return Envelope(line, kind)


def hook_envelope(raw: bytes, kind: str, headers: dict[str, str], principal: Principal) -> Envelope:
    """A webhook's message: `{type, payload, headers}`."""
    if not isinstance(parse(raw, max_depth=MAX_DEPTH - 1), dict | list):
        raise InvalidMessage("A webhook's body is a JSON object or array.")
    head = {"organizationId": principal.organization_id, "environmentId": principal.environment_id, "type": kind}
    line = msgspec.json.encode(head)[:-1] + b',"payload":' + one_line(raw).strip()
    return Envelope(line + b',"headers":' + msgspec.json.encode(headers) + b"}", kind)


def _missing_ids(message: dict[str, Any], principal: Principal) -> bytes:
    missing = []
    for name, own in (("organizationId", principal.organization_id), ("environmentId", principal.environment_id)):
        given = message.get(name)
        if name not in message:
            missing.append(b'"%s":"%s"' % (name.encode(), own.encode()))
        elif given != own:
            raise Forbidden(f"The message names another {name} than its key does.", path=name)
    return b",".join(missing)
