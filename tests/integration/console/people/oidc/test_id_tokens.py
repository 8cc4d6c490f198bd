"""ID tokens that prove who somebody is, and all those that do not; and a provider that cannot be used."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.integration.console.people.oidc.issuer import CLIENT_ID, CLIENT_SECRET, new_key
from tests.integration.console.people.oidc.visitors import OIDC, Office

REFUSED = (403, "id_token_refused")


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"azp": "another"},
        {"aud": {"pulse": 1}},
        {"iss": "https://another.example.com"},
        {"exp": int(time.time()) - 61},
        {"exp": float("nan")},
        {"exp": "9999999999"},
        {"exp": None},
        {"iat": int(time.time()) + 3_600},
        {"iat": None},
        {"nbf": int(time.time()) + 3_600},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
    ],
)
async def test_claims_that_are_wrong(office: Office, changes: dict[str, Any]) -> None:
    email = await office.user()
    good = office.issuer.who
    office.issuer.who = {**good, **changes}
    assert await office.refused() == REFUSED
    office.issuer.who = good
    ada = office.visitor()
    assert (await ada.sign_in()).status_code == 303
    assert await ada.email() == email


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"exp": int(time.time()) - 30, "iat": int(time.time()) + 30},
        {"unknown": {"claim": 1}},
    ],
)
async def test_claims_that_are_right(office: Office, changes: dict[str, Any]) -> None:
    await office.user()
    office.issuer.who |= changes
    if "exp" in changes:
        now = int(time.time())
        office.issuer.who |= {"exp": now - 30, "iat": now + 30}
    assert (await office.visitor().sign_in()).status_code == 303


def unsigned(office: Office, claims: dict[str, Any], algorithm: str) -> str:
    return f"{encoded({'alg': algorithm, 'kid': office.issuer.keys[0].kid})}.{encoded(claims)}."


def by_a_stranger(office: Office, claims: dict[str, Any]) -> str:
    key = new_key()
    return jwt.encode({"alg": "RS256", "kid": office.issuer.keys[0].kid}, claims, key)


def with_the_public_key_as_secret(office: Office, claims: dict[str, Any]) -> str:
    text = f"{encoded({'alg': 'HS256', 'kid': office.issuer.keys[0].kid})}.{encoded(claims)}"
    secret = office.issuer.keys[0].as_pem(private=False)
    digest = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def with_the_client_secret(_office: Office, claims: dict[str, Any]) -> str:
    text = f"{encoded({'alg': 'HS256'})}.{encoded(claims)}"
    digest = hmac.digest(CLIENT_SECRET.encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def with_a_key_of_its_own(_office: Office, claims: dict[str, Any]) -> str:
    """The header brings the key, which some have believed."""
    key = new_key()
    return jwt.encode({"alg": "RS256", "jwk": key.as_dict(private=False)}, claims, key)


def changed_afterwards(office: Office, claims: dict[str, Any]) -> str:
    header, _, signature = office.issuer.signed(claims).split(".")
    return f"{header}.{encoded({**claims, 'sub': 'somebody else'})}.{signature}"


def by_another_kind_of_key(office: Office, claims: dict[str, Any]) -> str:
    key = ECKey.generate_key("P-256", {"kid": str(office.issuer.keys[0].kid)})
    return jwt.encode({"alg": "ES256", "kid": str(office.issuer.keys[0].kid)}, claims, key)


def that_must_be_understood(office: Office, claims: dict[str, Any]) -> str:
    text = f"{encoded({'alg': 'RS256', 'kid': office.issuer.keys[0].kid, 'crit': ['b64'], 'b64': False})}"
    _, _, signature = office.issuer.signed(claims).split(".")
    return f"{text}.{encoded(claims)}.{signature}"


LIES: dict[str, Callable[[Office, dict[str, Any]], str]] = {
    "none": lambda office, claims: unsigned(office, claims, "none"),
    "None": lambda office, claims: unsigned(office, claims, "None"),
    "empty": lambda office, claims: unsigned(office, claims, ""),
    "no signature": lambda office, claims: unsigned(office, claims, "RS256"),
    "stranger": by_a_stranger,
    "public key as secret": with_the_public_key_as_secret,
    "client secret": with_the_client_secret,
    "key in the header": with_a_key_of_its_own,
    "changed": changed_afterwards,
    "kind": by_another_kind_of_key,
    "critical": that_must_be_understood,
    "no token": lambda _office, _claims: "x",
    "nothing": lambda _office, _claims: "",
    "not ascii": lambda _office, _claims: "é.é.é",
    "large": lambda office, claims: office.issuer.signed({**claims, "x": "y" * 200_000}),
}


@pytest.mark.parametrize("lie", LIES)
async def test_signatures_that_are_none(office: Office, lie: str) -> None:
    await office.user()
    office.issuer.sign = lambda claims: LIES[lie](office, claims)
    assert await office.refused() == REFUSED
    office.issuer.sign = office.issuer.signed
    assert (await office.visitor().sign_in()).status_code == 303


async def test_keys_may_be_changed_at_any_time(office: Office) -> None:
    await office.user()
    assert (await office.visitor().sign_in()).status_code == 303
    old = office.issuer.rotate()
    assert (await office.visitor().sign_in()).status_code == 303
    # What is signed with a key that is no longer published counts for nothing.
    office.issuer.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": old.kid}, claims, old)
    assert await office.refused() == REFUSED


async def test_what_the_provider_says_of_itself_is_not_asked_each_time(office: Office) -> None:
    await office.user()
    for _ in range(3):
        assert (await office.visitor().sign_in()).status_code == 303
    assert office.issuer.asked.count("/realm/.well-known/openid-configuration") == 1
    assert office.issuer.asked.count("/realm/keys") == 1


async def test_a_token_without_a_key_id_needs_a_single_key(office: Office) -> None:
    await office.user()
    office.issuer.sign = lambda claims: jwt.encode({"alg": "RS256"}, claims, office.issuer.keys[0])
    assert (await office.visitor().sign_in()).status_code == 303
    office.issuer.keys.append(new_key())
    # The keys are read again where none fits; here two do.
    office.issuer.says = {}
    assert (await office.visitor().sign_in()).status_code == 303
    oidc = office.pulse.parts.oidc
    assert oidc is not None
    oidc._provider._until = 0
    assert await office.refused() == REFUSED
    del office.issuer.keys[1]


async def test_a_provider_that_takes_the_secret_in_the_body(office: Office) -> None:
    await office.user()
    office.issuer.says = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await office.visitor().sign_in()).status_code == 303


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://another.example.com"},
        {"token_endpoint": None},
        {"token_endpoint": "ftp://example.com/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[x"},
    ],
)
async def test_a_provider_that_says_strange_things_of_itself(office: Office, says: dict[str, Any]) -> None:
    office.issuer.says = says
    answer = await office.visitor().get(OIDC)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_failed")
    office.issuer.says = {}
    assert (await office.visitor().get(OIDC)).status_code == 303


async def test_a_provider_inside_the_walls_is_not_reached_by_its_own_word(office: Office) -> None:
    """What is asked goes out as all else does: to public addresses, and to those that EGRESS_ALLOW lists."""
    office.issuer.says = {"jwks_uri": "http://10.0.0.1/keys"}
    answer = await office.visitor().get(OIDC)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_failed")


async def test_a_client_that_the_provider_does_not_know(office: Office) -> None:
    await office.user()
    ada = office.visitor()
    back = await ada.sent_back()
    oidc = office.pulse.parts.oidc
    assert oidc is not None
    client = oidc._provider.client
    object.__setattr__(client, "secret", "another")
    try:
        answer = await ada.come_back(back)
    finally:
        object.__setattr__(client, "secret", CLIENT_SECRET)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_failed")
    assert "PULSE_OIDC_CLIENT_ID" in answer.json()["detail"]
    assert "another" not in answer.text
