"""Invitations by mail: who may send them, what comes in the mail, and who comes in by it."""

from typing import Any

import pytest

from pulse.mail.port import Mail, MailFailed
from pulse.tenancy.people.attempts import MOST
from pulse.tenancy.people.tickets import TicketRefused
from tests.integration.console.people.post import INVITATIONS, emails, invite, letters, link_in, token_in
from tests.integration.console.people.rooms import PASSWORD, SESSION, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

ACCEPT = f"{INVITATIONS}/accept"


async def test_somebody_new_comes_in(pulse: Installation, acme: Tenant) -> None:
    admin, email = await browser(pulse, acme, "Admin"), "new.person@example.com"
    invitation, token = await invite(admin, email)
    assert (invitation["email"], invitation["role"], invitation["invitedBy"]) == (email, "User", admin.user["id"])
    assert [row["id"] for row in (await admin.send("GET", INVITATIONS)).json()["data"]] == [invitation["id"]]
    newcomer = Browser(pulse)
    body = {"token": token, "password": PASSWORD, "firstName": "Ada", "lastName": "Lovelace"}
    answer = await newcomer.send("POST", ACCEPT, body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["user"]["email"], told["organization"]["id"], told["role"], told["signedIn"]) == (
        email,
        acme.organization_id,
        "User",
        True,
    )
    assert (await newcomer.send("GET", SESSION)).json()["user"]["name"] == "Ada Lovelace"
    assert (await Browser(pulse).sign_in(email)).status_code == 200
    assert email in await emails(admin, acme)
    assert (await admin.send("GET", INVITATIONS)).json()["data"] == []


async def test_the_words_of_the_mail(pulse: Installation, acme: Tenant) -> None:
    admin, email = await browser(pulse, acme, "Admin"), "reads.it@example.com"
    await invite(admin, email, "Guest")
    (letter,) = letters(pulse, email)
    text = letter.get_content()
    assert acme.organization.name in letter["Subject"]
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "text/plain"
    assert admin.user["email"] in text
    assert "change nothing" in text
    assert "Pulse is a program" in text
    assert link_in(letter).startswith("http://pulse.test/invitation?token=")
    assert token_in(letter) not in str(letter["Message-ID"])


async def test_who_has_an_account_keeps_it(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    known, admin = await user(pulse, other), await browser(pulse, acme, "Admin")
    _, token = await invite(admin, known["email"])
    refused = await pulse.client.post(ACCEPT, json={"token": token, "password": "a password of eve's"})
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "password")
    answer = await pulse.client.post(ACCEPT, json={"token": token})
    assert (answer.status_code, answer.json()["signedIn"]) == (200, False)
    assert "set-cookie" not in answer.headers
    assert (await Browser(pulse).sign_in(known["email"], "a password of eve's")).status_code == 401
    theirs = Browser(pulse)
    assert (await theirs.sign_in(known["email"])).status_code == 200
    places = (await theirs.send("GET", SESSION)).json()["organizations"]
    assert {place["id"] for place in places} == {acme.organization_id, other.organization_id}


async def test_links_that_do_not_work_look_the_same(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    revoked, token_of_revoked = await invite(admin, "revoked@example.com")
    resent, token_of_resent = await invite(admin, "resent@example.com")
    _, used = await invite(admin, "used@example.com")
    assert (await admin.send("DELETE", f"{INVITATIONS}/{revoked['id']}")).status_code == 204
    assert (await admin.send("POST", f"{INVITATIONS}/{resent['id']}/resend")).status_code == 200
    assert (await pulse.client.post(ACCEPT, json={"token": used, "password": PASSWORD})).status_code == 200
    found = set()
    for token in (token_of_revoked, token_of_resent, used, "x", "é" * 200, "' OR 1=1 --"):
        answer = await pulse.client.post(ACCEPT, json={"token": token, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (404, TicketRefused.code)
        found.add(answer.text)
    assert len(found) == 1
    newest = token_in(letters(pulse, "resent@example.com")[-1])
    assert (await pulse.client.post(ACCEPT, json={"token": newest, "password": PASSWORD})).status_code == 200


async def test_who_belongs_already_or_was_invited(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    await invite(admin, "twice@example.com")
    for email in (admin.user["email"], "twice@example.com", "TWICE@example.com"):
        answer = await admin.send("POST", INVITATIONS, {"email": email})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), email
    assert len(letters(pulse, "twice@example.com")) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "email"),
        ({"email": "ada"}, "email"),
        ({"email": "ada@-.-"}, "email"),
        ({"email": "a..b@example.com"}, "email"),
        ({"email": "a@example.com\nBcc: eve@example.com"}, "email"),
        ({"email": "x@example.com", "role": "System"}, "role"),
        ({"email": "x@example.com", "role": "Boss"}, "role"),
        ({"email": "x@example.com", "organizationId": "org_x"}, "organizationId"),
        ({"email": "x@example.com", "expiresAt": "2999-01-01T00:00:00Z"}, "expiresAt"),
    ],
)
async def test_what_is_no_invitation(pulse: Installation, acme: Tenant, body: Any, path: str) -> None:
    admin = await browser(pulse, acme, "Admin")
    answer = await admin.send("POST", INVITATIONS, body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path), answer.text
    assert (await admin.send("GET", INVITATIONS)).json()["data"] == []


