"""ID tokens: what must be right about one before anything in it is believed (OpenID Connect Core 1.0, 3.1.3.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jwt import JWTClaimsRegistry

from pulse.tenancy.people.oidc.asking import Client
from pulse.tenancy.people.oidc.refusals import IdTokenRefused

LEEWAY_S = 60
# The kind of key that each algorithm needs. All of them have two keys: who knows what is published can sign nothing.
KINDS: Mapping[str, str] = {
    **{f"{family}{bits}": "RSA" for family in ("RS", "PS") for bits in (256, 384, 512)},
    **{f"ES{bits}": "EC" for bits in (256, 384, 512)},
}
# 2048 bits in base64url.
SHORTEST_MODULUS = 342
LONGEST_SUBJECT = 255
_CLASSES: Mapping[str, type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}


class UnknownKey(IdTokenRefused):
    """The identity provider signed with a key that it does not publish."""


@dataclass(frozen=True)
class Claims:
    """What is believed of an ID token. `email` is the address only where the provider has verified it."""

    subject: str
    email: str | None
    first_name: str
    last_name: str


def read_keys(document: Any) -> list[Key]:
    """The keys for signatures in a JWK set (RFC 7517); what is for something else, or unreadable, is passed over."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = [_read_key(entry) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [key for key in found if key is not None]


def read_id_token(token: str, keys: Sequence[Key], client: Client, nonce: str, now_ms: int) -> Claims:
    """What the token says, signed by one of these keys, for this client and this sign-in. Raises IdTokenRefused.

    Raises UnknownKey where it names a key that is not among them: the provider may have new ones.
    """
    try:
        header = jws.extract_compact(token.encode()).headers()
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in KINDS:
            raise _refused("it is signed in a way that is not taken here")
        key = _key_for(header, algorithm, keys)
        # Headers that are not known here are no harm; what must be understood (`crit`) is refused all the same.
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
        _check(claims, client, nonce, now_ms)
    except ExpiredTokenError:
        raise _refused("it has expired") from None
    except (InvalidClaimError, MissingClaimError) as error:
        raise _refused(f"{error.description[:1].lower()}{error.description[1:]}") from None
    except (JoseError, ValueError, TypeError):
        raise _refused("its signature is not right") from None
    return _believed(claims)


def _read_key(entry: dict[str, Any]) -> Key | None:
    kind = _CLASSES.get(str(entry.get("kty")))
    short = kind is RSAKey and len(str(entry.get("n"))) < SHORTEST_MODULUS
    if kind is None or short or entry.get("use") not in (None, "sig"):
        return None
    try:
        return kind.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _key_for(header: Mapping[str, Any], algorithm: str, keys: Sequence[Key]) -> Key:
    """The key that a token names; where it names none, the only one that fits."""
    fitting = [key for key in keys if key.key_type == KINDS[algorithm] and key.get("alg") in (None, algorithm)]
    named = [key for key in fitting if key.kid == header.get("kid")] if "kid" in header else fitting
    if not named:
        raise UnknownKey
    if len(named) > 1:
        raise _refused("it does not say with which key it is signed")
    return named[0]


def _check(claims: dict[str, Any], client: Client, nonce: str, now_ms: int) -> None:
    JWTClaimsRegistry(
        now=now_ms // 1000,
        leeway=LEEWAY_S,
        iss={"essential": True, "value": client.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": client.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
    if not isinstance(claims["nonce"], str):
        raise _refused("its nonce is no text")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client.client_id) != client.client_id:
        raise _refused("it was made for another client")
    if not 1 <= len(claims["sub"]) <= LONGEST_SUBJECT or "\0" in claims["sub"]:
        raise _refused(f"its subject has not 1 to {LONGEST_SUBJECT} characters")


def _believed(claims: dict[str, Any]) -> Claims:
    email = claims.get("email")
    verified = isinstance(email, str) and claims.get("email_verified") is True
    names = [_name(claims.get(name)) for name in ("given_name", "family_name")]
    return Claims(claims["sub"], email if verified else None, *names)


def _name(value: object) -> str:
    return "".join(letter for letter in value if letter.isprintable())[:100].strip() if isinstance(value, str) else ""


def _refused(reason: str) -> IdTokenRefused:
    return IdTokenRefused(f"The identity provider's token is not taken: {reason}. Begin the sign-in again.")
