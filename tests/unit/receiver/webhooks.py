"""What senders of webhooks do: sign a body the way their scheme says."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

BODY = json.dumps({"action": "opened", "number": 7}).encode()
SECRET = "a secret of the sender"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def hex_of(secret: str, body: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def github(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    headers = {"x-hub-signature-256": f"sha256={hex_of(secret, body)}", "x-github-event": "issues"}
    return {**headers, "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}


def plain_hmac(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    return {"x-signature-256": f"sha256={hex_of(secret, body)}"}


def standard_signature(
    body: bytes,
    secret: str = STANDARD_SECRET,
    message_id: str = "msg_1",
    sent_at: Any = None,
    algorithm: str = "sha256",
) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{sent_at}.".encode() + body, getattr(hashlib, algorithm)).digest()
    return "v1," + base64.b64encode(digest).decode()


def standard(
    body: bytes = BODY, secret: str = STANDARD_SECRET, message_id: str = "msg_1", sent_at: int | None = None
) -> dict[str, str]:
    at = int(time.time()) if sent_at is None else sent_at
    signature = standard_signature(body, secret, message_id, at)
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


def stripe(body: bytes = BODY, secret: str = SECRET, sent_at: int | None = None) -> dict[str, str]:
    at = int(time.time()) if sent_at is None else sent_at
    return {"stripe-signature": f"t={at},v1={hex_of(secret, f'{at}.'.encode() + body)},v0={'0' * 64}"}


def slack(body: bytes = BODY, secret: str = SECRET, sent_at: int | None = None) -> dict[str, str]:
    at = int(time.time()) if sent_at is None else sent_at
    signature = f"v0={hex_of(secret, f'v0:{at}:'.encode() + body)}"
    return {"x-slack-signature": signature, "x-slack-request-timestamp": str(at)}
