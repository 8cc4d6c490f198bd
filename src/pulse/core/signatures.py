"""The signature that Stripe puts on its webhooks (https://docs.stripe.com/webhooks, "Verify signatures manually").

Both faces take them: the receiver for whoever has a source of that kind, the console for what this installation sells.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

WINDOW_S = 300


def stripe_fault(header: str, raw: bytes, secrets: Iterable[str], now_ms: int) -> str | None:
    """What is wrong with `Stripe-Signature: t=<seconds>,v1=<hex>,…` over `t.body`, or None where a `v1` fits.

    Each secret may have signed it. One time alone may stand there, at most five minutes away from `now_ms` (ms since
    1970); signatures of other schemes than `v1` prove nothing.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value.encode("utf-8", "replace") for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not re.fullmatch("[0-9]{1,12}", times[0]) or not given:
        return "Stripe-Signature is needed, once, in the form t=<seconds>,v1=<signature>."
    if abs(now_ms / 1000 - int(times[0])) > WINDOW_S:
        return "Stripe-Signature was made more than five minutes away from now."
    signed = f"{times[0]}.".encode() + raw
    wanted = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets]
    if any(hmac.compare_digest(one, other) for one in wanted for other in given):
        return None
    return "The signature does not fit the body: check that the secret is the one that Stripe shows for this address."
