"""The pages that links lead to, as a browser sees them: looked at as often as one likes, used once."""

import base64
import hashlib
import re
from typing import Any

import pytest

from tests.integration.console.people.post import Form, ask_reset, emails, invite, letters, link_in, opened, submitted
from tests.integration.console.people.rooms import PASSWORD, SESSION, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

NEW = "another good one"
PAGES = ("/sign-in", "/invitation", "/reset")


async def sign_in_link(pulse: Installation, user_id: str) -> str:
    people = pulse.parts.people
    return f"/sign-in?token={await people.tickets.issue(await people.users.user(user_id), 'sign_in')}"


async def test_a_first_sign_in(pulse: Installation, acme: Tenant) -> None:
    somebody, ada = await user(pulse, acme), Browser(pulse)
    link = await sign_in_link(pulse, somebody["id"])
    looks = [await opened(ada, link) for _ in range(3)]
    assert [look.page.status_code for look in looks] == [200] * 3
    form = looks[-1]
    assert somebody["email"] in form.text
    assert not ada.cookie
    answer = await submitted(ada, form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    given = answer.headers["set-cookie"].lower()
    assert "httponly" in given
    assert "samesite=lax" in given
    assert (await ada.send("GET", SESSION)).json()["user"]["email"] == somebody["email"]
    again = await submitted(Browser(pulse), form)
    assert (again.status_code, "set-cookie" in again.headers) == (404, False)
    assert "does not work" in again.text
    assert (await opened(ada, link)).page.status_code == 404


async def test_a_session_that_was_there_before_ends(pulse: Installation, acme: Tenant) -> None:
    ada, other = await browser(pulse, acme), await user(pulse, acme)
    planted = ada.cookie
    await submitted(ada, await opened(ada, await sign_in_link(pulse, other["id"])))
    assert ada.cookie != planted
    assert (await Browser(pulse, planted).send("GET", SESSION)).status_code == 401


async def test_an_invitation_of_somebody_new(pulse: Installation, acme: Tenant) -> None:
    admin, ada, email = await browser(pulse, acme, "Admin"), Browser(pulse), "by.page@example.com"
    await invite(admin, email)
    form = await opened(ada, link_in(letters(pulse, email)[-1]))
    assert acme.organization.name in form.text
    assert set(form.fields) == {"token", "account", "first_name", "last_name", "password"}
    refused = await submitted(ada, form, password="short", first_name='"><script>x</script>', last_name="Lovelace")
    assert refused.status_code == 422
    form = Form(refused)
    assert "12 to 200 characters" in form.text
    assert (form.fields["first_name"], form.fields["password"]) == ('"><script>x</script>', "")
    assert "script" not in form.tags
    answer = await submitted(ada, form, password=PASSWORD, first_name="Ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await ada.send("GET", SESSION)).json()["user"]["name"] == "Ada Lovelace"
    assert email in await emails(admin, acme)


async def test_an_invitation_of_who_has_an_account(pulse: Installation, acme: Tenant) -> None:
    known = await user(pulse, await pulse.tenant("Other"))
    await invite(await browser(pulse, acme, "Admin"), known["email"], "Guest")
    somebody = Browser(pulse)
    form = await opened(somebody, link_in(letters(pulse, known["email"])[-1]))
    assert set(form.fields) == {"token"}
    forced = await submitted(somebody, form, password="a password of eve's")
    assert (forced.status_code, "You have an account already" in Form(forced).text) == (422, True)
    answer = await submitted(somebody, form)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert "Sign in as" in Form(answer).text
    assert (await Browser(pulse).sign_in(known["email"])).status_code == 200


async def test_a_new_password(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    email = ada.user["email"]
    await ask_reset(pulse, email)
    stranger = Browser(pulse)
    form = await opened(stranger, link_in(letters(pulse, email)[-1]))
    assert form.fields["account"] == email
    refused = await submitted(stranger, form, password=email)
    assert (refused.status_code, "too easily guessed" in refused.text) == (422, True)
    done = await submitted(stranger, form, password=NEW)
    assert (done.status_code, "set-cookie" in done.headers) == (200, False)
    assert (await ada.send("GET", SESSION)).status_code == 401
    assert (await Browser(pulse).sign_in(email, NEW)).status_code == 200


async def test_no_page_runs_or_loads_anything(pulse: Installation, acme: Tenant) -> None:
    admin, somebody = await browser(pulse, acme, "Admin"), await user(pulse, acme)
    await invite(admin, "looks@example.com")
    links = [
        await sign_in_link(pulse, somebody["id"]),
        link_in(letters(pulse, "looks@example.com")[-1]),
        f"/reset?token={await ask_reset(pulse, somebody['email'])}",
        "/reset?token=nothing",
    ]
    for link in links:
        form = await opened(Browser(pulse), link)
        headers = form.page.headers
        (style,) = re.findall(r"<style>(.*)</style>", form.page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert headers["content-security-policy"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["cache-control"] == "no-store"
        # A form of a page with `no-referrer` is sent with `Origin: null`, and would be refused.
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert {"script", "img", "link", "iframe", "base"}.isdisjoint(form.tags)


async def test_names_are_text_on_every_page(alone: Installation) -> None:
    name = "<img src=x onerror=alert(1)>&amp;\"'"
    organization = await alone.parts.tenancy.create_organization(name)
    path = f"/api/invitations?organizationId={organization.id}"
    made = await alone.client.post(path, json={"email": "x@example.com"}, headers=alone.operator)
    assert made.status_code == 201
    form = await opened(Browser(alone), link_in(letters(alone, "x@example.com")[-1]))
    assert name in form.text
    assert "img" not in form.tags
    assert form.page.text.count(name) == 0


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://pulse.test"},
    ],
)
async def test_forms_of_other_sites(pulse: Installation, acme: Tenant, page: str, headers: dict[str, str]) -> None:
    somebody = await user(pulse, acme)
    link = await sign_in_link(pulse, somebody["id"])
    token = link.partition("token=")[2]
    answer = await pulse.client.post(page, data={"token": token, "password": NEW}, headers=headers)
    assert (answer.status_code, "another site" in answer.text) == (403, True)
    assert "set-cookie" not in answer.headers
    assert (await opened(Browser(pulse), link)).page.status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"token=x"}, 415),
        ({"json": {"token": "x"}}, 415),
        ({"data": {"token": "x"}}, 404),
        ({"data": {}}, 415),
        ({"data": {"token": "x\0"}}, 422),
        ({"content": b"token=%ff", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 422),
        ({"content": b"\xff", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 422),
        ({"data": {str(number): "" for number in range(11)}}, 422),
        ({"data": {"token": "x" * 20_000}}, 413),
    ],
)
@pytest.mark.parametrize("page", PAGES)
async def test_what_is_no_form(pulse: Installation, page: str, sent: dict[str, Any], status: int) -> None:
    answer = await pulse.client.post(page, **sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text


@pytest.mark.parametrize("page", PAGES)
async def test_without_a_token_nothing_is_there(pulse: Installation, page: str) -> None:
    for query in ("", "?token=", "?token=%00", "?token=%ff", "?tokens=x", f"?token={'x' * 5_000}"):
        answer = await pulse.client.get(page + query)
        assert (answer.status_code, "does not work" in answer.text) == (404, True)
    assert (await pulse.client.put(page)).status_code == 405


async def test_a_name_that_is_too_long(pulse: Installation, acme: Tenant) -> None:
    email = "long.name@example.com"
    await invite(await browser(pulse, acme, "Admin"), email)
    form = await opened(Browser(pulse), link_in(letters(pulse, email)[-1]))
    answer = await submitted(Browser(pulse), form, password=PASSWORD, last_name="x" * 101)
    assert (answer.status_code, "at most 100 characters" in answer.text) == (422, True)


async def test_what_is_done_by_a_page_is_in_the_audit(pulse: Installation, acme: Tenant) -> None:
    admin, email = await browser(pulse, acme, "Admin"), "audited@example.com"
    await invite(admin, email)
    form = await opened(Browser(pulse), link_in(letters(pulse, email)[-1]))
    assert (await submitted(Browser(pulse), form, password=PASSWORD)).status_code == 303
    answer = await admin.send("GET", "/api/audit?action=invitations:accept")
    assert email in answer.text
    assert PASSWORD not in answer.text
