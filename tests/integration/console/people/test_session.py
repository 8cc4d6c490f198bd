"""Signing in at the API: the cookie, its token, and what other sites may not make a browser do."""

from typing import Any

import pytest

from tests.integration.console.people.rooms import PASSWORD, PROFILE, SESSION, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

WORKFLOWS = "/api/workflows"
NEW = {"name": "Drawn", "workflowData": {"root": None}}


async def test_signing_in_and_out(pulse: Installation, acme: Tenant) -> None:
    email = (await user(pulse, acme, "Admin"))["email"]
    ada = Browser(pulse)
    answer = await ada.sign_in(f" {email.upper()}")
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == email
    wanted = {"id": acme.organization_id, "name": acme.organization.name, "role": "Admin"}
    assert answer.json()["organizations"] == [wanted]
    assert answer.headers["cache-control"] == "no-store"
    again = (await ada.send("GET", SESSION)).json()
    assert again == answer.json()
    assert (await ada.send("GET", WORKFLOWS)).status_code == 200
    kept = ada.cookie
    assert (await ada.send("DELETE", SESSION)).status_code == 204
    ada.cookie = kept
    assert (await ada.send("GET", SESSION)).status_code == 401
    assert (await ada.send("GET", WORKFLOWS)).status_code == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(pulse: Installation, acme: Tenant) -> None:
    answer = await Browser(pulse).sign_in((await user(pulse, acme))["email"])
    given = answer.headers["set-cookie"].lower()
    assert "httponly" in given
    assert "samesite=lax" in given
    assert "path=/" in given
    assert "secure" not in given
    assert answer.json()["csrfToken"] not in given


async def test_refusals_look_the_same(pulse: Installation, acme: Tenant) -> None:
    email = (await user(pulse, acme))["email"]
    for given, password in ((email, "wrong"), ("nobody@example.com", PASSWORD), ("x", "y")):
        answer = await pulse.client.post(SESSION, json={"email": given, "password": password})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.json()["detail"] == "The mail address or the password is not right."
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "email"),
        ({"email": "a@b.c"}, "password"),
        ({"email": 1, "password": "x"}, "email"),
        ({"email": "a@b.c", "password": "x", "role": "System"}, "role"),
        ({"email": "a@b.c", "password": "x" * 1_001}, "password"),
    ],
)
async def test_what_is_no_sign_in(pulse: Installation, body: Any, path: str) -> None:
    answer = await pulse.client.post(SESSION, json=body)
    assert answer.status_code == 422
    assert path in [fault["path"] for fault in answer.json()["errors"]]


async def test_too_many_failures(pulse: Installation, acme: Tenant) -> None:
    email = (await user(pulse, acme))["email"]
    ada = Browser(pulse)
    for _ in range(10):
        assert (await ada.sign_in(email, "wrong")).status_code == 401
    answer = await ada.sign_in(email)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 900


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://pulse.evil.example"},
    ],
)
async def test_other_sites_change_nothing(pulse: Installation, acme: Tenant, headers: dict[str, str]) -> None:
    ada = await browser(pulse, acme)
    for method, path, body in (
        ("POST", WORKFLOWS, NEW),
        ("PUT", PROFILE, {"firstName": "x"}),
        ("DELETE", SESSION, None),
    ):
        answer = await ada.send(method, path, body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    refused = await pulse.client.post(
        SESSION,
        json={"email": ada.user["email"], "password": PASSWORD},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert refused.status_code == 403
    assert (await ada.send("GET", SESSION)).status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "ä"])
async def test_without_the_pages_token_nothing_changes(pulse: Installation, acme: Tenant, token: str) -> None:
    ada = await browser(pulse, acme)
    right, ada.csrf = ada.csrf, ""
    sent = {"x_csrf_token": token} if token.isascii() and token else {}
    answer = await ada.send("PUT", PROFILE, {"firstName": "x"}, **sent)
    assert answer.status_code == 403
    assert "X-CSRF-Token" in answer.json()["detail"]
    ada.csrf = right
    assert (await ada.send("PUT", PROFILE, {"firstName": "x"}, sec_fetch_site="same-origin")).status_code == 200


async def test_the_token_of_another_session_is_of_no_use(pulse: Installation, acme: Tenant) -> None:
    ada, bob = await browser(pulse, acme), await browser(pulse, acme)
    ada.csrf = bob.csrf
    assert (await ada.send("PUT", PROFILE, {"firstName": "x"})).status_code == 403


async def test_a_key_beside_a_cookie_speaks_for_itself(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme, "Guest")
    ada.csrf = ""
    answer = await ada.send("DELETE", "/api/messages/msg_none", authorization=acme.headers["Authorization"])
    assert answer.status_code == 404
    assert (await ada.send("GET", PROFILE, authorization=acme.headers["Authorization"])).status_code == 403
    assert (await ada.send("GET", WORKFLOWS, authorization="Bearer pk_nothing")).status_code == 401


async def test_the_profile(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    shown = (await ada.send("GET", PROFILE)).json()
    assert shown["user"] == {"id": ada.user["id"], "email": ada.user["email"], "name": ""}
    assert shown["profile"].keys() == {
        "id", "userId", "firstName", "lastName", "avatar", "createdAt", "updatedAt",
    }  # fmt: skip
    changed = await ada.send("PUT", PROFILE, {"firstName": "Ada", "avatar": "https://example.com/a.png"})
    assert (changed.status_code, changed.json()["profile"]["firstName"]) == (200, "Ada")
    taken_away = await ada.send("PUT", PROFILE, {"lastName": "Lovelace", "avatar": None})
    assert taken_away.json()["profile"]["avatar"] is None
    assert (await ada.send("GET", PROFILE)).json()["user"]["name"] == "Ada Lovelace"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"avatar": "javascript:alert(1)"}, "avatar"),
        ({"avatar": "data:text/html;base64,AAAA"}, "avatar"),
        ({"firstName": "x" * 101}, "firstName"),
        ({"isSystem": True}, "isSystem"),
        ({"is_system": True}, "is_system"),
        ({"password": "x"}, "password"),
        ({"email": "eve@example.com"}, "email"),
        ({"id": "usr_1"}, "id"),
    ],
)
async def test_what_a_profile_is_not(pulse: Installation, acme: Tenant, body: Any, path: str) -> None:
    ada = await browser(pulse, acme)
    before = (await ada.send("GET", PROFILE)).json()
    answer = await ada.send("PUT", PROFILE, body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path)
    assert (await ada.send("GET", PROFILE)).json() == before


async def test_a_new_password_ends_the_other_sessions(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    elsewhere = Browser(pulse)
    await elsewhere.sign_in(ada.user["email"])
    wrong = await ada.send("PUT", f"{PROFILE}/password", {"oldPassword": "no", "newPassword": "another good one"})
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "wrong_password")
    before = ada.cookie
    done = await ada.send("PUT", f"{PROFILE}/password", {"oldPassword": PASSWORD, "newPassword": "another good one"})
    assert done.status_code == 204
    assert ada.cookie != before
    assert (await ada.send("GET", SESSION)).json()["csrfToken"] != ada.csrf
    assert (await elsewhere.send("GET", SESSION)).status_code == 401
    assert (await Browser(pulse).sign_in(ada.user["email"], "another good one")).status_code == 200
