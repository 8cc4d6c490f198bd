"""What may be shown of a provider's own words. Some providers repeat the key they refuse."""

import re
from collections.abc import Sequence

from pulse.models.port import Access

MAX_MESSAGE = 300
HIDDEN = "[hidden]"
_LIKE_A_KEY = re.compile(
    r"-----BEGIN [\s\S]*?(-----END [^-]*-----|$)"
    r"|\bBearer\s+\S+"
    r"|\b(sk|xai|pk|rk|gsk|key)-[\w*.-]{6,}"
    r"|\bAIza[\w*-]{6,}"
    r"|\bya29\.\S+"
    r"|\b(AKIA|ASIA)[A-Z0-9]{8,}"
    r"|\beyJ[\w-]{10,}\.[\w.-]*"
    r"|\S*\*{3,}\S*"
)
_PRIVATE_KEY_LINE = re.compile(r"\\n|[\s\"]")


def secrets_of(access: Access) -> tuple[str, ...]:
    """Whatever must not be repeated, the longest first."""
    plain = (access.api_key, access.access_key, access.secret_key, access.session_token, *access.headers.values())
    lines = _PRIVATE_KEY_LINE.split(access.service_account or "")
    found = [secret for secret in plain if secret and len(secret) >= 4] + [line for line in lines if len(line) >= 32]
    return tuple(sorted(set(found), key=len, reverse=True))


def shown(text: str, secrets: Sequence[str]) -> str:
    """A provider's sentence on one line, at most 300 characters, without secrets or what looks like one."""
    text = text[: MAX_MESSAGE * 4]
    for secret in secrets:
        text = _without(text, secret)
    text = " ".join(_LIKE_A_KEY.sub(HIDDEN, text).split())
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _without(text: str, secret: str) -> str:
    """Without the secret, and without its beginning or its end of eight characters or more."""
    text = text.replace(secret, HIDDEN)
    for length in range(len(secret) - 1, 7, -1):
        text = text.replace(secret[:length], HIDDEN).replace(secret[-length:], HIDDEN)
    return text