async def test_who_may_invite(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    invitation, _ = await invite(admin, "wanted@example.com")
    one = f"{INVITATIONS}/{invitation['id']}"
    routes = (
        ("GET", INVITATIONS, None),
        ("POST", INVITATIONS, {"email": "x@example.com"}),
        ("POST", f"{one}/resend", None),
        ("DELETE", one, None),
    )
    lower = [await browser(pulse, acme, role) for role in ("User", "Guest")]
    stranger = await browser(pulse, await pulse.tenant("Other"), "Admin")
    for method, path, body in routes:
        for somebody in lower:
            assert (await somebody.send(method, path, body)).status_code == 403, (method, path)
        key = await pulse.client.request(method, path, json=body, headers=acme.headers)
        assert key.status_code == 403, (method, path)
        nobody = await pulse.client.request(method, path, json=body)
        assert nobody.status_code == 401, (method, path)
        named = await stranger.send(method, f"{path}?organizationId={acme.organization_id}", body)
        assert named.status_code == 404, (method, path)
    for method, path in (("POST", f"{one}/resend"), ("DELETE", one)):
        assert (await stranger.send(method, path)).status_code == 404
    assert (await stranger.send("GET", INVITATIONS)).json()["data"] == []
    assert [row["id"] for row in (await admin.send("GET", INVITATIONS)).json()["data"]] == [invitation["id"]]
    assert letters(pulse, "x@example.com") == []


async def test_what_somebody_invited_ends_with_their_role(pulse: Installation, acme: Tenant) -> None:
    admin, other = await browser(pulse, acme, "Admin"), await browser(pulse, acme, "Admin")
    invitation, token = await invite(admin, "invited.by.eve@example.com")
    changed = await other.send("PUT", f"/api/members/{admin.user['id']}", {"role": "Guest"})
    assert changed.status_code == 200, changed.text
    refused = await pulse.client.post(ACCEPT, json={"token": token, "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (404, "invalid_link")
    again = await other.send("POST", f"{INVITATIONS}/{invitation['id']}/resend")
    assert (again.status_code, again.json()["invitedBy"]) == (200, other.user["id"])
    assert (await other.send("DELETE", f"{INVITATIONS}/{invitation['id']}")).status_code == 204


async def test_the_operator_invites(pulse: Installation, acme: Tenant) -> None:
    path = f"{INVITATIONS}?organizationId={acme.organization_id}"
    answer = await pulse.client.post(path, json={"email": "first@example.com", "role": "Admin"}, headers=pulse.operator)
    assert (answer.status_code, answer.json()["invitedBy"]) == (201, None)
    assert "Your administrator" in letters(pulse, "first@example.com")[0].get_content()


async def test_nobody_is_flooded(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    invitation, _ = await invite(admin, "flooded@example.com")
    answers = [await admin.send("POST", f"{INVITATIONS}/{invitation['id']}/resend") for _ in range(MOST["mail"] + 1)]
    assert [answer.status_code for answer in answers] == [200] * (MOST["mail"] - 1) + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0
    assert len(letters(pulse, "flooded@example.com")) == MOST["mail"]


async def test_a_mail_that_cannot_be_sent_leaves_no_invitation(
    alone: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await browser(alone, await alone.tenant(), "Admin")

    async def fails(_mail: Mail) -> None:
        raise MailFailed("unreachable", "The mail server cannot be reached.")

    monkeypatch.setattr(alone.parts.outside.mailer, "send", fails)
    answer = await admin.send("POST", INVITATIONS, {"email": "x@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (503, "mail_failed")
    assert "cannot be reached" in answer.json()["detail"]
    assert (await admin.send("GET", INVITATIONS)).json()["data"] == []


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
async def test_other_sites_accept_nothing(pulse: Installation, acme: Tenant, headers: dict[str, str]) -> None:
    _, token = await invite(await browser(pulse, acme, "Admin"), f"{'.'.join(headers)}@example.com")
    body = {"token": token, "password": PASSWORD}
    assert (await pulse.client.post(ACCEPT, json=body, headers=headers)).status_code == 403
    assert (await pulse.client.post(ACCEPT, json=body)).status_code == 200
