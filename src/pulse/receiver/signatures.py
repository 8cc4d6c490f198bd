"""Signatures of webhooks, checked on the raw bytes, in constant time, with every live secret of the source."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pulse.receiver.problems import InvalidSignature
from pulse.tenancy.records import Source

WINDOW_S = 300
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Delivery:
    """What a verified webhook says about itself: its event, its own id (for repeats), and the headers worth keeping."""

    event: str
    id: str | None
    headers: dict[str, str]


def verify(source: Source, headers: Headers, raw: bytes, now_ms: int) -> Delivery:
    """The delivery, where the signature fits. Raises InvalidSignature."""
    return VERIFIERS[source.kind](source, headers, raw, now_ms)


def _github(source: Source, headers: Headers, raw: bytes, _now_ms: int) -> Delivery:
    """https://docs.github.com/webhooks: `X-Hub-Signature-256: sha256=<hex>` over the body."""
    given = headers.get("x-hub-signature-256", "")
    if not any(_same(f"sha256={_hex(secret.encode(), raw)}", given) for secret in source.secrets):
        raise InvalidSignature
    kept = _kept(headers, "x-github-event", "x-github-delivery", "x-github-hook-id")
    return Delivery(headers.get("x-github-event", "unknown"), headers.get("x-github-delivery"), kept)


def _standard(source: Source, headers: Headers, raw: bytes, now_ms: int) -> Delivery:
    """Standard Webhooks 1.0: `webhook-signature: v1,<base64> …` over `id.timestamp.body`, within five minutes."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or "." in message_id or not re.fullmatch("[0-9]{1,12}", sent_at):
        raise InvalidSignature("webhook-id and webhook-timestamp are needed, in the form that Standard Webhooks says.")
    if abs(now_ms / 1000 - int(sent_at)) > WINDOW_S:
        raise InvalidSignature("webhook-timestamp is more than five minutes away from now.")
    signed = f"{message_id}.{sent_at}.".encode() + raw
    given = [entry[3:] for entry in headers.get("webhook-signature", "").split(" ") if entry.startswith("v1,")]
    wanted = [_base64(_standard_key(secret), signed) for secret in source.secrets]
    if not any(_same(one, other) for one in wanted for other in given):
        raise InvalidSignature
    return Delivery("message", message_id, _kept(headers, "webhook-id", "webhook-timestamp"))


def _hmac(source: Source, headers: Headers, raw: bytes, _now_ms: int) -> Delivery:
    """`X-Signature-256: sha256=<hex>` over the body; `X-Event` and `X-Delivery` where the sender has them."""
    given = headers.get("x-signature-256", "")
    if not any(_same(f"sha256={_hex(secret.encode(), raw)}", given) for secret in source.secrets):
        raise InvalidSignature
    return Delivery(
        headers.get("x-event", "message"), headers.get("x-delivery"), _kept(headers, "x-event", "x-delivery")
    )


def _none(_source: Source, headers: Headers, _raw: bytes, _now_ms: int) -> Delivery:
    return Delivery(
        headers.get("x-event", "message"), headers.get("x-delivery"), _kept(headers, "x-event", "x-delivery")
    )


VERIFIERS: Mapping[str, Callable[[Source, Headers, bytes, int], Delivery]] = {
    "github": _github,
    "standard": _standard,
    "hmac": _hmac,
    "none": _none,
}


def _kept(headers: Headers, *names: str) -> dict[str, str]:
    wanted = (*names, "user-agent", "content-type")
    return {name: headers[name][:500] for name in wanted if name in headers}


def _hex(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _base64(key: bytes, data: bytes) -> str:
    return base64.b64encode(hmac.digest(key, data, "sha256")).decode()


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return secret.encode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))
