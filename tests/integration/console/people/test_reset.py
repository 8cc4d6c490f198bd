"""Forgotten passwords: one answer for everybody, and a link that works once."""

from typing import Any

import pytest

from pulse.mail.port import Mail, MailFailed
from pulse.tenancy.people.attempts import MOST
from tests.integration.console.people.post import RESET, ask_reset, letters, link_in, token_in
from tests.integration.console.people.rooms import PASSWORD, SESSION, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

NEW = "another good one"


async def set_password(pulse: Installation, token: str, password: str = NEW) -> int:
    answer = await pulse.client.put(RESET, json={"token": token, "password": password})
    return answer.status_code


async def test_a_forgotten_password(alone: Installation) -> None:
    ada = await browser(alone, await alone.tenant())
    email = ada.user["email"]
    for _ in range(MOST["account"]):
        await Browser(alone).sign_in(email, "wrong")
    assert (await alone.client.post(RESET, json={"email": f" {email.upper()} "})).status_code == 202
    (letter,) = letters(alone, email)
    token = token_in(letter)
    assert link_in(letter) == f"http://pulse.test/reset?token={token}"
    assert "30 minutes" in letter.get_content()
    assert await set_password(alone, token) == 204
    assert (await ada.send("GET", SESSION)).status_code == 401
    assert (await Browser(alone).sign_in(email)).status_code == 401
    # Whoever reads the account's mail need not wait for somebody else's failures to be forgotten.
    assert (await Browser(alone).sign_in(email, NEW)).status_code == 200
    assert await set_password(alone, token) == 404


async def test_known_and_unknown_addresses_look_the_same(alone: Installation) -> None:
    acme = await alone.tenant()
    known, off = (await user(alone, acme))["email"], await user(alone, acme)
    assert (
        await alone.client.put(f"/api/users/{off['id']}", json={"disabled": True}, headers=alone.operator)
    ).is_success
    seen = set()
    for email in (known, off["email"], "nobody@example.com", "no address", "' OR 1=1 --"):
        answer = await alone.client.post(RESET, json={"email": email})
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        seen.add((answer.status_code, answer.text, str(headers)))
    assert len(seen) == 1
    assert len(letters(alone, known)) == 1
    assert letters(alone, off["email"]) == letters(alone, "nobody@example.com") == []


async def test_the_answer_waits_for_nothing(alone: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given before anybody looks whether the address is known, and whatever becomes of the mail."""
    email = (await user(alone, await alone.tenant()))["email"]
    order: list[str] = []
    looked_up, mailer = alone.parts.people.users.by_email, alone.parts.outside.mailer

    async def look_up(given: str) -> Any:
        order.append("looked up")
        return await looked_up(given)

    async def fails(_mail: Mail) -> None:
        order.append("mailed")
        raise MailFailed("unreachable", "The mail server cannot be reached.")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            order.append(message["type"])
            await send(message)

        await face(scope, receive, noting)

    face = alone.client._transport.app  # type: ignore[attr-defined]
    monkeypatch.setattr(alone.parts.people.users, "by_email", look_up)
    monkeypatch.setattr(mailer, "send", fails)
    monkeypatch.setattr(alone.client._transport, "app", app)
    for given in (email, "nobody@example.com"):
        assert (await alone.client.post(RESET, json={"email": given})).status_code == 202
    answered = ["http.response.start", "http.response.body"]
    assert order == [*answered, "looked up", "mailed", *answered, "looked up"]


async def test_nobody_is_flooded_and_nobody_is_locked_out(alone: Installation) -> None:
    email = (await user(alone, await alone.tenant()))["email"]
    answers = [await alone.client.post(RESET, json={"email": email}) for _ in range(MOST["mail"] + 1)]
    assert [answer.status_code for answer in answers] == [202] * MOST["mail"] + [429]
    assert answers[-1].json()["code"] == "too_many_attempts"
    assert len(letters(alone, email)) == MOST["mail"]
    unknown = [await alone.client.post(RESET, json={"email": "nobody@example.com"}) for _ in range(MOST["mail"] + 1)]
    assert [answer.status_code for answer in unknown] == [answer.status_code for answer in answers]
    assert (await Browser(alone).sign_in(email)).status_code == 200


async def test_one_address_asks_so_often(alone: Installation) -> None:
    answers = [
        await alone.client.post(RESET, json={"email": f"{number}@example.com"}) for number in range(MOST["address"] + 1)
    ]
    assert [answer.status_code for answer in answers] == [202] * MOST["address"] + [429]


async def test_the_newest_link_alone_works(pulse: Installation, acme: Tenant) -> None:
    email = (await user(pulse, acme))["email"]
    older, newer = [await ask_reset(pulse, email) for _ in range(2)]
    assert await set_password(pulse, older) == 404
    assert await set_password(pulse, newer, "short") == 422
    assert await set_password(pulse, newer) == 204
    assert (await Browser(pulse).sign_in(email, NEW)).status_code == 200


@pytest.mark.parametrize(
    ("method", "body", "path"),
    [
        ("POST", {}, "email"),
        ("POST", {"email": 1}, "email"),
        ("POST", {"email": "x@example.com", "url": "https://evil.example"}, "url"),
        ("PUT", {"token": "x"}, "password"),
        ("PUT", {"token": "", "password": PASSWORD}, "token"),
        ("PUT", {"token": "x" * 201, "password": PASSWORD}, "token"),
        ("PUT", {"token": "x", "password": PASSWORD, "email": "eve@example.com"}, "email"),
    ],
)
async def test_what_is_no_reset(pulse: Installation, method: str, body: Any, path: str) -> None:
    answer = await pulse.client.request(method, RESET, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path), answer.text


async def test_the_host_of_a_request_is_in_no_mail(pulse: Installation, acme: Tenant) -> None:
    email = (await user(pulse, acme))["email"]
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    assert (await pulse.client.post(RESET, json={"email": email}, headers=headers)).status_code == 202
    assert "evil.example" not in letters(pulse, email)[-1].as_string()
