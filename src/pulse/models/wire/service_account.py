"""Access tokens for a Google service account: a signed assertion is exchanged for one, which is kept until it expires.

RFC 7523, and https://developers.google.com/identity/protocols/oauth2/service-account.
"""

import asyncio
import base64
import hashlib
import weakref
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pulse.core.clock import Clock
from pulse.models.port import Access, ModelFailed
from pulse.models.wire.exchange import Call, Exchange

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS_AT = "https://oauth2.googleapis.com/token"
LIFETIME_S = 3600
# A token that expires on its way is no use.
MARGIN_MS = 60_000
MAX_KEPT = 1000


@dataclass(frozen=True)
class Account:
    """The key file that Google gives out."""

    client_email: str
    private_key: str = field(repr=False)
    private_key_id: str | None = None
    token_uri: str = GRANTS_AT


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    expires_ms: int = 0


class Tokens:
    """Tokens of service accounts, one request for each at a time."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._kept: dict[bytes, _Token] = {}
        self._asking: weakref.WeakValueDictionary[bytes, asyncio.Lock] = weakref.WeakValueDictionary()

    async def get(self, access: Access, timeout_ms: int) -> str:
        """The token that proves who asks. Raises ModelFailed."""
        digest = _digest(access)
        lock = self._asking.setdefault(digest, asyncio.Lock())
        async with lock:
            kept = self._kept.get(digest)
            if kept is None or kept.expires_ms <= self._clock.now_ms():
                kept = self._kept[digest] = await self._ask(access, timeout_ms)
                self._shrink()
        return kept.text

    def forget(self, access: Access) -> None:
        """To be called when the token was refused: the next call asks for another."""
        self._kept.pop(_digest(access), None)

    async def _ask(self, access: Access, timeout_ms: int) -> _Token:
        account = read(access.service_account or "")
        now = self._clock.now_ms()
        assertion = signed(account, now // 1000)
        form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        # The headers of the access are for the provider, not for whoever grants tokens.
        only = Access(service_account=access.service_account)
        call = Call(only, account.token_uri, form=form, timeout_ms=timeout_ms, secrets=(assertion,))
        granted = await self._exchange.answer(call, _Granted)
        return _Token(granted.access_token, now + granted.expires_in * 1000 - MARGIN_MS)

    def _shrink(self) -> None:
        """Lets go of what has expired, and of the oldest where there are too many."""
        now = self._clock.now_ms()
        live = [(digest, token) for digest, token in self._kept.items() if token.expires_ms > now]
        self._kept = dict(live[-MAX_KEPT:])


def read(text: str) -> Account:
    """The key file. Raises ModelFailed, in words that do not repeat it."""
    try:
        return msgspec.json.decode(text, type=Account)
    except (msgspec.DecodeError, UnicodeError):
        words = "The service account is not the JSON key file that Google gives out: paste that file whole."
        raise ModelFailed("unauthorized", words) from None


def signed(account: Account, now_s: int) -> str:
    """The assertion (a JWT, RS256) that asks for a token for an hour. Raises ModelFailed."""
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": account.private_key_id} if account.private_key_id else {})
    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
    }
    content = b".".join((_encoded(header), _encoded(claims)))
    signature = _key(account).sign(content, PKCS1v15(), SHA256())
    return b".".join((content, _base64(signature))).decode()


def _key(account: Account) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(account.private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        words = "The private key of the service account cannot be read: paste the key file whole."
        raise ModelFailed("unauthorized", words)
    return key


def _digest(access: Access) -> bytes:
    return hashlib.sha256((access.service_account or "").encode()).digest()


def _encoded(value: Any) -> bytes:
    return _base64(msgspec.json.encode(value))


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
