"""A second factor at the API: set up, asked for at the sign-in, taken away, and reset by the operator."""

import base64
from typing import Any

import pytest

from pulse.tenancy.people.second_factor.totp import code_at
from tests.integration.console.people.rooms import PASSWORD, PROFILE, SESSION, USERS, Browser, browser
from tests.integration.receiver.installation import Installation, Tenant

FACTOR = f"{PROFILE}/second-factor"
STEP_MS = 30_000


class Authenticator:
    """Shows codes of one secret; each is of another step, as if time went by between them."""

    def __init__(self, pulse: Installation, secret: str) -> None:
        self._secret = base64.b32decode(secret)
        self._step = pulse.parts.clock.now_ms() // STEP_MS - 1

    def code(self) -> str:
        """The next code: three of them are in force at a time."""
        shown = code_at(self._secret, self._step)
        self._step += 1
        return shown


async def protected(who: Browser) -> tuple[Authenticator, list[str]]:
    """Gives somebody a second factor."""
    begun = await who.send("POST", FACTOR, {})
    assert begun.status_code == 201, begun.text
    assert begun.json()["uri"].startswith("otpauth://totp/Pulse%3A")
    shows = Authenticator(who.pulse, begun.json()["secret"])
    done = await who.send("PUT", FACTOR, {"code": shows.code()})
    assert done.status_code == 200, done.text
    who.csrf = (await who.send("GET", SESSION)).json()["csrfToken"]
    return shows, done.json()["recoveryCodes"]


async def enter(pulse: Installation, who: Browser, **more: Any) -> tuple[int, str]:
    body = {"email": who.user["email"], "password": PASSWORD, **more}
    answer = await pulse.client.post(SESSION, json=body)
    return answer.status_code, answer.json().get("code", "")


async def test_from_set_up_to_its_end(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    assert (await ada.send("GET", FACTOR)).json() == {"enabled": False, "confirmedAt": None, "recoveryCodesLeft": 0}
    shows, codes = await protected(ada)
    assert len(set(codes)) == 10
    shown = (await ada.send("GET", FACTOR)).json()
    assert (shown["enabled"], shown["recoveryCodesLeft"]) == (True, 10)
    assert await enter(pulse, ada) == (401, "second_factor_required")
    assert await enter(pulse, ada, code="000") == (401, "second_factor_wrong")
    assert await enter(pulse, ada, password="wrong", code=codes[0]) == (401, "unauthenticated")
    assert await enter(pulse, ada, code=shows.code()) == (200, "")
    assert await enter(pulse, ada, code=codes[0]) == (200, "")
    assert await enter(pulse, ada, code=codes[0]) == (401, "second_factor_wrong")
    assert (await ada.send("DELETE", FACTOR, {"code": codes[1]})).status_code == 204
    assert await enter(pulse, ada) == (200, "")


async def test_the_secret_is_shown_once(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    begun = (await ada.send("POST", FACTOR, {})).json()
    shows = Authenticator(pulse, begun["secret"])
    codes = (await ada.send("PUT", FACTOR, {"code": shows.code()})).json()["recoveryCodes"]
    ada.csrf = (await ada.send("GET", SESSION)).json()["csrfToken"]
    again = await ada.send("POST", FACTOR, {"password": PASSWORD})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    pages = [await ada.send("GET", path) for path in (FACTOR, PROFILE, SESSION)]
    pages.append(await pulse.client.get(USERS, headers=pulse.operator))
    assert all(page.status_code == 200 for page in pages)
    assert not any(word in page.text for page in (*pages, again) for word in (begun["secret"], *codes))


async def test_to_confirm_gives_another_cookie_and_ends_the_others(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    elsewhere = Browser(pulse)
    await elsewhere.sign_in(ada.user["email"])
    before = ada.cookie
    await protected(ada)
    assert ada.cookie != before
    assert (await ada.send("GET", SESSION)).status_code == 200
    assert (await elsewhere.send("GET", SESSION)).status_code == 401


async def test_to_begin_takes_the_password_after_a_while(
    pulse: Installation, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await browser(pulse, acme)
    later = pulse.parts.clock.now_ms() + 600_000
    monkeypatch.setattr(type(pulse.parts.clock), "now_ms", lambda _clock: later)
    for body, code in (({}, "missing"), ({"password": "wrong"}, "wrong_password")):
        answer = await ada.send("POST", FACTOR, body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert (await ada.send("POST", FACTOR, {"password": PASSWORD})).status_code == 201


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": 123456}, {"code": "x" * 65}, {"code": "1", "userId": "x"}])
async def test_what_is_no_code(pulse: Installation, acme: Tenant, method: str, body: Any) -> None:
    ada = await browser(pulse, acme)
    assert (await ada.send(method, FACTOR, body)).status_code == 422


async def test_where_nothing_is_set_up(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    for method in ("PUT", "DELETE"):
        answer = await ada.send(method, FACTOR, {"code": "123456"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_page_of_another_site_takes_nothing_away(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    _, codes = await protected(ada)
    other = await ada.send("DELETE", FACTOR, {"code": codes[0]}, origin="https://evil.example")
    right, ada.csrf = ada.csrf, ""
    for answer in (other, await ada.send("DELETE", FACTOR, {"code": codes[0]})):
        assert answer.status_code == 403
    ada.csrf = right
    assert (await ada.send("GET", FACTOR)).json()["enabled"]


async def test_a_key_is_nobody_in_person(pulse: Installation, acme: Tenant) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        body = None if method == "GET" else {"code": "123456"}
        answer = await pulse.client.request(method, FACTOR, json=body, headers=acme.headers)
        assert answer.status_code == 403, method


async def test_the_operator_resets_it(pulse: Installation, acme: Tenant) -> None:
    ada, admin = await browser(pulse, acme), await browser(pulse, acme, "Admin")
    await protected(ada)
    path = f"{USERS}/{ada.user['id']}/second-factor"
    for refused in (await admin.send("DELETE", path), await ada.send("DELETE", path)):
        assert refused.status_code == 403
    assert (await pulse.client.delete(path, headers=acme.headers)).status_code == 403
    assert await enter(pulse, ada) == (401, "second_factor_required")
    assert (await pulse.client.delete(path, headers=pulse.operator)).status_code == 204
    assert (await ada.send("GET", SESSION)).status_code == 401
    assert await enter(pulse, ada) == (200, "")
    nobody = await pulse.client.delete(f"{USERS}/usr_nobody/second-factor", headers=pulse.operator)
    assert nobody.status_code == 404


async def test_nobody_sees_from_outside_who_has_one(pulse: Installation, acme: Tenant) -> None:
    ada, bob = await browser(pulse, acme), await browser(pulse, acme)
    await protected(ada)
    found = []
    for email in (ada.user["email"], bob.user["email"], "nobody@example.com"):
        for more in ({}, {"code": "123456"}):
            answer = await pulse.client.post(SESSION, json={"email": email, "password": "wrong", **more})
            found.append((answer.status_code, answer.text))
    assert len(set(found)) == 1


async def test_one_user_is_not_another(pulse: Installation, acme: Tenant) -> None:
    ada, eve = await browser(pulse, acme), await browser(pulse, acme)
    shows, codes = await protected(ada)
    of_eve, _ = await protected(eve)
    assert await enter(pulse, ada, code=of_eve.code()) == (401, "second_factor_wrong")
    for code in (codes[0], shows.code()):
        answer = await eve.send("DELETE", FACTOR, {"code": code})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "wrong_code")
    assert await enter(pulse, ada, code=codes[0]) == (200, "")
