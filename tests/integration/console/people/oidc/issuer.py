"""An identity provider on loopback that holds a client to every word of the specifications, and can be told to lie."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.contract.serving import served

# What must be quoted before it stands in a header.
CLIENT_ID, CLIENT_SECRET = "pulse:web", "a secret: with + and %"
ANSWER = tuple[int, dict[str, Any]]


@dataclass
class Grant:
    """What a code stands for."""

    redirect_uri: str
    challenge: str
    nonce: str


@dataclass
class Issuer:
    """`who` are claims about whoever signs in next; `sign` makes the ID token of its claims.

    `says` replaces what it says about itself; `refusals` are the requests that it did not take, with the reason.
    """

    url: str
    callback: str
    keys: list[RSAKey]
    who: dict[str, Any] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] = str
    more: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sealing: dict[str, Any] = field(default_factory=lambda: {**new_key().as_dict(private=False), "use": "enc"})

    def reset(self) -> None:
        """As honest as at first."""
        self.who, self.says, self.refusals, self.grants = {}, {}, [], {}
        self.sign, self.more, self.asked = self.signed, {}, []

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, claims, self.keys[0])

    def rotate(self) -> RSAKey:
        """New keys in the place of the old ones; the old first one."""
        old = self.keys[0]
        self.keys = [new_key()]
        return old

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?theme=dark",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.says,
        }

    def published(self) -> dict[str, Any]:
        """Its keys, among others that are for something else."""
        return {"keys": [self.sealing, {"kty": "PQ", "x": "?"}, *(key.as_dict(private=False) for key in self.keys)]}

    def authorize(self, asked: dict[str, str]) -> str:
        """The address that the browser is sent back to."""
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": self.callback, "theme": "dark"}
        wanted["code_challenge_method"] = "S256"
        for name, value in wanted.items():
            self.require(asked.get(name) == value, f"{name} is {asked.get(name)!r}")
        self.require("openid" in asked.get("scope", "").split(), "scope has no openid")
        self.require(len(asked.get("code_challenge", "")) == 43, "no challenge")
        self.require(len(asked.get("state", "")) >= 32 and len(asked.get("nonce", "")) >= 32, "state or nonce")
        self.require(len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3, "the same twice")
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(asked["redirect_uri"], asked["code_challenge"], asked["nonce"])
        return f"{self.callback}?{urlencode({'code': code, 'state': asked['state'], **self.more})}"

    def redeem(self, authorization: str, given: dict[str, str]) -> ANSWER:
        if not self.is_client(authorization, given):
            return 401, {"error": "invalid_client"}
        if given.get("grant_type") != "authorization_code":
            return 400, {"error": "unsupported_grant_type"}
        # Whatever comes of it, a code is used up by the first who shows it.
        grant = self.grants.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = grant is not None and given.get("redirect_uri") == grant.redirect_uri and proof == grant.challenge
        if grant is None or not good:
            self.refusals.append("invalid_grant")
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": grant.nonce, **self.who}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)}

    def is_client(self, authorization: str, given: dict[str, str]) -> bool:
        methods = self.metadata().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in methods:
            scheme, _, pair = authorization.partition(" ")
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            found = (scheme, unquote_plus(name), unquote_plus(secret))
            return found == ("Basic", CLIENT_ID, CLIENT_SECRET) and "client_secret" not in given
        return not authorization and (given.get("client_id"), given.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)

    def require(self, good: bool, reason: str) -> None:
        if not good:
            self.refusals.append(reason)
            raise ValueError(reason)


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


class Handler(BaseHTTPRequestHandler):
    """Takes its requests."""

    issuer: Issuer

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        self.issuer.asked.append(where.path)
        pages = {"/realm/.well-known/openid-configuration": self.issuer.metadata, "/realm/keys": self.issuer.published}
        if where.path in pages:
            self.answer(200, pages[where.path]())
            return
        try:
            assert where.path == "/realm/authorize"
            back = self.issuer.authorize({name: value for name, (value,) in parse_qs(where.query).items()})
        except (ValueError, AssertionError) as error:
            self.answer(400, {"error": str(error)})
            return
        self.send_response(302)
        self.send_header("Location", back)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        assert self.path == "/realm/token"
        assert self.headers["content-type"] == "application/x-www-form-urlencoded"
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        given = {name: value for name, (value,) in parse_qs(text, strict_parsing=True).items()}
        self.answer(*self.issuer.redeem(self.headers["authorization"] or "", given))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@contextmanager
def issuing(callback: str) -> Iterator[Issuer]:
    class Here(Handler):
        """Of this issuer alone."""

    with served(Here) as address:
        issuer = Issuer(f"{address}/realm", callback, [new_key()])
        issuer.reset()
        Here.issuer = issuer
        yield issuer
