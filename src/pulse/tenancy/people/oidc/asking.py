"""What a browser is sent to the identity provider with, and what it must bring back."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode

SCOPES = "openid email profile"


@dataclass(frozen=True)
class Client:
    """What this installation is at its identity provider. `issuer` is what the provider calls itself, to the letter.

    `secret` None: a public client, which PKCE alone proves. `name`: what the provider is called for people.
    """

    issuer: str
    client_id: str
    secret: str | None = field(default=None, repr=False)
    name: str = ""
    creates_users: bool = False


def new_token() -> str:
    """What the cookie of a sign-in holds."""
    return secrets.token_urlsafe(32)


def request_id(token: str) -> bytes:
    """What is kept of a sign-in that was begun."""
    return hashlib.sha256(token.encode()).digest()


def state_of(token: str) -> str:
    return _derived(token, "state")


def nonce_of(token: str) -> str:
    return _derived(token, "nonce")


def verifier_of(token: str) -> str:
    """The code verifier of PKCE: 43 letters, digits, dashes and underscores (RFC 7636, section 4.1)."""
    return _derived(token, "verifier")


def challenge_of(verifier: str) -> str:
    return _base64(hashlib.sha256(verifier.encode()).digest())


def is_state_of(token: str, state: str) -> bool:
    return hmac.compare_digest(state_of(token).encode(), state.encode())


def authorization_address(endpoint: str, client: Client, redirect_uri: str, token: str) -> str:
    """Where the browser goes. An endpoint may have parameters of its own (RFC 6749, section 3.1)."""
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state_of(token),
        "nonce": nonce_of(token),
        "code_challenge": challenge_of(verifier_of(token)),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def _derived(token: str, purpose: str) -> str:
    return _base64(hmac.digest(token.encode(), purpose.encode(), "sha256"))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
