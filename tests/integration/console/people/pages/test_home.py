"""The page at `/`: whoever is signed in is told so and can sign out, anybody else can sign in, as a browser does it."""

import pytest

from tests.integration.console.people.post import opened, submitted
from tests.integration.console.people.rooms import PASSWORD, SESSION, Browser, browser, user
from tests.integration.console.people.test_second_factor import protected
from tests.integration.receiver.installation import Installation, Tenant


async def test_in_and_out(pulse: Installation, acme: Tenant) -> None:
    somebody, ada = await user(pulse, acme), Browser(pulse)
    form = await opened(ada, "/")
    assert set(form.fields) == {"token", "email", "password"}
    answer = await submitted(ada, form, email=somebody["email"], password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    home = await opened(ada, "/")
    assert f"You are signed in as {somebody['email']}" in home.text
    assert f"{acme.organization.name}: User" in home.text
    answer = await submitted(ada, home)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert (await ada.send("GET", SESSION)).status_code == 401
    assert "Sign in to Pulse" in (await opened(ada, "/")).text


async def test_what_is_wrong_is_said_and_the_address_stays(pulse: Installation, acme: Tenant) -> None:
    somebody, ada = await user(pulse, acme), Browser(pulse)
    answer = await submitted(ada, await opened(ada, "/"), email=somebody["email"], password="not my password")
    assert answer.status_code == 401
    assert "The mail address or the password is not right." in answer.text
    assert somebody["email"] in answer.text
    assert "not my password" not in answer.text
    assert not ada.cookie


async def test_who_has_a_second_factor_is_asked_for_it(pulse: Installation, acme: Tenant) -> None:
    who = await browser(pulse, acme)
    shows, _ = await protected(who)
    ada = Browser(pulse)
    given = {"email": who.user["email"], "password": PASSWORD}
    asked = await submitted(ada, await opened(ada, "/"), **given)
    assert asked.status_code == 401
    assert 'name="code"' in asked.text
    answer = await submitted(ada, await opened(ada, "/"), **given, code=shows.code())
    assert answer.status_code == 303


@pytest.mark.parametrize("headers", [{"origin": "http://evil.test"}, {"sec-fetch-site": "cross-site"}])
async def test_no_other_site_signs_anybody_in_or_out(
    pulse: Installation, acme: Tenant, headers: dict[str, str]
) -> None:
    ada = await browser(pulse, acme)
    cookie = {"cookie": f"rocketwave_session={ada.cookie}"}
    for path in ("/", "/sign-out"):
        answer = await pulse.client.post(path, data={"email": "x"}, headers={**cookie, **headers})
        assert answer.status_code == 403
    assert (await ada.send("GET", SESSION)).status_code == 200


async def test_only_the_pages_own_form_signs_out(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    home = await opened(ada, "/")
    kept = ada.cookie
    await submitted(ada, home, token="another")
    ada.cookie = kept
    assert (await ada.send("GET", SESSION)).status_code == 200
