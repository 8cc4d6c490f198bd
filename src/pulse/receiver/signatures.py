"""Signatures of webhooks, checked on the raw bytes, in constant time, with every live secret of the source."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pulse.core.errors import InvalidMessage
from pulse.core.json import parse
from pulse.core.signatures import WINDOW_S, stripe_fault
from pulse.receiver.problems import InvalidSignature
from pulse.tenancy.records import Source

Headers = Mapping[str, str]
MAX_CHALLENGE = 1_000


@dataclass(frozen=True)
class Delivery:
    """What a verified webhook says about itself: its event, its own id (for repeats), and the headers worth keeping.

    `is_known_by_id`: what has the same id is the same, though its text may differ a little. `challenge`: it is no
    event, but asks whether somebody is here, and wants this back.
    """

    event: str
    id: str | None
    headers: dict[str, str]
    is_known_by_id: bool = False
    challenge: str | None = None


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


def _stripe(source: Source, headers: Headers, raw: bytes, now_ms: int) -> Delivery:
    """https://docs.stripe.com/webhooks: `Stripe-Signature: t=<seconds>,v1=<hex>` over `t.body`.

    An event that is sent again has its id, but another number of `pending_webhooks`.
    """
    fault = stripe_fault(headers.get("stripe-signature", ""), raw, source.secrets, now_ms)
    if fault is not None:
        raise InvalidSignature(fault)
    event = _object(raw)
    return Delivery(_text(event, "type") or "unknown", _text(event, "id"), _kept(headers), is_known_by_id=True)


def _slack(source: Source, headers: Headers, raw: bytes, now_ms: int) -> Delivery:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack: `X-Slack-Signature: v0=<hex>`.

    It is over `v0:timestamp:body`, within five minutes. When an address is entered there, a challenge comes first.
    """
    sent_at = headers.get("x-slack-request-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", sent_at):
        raise InvalidSignature("X-Slack-Request-Timestamp is needed, in seconds since 1970.")
    if abs(now_ms / 1000 - int(sent_at)) > WINDOW_S:
        raise InvalidSignature("X-Slack-Request-Timestamp is more than five minutes away from now.")
    given, signed = headers.get("x-slack-signature", ""), f"v0:{sent_at}:".encode() + raw
    if not any(_same(f"v0={_hex(secret.encode(), signed)}", given) for secret in source.secrets):
        raise InvalidSignature
    body, kept = _object(raw), _kept(headers, "x-slack-retry-num", "x-slack-retry-reason")
    if body.get("type") == "url_verification":
        return Delivery("url_verification", None, kept, challenge=_challenge(body))
    inner = body.get("event")
    event = _text(inner, "type") if isinstance(inner, dict) else None
    return Delivery(event or _text(body, "type") or "unknown", _text(body, "event_id"), kept, is_known_by_id=True)


def _challenge(body: dict[str, Any]) -> str:
    challenge = _text(body, "challenge")
    if challenge is None or len(challenge) > MAX_CHALLENGE:
        words = f"A url_verification has a challenge, a text of at most {MAX_CHALLENGE} characters."
        raise InvalidMessage(words, path="challenge")
    return challenge


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
    "stripe": _stripe,
    "slack": _slack,
    "hmac": _hmac,
    "none": _none,
}


def _object(raw: bytes) -> dict[str, Any]:
    """The body, where it is a JSON object. Raises InvalidJson, InvalidMessage."""
    found = parse(raw)
    if not isinstance(found, dict):
        raise InvalidMessage("The body of this kind of webhook is a JSON object.")
    return found


def _text(body: dict[str, Any], name: str) -> str | None:
    found = body.get(name)
    return found if isinstance(found, str) and found else None


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
