"""Codes that an authenticator shows: time-based one-time passwords (RFC 6238) of SHA-1, six digits and 30 seconds.

Those are the parameters that every authenticator knows; most ignore any others that an address asks for.
"""

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
# One step before and after now: clocks differ, and people type slowly.
DRIFT = 1
# As long as the digest, as RFC 4226 (section 4, R6) recommends.
SECRET_BYTES = 20
ISSUER = "Pulse"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a step, which is the number of times that 30 seconds have passed since 1970."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 0x0F
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(secret: bytes, code: str, now_ms: int, after: int) -> int | None:
    """The newest step that the code belongs to, within the drift of now and after step `after`; None: to none."""
    now = now_ms // 1000 // STEP_S
    # Each is compared, so that the time tells nothing.
    found = [
        step
        for step in range(now - DRIFT, now + DRIFT + 1)
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after
    ]
    return max(found, default=None)


def as_text(secret: bytes) -> str:
    """The secret as people type it: base32 without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def address_of(secret: bytes, email: str) -> str:
    """The `otpauth://` address that an authenticator reads, as a rule from a picture."""
    asked = {"secret": as_text(secret), "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{quote(f'{ISSUER}:{email}', safe='')}?{urlencode(asked)}"
