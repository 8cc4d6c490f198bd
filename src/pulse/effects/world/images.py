"""Pictures for models: from `data:` addresses, from base64, or fetched, by the rules of `egress/` (platform.md 12)."""

import base64
import binascii
from typing import Any

import msgspec

from pulse.effects.calls import EffectFailed
from pulse.effects.world.web import Web
from pulse.egress.port import Request
from pulse.models.port import Image

MAX_IMAGES = 10
MAX_BYTES = 5 * 1024 * 1024
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def kind_of(data: bytes) -> str | None:
    """The media type that the first bytes tell; None for what is no PNG, JPEG, GIF or WebP."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), None)


def listed(given: Any) -> list[str]:
    """The pictures of a call: a list of texts, or that list as JSON text. Raises EffectFailed."""
    if given is None or given == "":
        return []
    try:
        found = msgspec.convert(msgspec.json.decode(given) if isinstance(given, str) else given, list[str])
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise EffectFailed("invalid_arguments", "imageUrlsJson: the JSON text of a list of addresses.") from None
    if len(found) > MAX_IMAGES:
        words = f"imageUrlsJson: at most {MAX_IMAGES} pictures, not {len(found)}."
        raise EffectFailed("invalid_arguments", words)
    return found


async def images_of(given: Any, web: Web) -> list[Image]:
    """The pictures themselves. Raises EffectFailed."""
    return [await _image(text, web) for text in listed(given)]


async def _image(text: str, web: Web) -> Image:
    data = await _fetched(text, web) if text.startswith(("http://", "https://")) else _decoded(text)
    kind = kind_of(data)
    if kind is None:
        raise EffectFailed("invalid_image", "A picture is a PNG, JPEG, GIF or WebP.")
    if len(data) > MAX_BYTES:
        raise EffectFailed("invalid_image", f"A picture has at most {MAX_BYTES // 1024 // 1024} MB.")
    return Image(data=data, media_type=kind)


async def _fetched(url: str, web: Web) -> bytes:
    reply = await web.send(Request("GET", url, (("accept", "image/*"),), max_bytes=MAX_BYTES))
    if reply.status != 200:
        raise EffectFailed(
            "invalid_image", f"The picture's server answered {reply.status}.", retryable=reply.status >= 500
        )
    return reply.body


def _decoded(text: str) -> bytes:
    head, comma, rest = text.partition(",")
    try:
        return base64.b64decode(rest if comma and head.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise EffectFailed("invalid_image", "A picture is an address, a data: address, or base64.") from None
