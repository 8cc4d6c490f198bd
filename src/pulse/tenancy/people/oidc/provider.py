"""The identity provider as a server: what it says about itself, its keys, and codes redeemed for ID tokens.

What it says about itself is kept for an hour. Its keys are read again when a token names one that is not known: so a
provider may change them at any time.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import structlog
from joserfc.jwk import Key

from pulse.core.clock import Clock
from pulse.core.errors import InvalidJson
from pulse.core.json import parse
from pulse.egress.port import Egress, EgressError, Reply, Request
from pulse.tenancy.people.oidc.asking import Client, authorization_address, nonce_of, verifier_of
from pulse.tenancy.people.oidc.refusals import ProviderFailed, ProviderRefused
from pulse.tenancy.people.oidc.tokens import Claims, UnknownKey, read_id_token, read_keys

log = structlog.get_logger(__name__)

KEPT_MS = 3_600_000
TIMEOUT_MS = 10_000
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Metadata:
    """What a provider says about itself (OpenID Connect Discovery 1.0), as far as it matters here."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    # Whether a client may prove itself in the header; the specification says so where the provider says nothing.
    takes_basic: bool


class Provider:
    """One identity provider, reached by `egress`."""

    def __init__(self, client: Client, egress: Egress, clock: Clock) -> None:
        self.client = client
        self._egress = egress
        self._clock = clock
        self._metadata: Metadata | None = None
        self._keys: Sequence[Key] = ()
        self._until = 0

    async def address(self, redirect_uri: str, token: str) -> str:
        """Where the browser with that token goes. Raises ProviderFailed."""
        metadata, _ = await self._known()
        return authorization_address(metadata.authorization_endpoint, self.client, redirect_uri, token)

    async def redeem(self, code: str, redirect_uri: str, token: str) -> Claims:
        """Who came back with that code. Raises ProviderFailed, ProviderRefused, IdTokenRefused."""
        metadata, keys = await self._known()
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier_of(token),
        }
        answer = await self._exchange(self._token_request(metadata, asked))
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise self._failed("its token endpoint gave no ID token")
        try:
            return self._read(id_token, keys, token)
        except UnknownKey:
            return self._read(id_token, await self._read_keys(metadata), token)

    def _read(self, id_token: str, keys: Sequence[Key], token: str) -> Claims:
        return read_id_token(id_token, keys, self.client, nonce_of(token), self._clock.now_ms())

    def _token_request(self, metadata: Metadata, asked: dict[str, str]) -> Request:
        """With the client's proof in the header, or where the provider does not take that, in the body (RFC 6749)."""
        headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
        secret = self.client.secret
        if secret is not None and metadata.takes_basic:
            pair = f"{quote_plus(self.client.client_id)}:{quote_plus(secret)}"
            headers.append(("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
        else:
            asked = {
                **asked,
                "client_id": self.client.client_id,
                **({} if secret is None else {"client_secret": secret}),
            }
        return _request("POST", metadata.token_endpoint, headers, urlencode(asked).encode())

    async def _exchange(self, request: Request) -> dict[str, Any]:
        reply = await self._send(request)
        answer = self._document(reply)
        if reply.status == 200:
            return answer
        error = str(answer.get("error"))
        log.warning("oidc_code_refused", issuer=self.client.issuer, status=reply.status, error=error[:100])
        if reply.status == 400 and error == "invalid_grant":
            raise ProviderRefused("The identity provider does not take this code (any more): begin the sign-in again.")
        raise self._failed("its token endpoint refuses this client: check PULSE_OIDC_CLIENT_ID and its secret")

    async def _known(self) -> tuple[Metadata, Sequence[Key]]:
        if self._metadata is None or self._clock.now_ms() >= self._until:
            metadata = await self._discover()
            await self._read_keys(metadata)
            self._metadata, self._until = metadata, self._clock.now_ms() + KEPT_MS
        return self._metadata, self._keys

    async def _discover(self) -> Metadata:
        issuer = self.client.issuer
        found = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise self._failed("it calls itself by another name than PULSE_OIDC_ISSUER does")
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Metadata(
            self._endpoint(found, "authorization_endpoint"),
            self._endpoint(found, "token_endpoint"),
            self._endpoint(found, "jwks_uri"),
            not isinstance(methods, list) or "client_secret_basic" in methods,
        )

    def _endpoint(self, found: dict[str, Any], name: str) -> str:
        """An address that is no less protected than the issuer's own."""
        address = found.get(name)
        try:
            scheme = urlsplit(address).scheme if isinstance(address, str) else ""
        except ValueError:
            scheme = ""
        if not isinstance(address, str) or scheme not in ("https", urlsplit(self.client.issuer).scheme):
            raise self._failed(f"it names no usable {name}")
        return address

    async def _read_keys(self, metadata: Metadata) -> Sequence[Key]:
        self._keys = read_keys(await self._get(metadata.jwks_uri))
        return self._keys

    async def _get(self, url: str) -> dict[str, Any]:
        reply = await self._send(_request("GET", url, [("accept", "application/json")]))
        if reply.status != 200:
            raise self._failed(f"{urlsplit(url).path} answers {reply.status}")
        return self._document(reply)

    async def _send(self, request: Request) -> Reply:
        try:
            return await self._egress.send(request)
        except EgressError as error:
            raise self._failed(error.message.rstrip(".")) from None

    def _document(self, reply: Reply) -> dict[str, Any]:
        try:
            answer = parse(reply.body)
        except InvalidJson:
            answer = None
        if not isinstance(answer, dict):
            raise self._failed(f"what it answers ({reply.status}) is no JSON object")
        return answer

    def _failed(self, reason: str) -> ProviderFailed:
        log.warning("oidc_provider_failed", issuer=self.client.issuer, reason=reason)
        return ProviderFailed(f"The identity provider cannot be used now: {reason}.")


def _request(method: str, url: str, headers: list[tuple[str, str]], body: bytes = b"") -> Request:
    return Request(method, url, headers, body, timeout_ms=TIMEOUT_MS, max_bytes=MAX_BYTES, follow_redirects=False)
