"""Signing in with an identity provider: who comes in, as whom, and what a browser keeps of it."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from pulse.tenancy.people.second_factor.totp import code_at
from pulse.tenancy.tables import tenancy_tables
from tests.integration.console.people.oidc.issuer import CLIENT_SECRET
from tests.integration.console.people.oidc.visitors import CALLBACK, OIDC, Office, Visitor
from tests.integration.console.people.rooms import PASSWORD, SESSION
from tests.integration.receiver.installation import Installation


async def test_somebody_whom_the_provider_knows_comes_in(office: Office) -> None:
    email = await office.user()
    ada = office.visitor()
    answer = await ada.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/"), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert await ada.email() == email
    assert "rocketwave_oidc" not in ada.cookies
    assert office.issuer.refusals == []
    # From now on the subject is what counts, whatever the address at the provider.
    office.is_next("other@example.com", sub=office.issuer.who["sub"], email_verified=False)
    again = office.visitor()
    assert (await again.sign_in()).status_code == 303
    assert await again.email() == email


async def audited(office: Office) -> list[dict[str, Any]]:
    """What the installation's chain says of the way back, the oldest first."""
    query: dict[str, str | int] = {"limit": 1000, "action": "session:create"}
    answer = await office.pulse.client.get("/api/audit", params=query, headers=office.pulse.operator)
    assert answer.status_code == 200, answer.text
    return [entry for entry in reversed(answer.json()["data"]) if entry["path"] == CALLBACK]


async def test_what_it_changes_is_written_down(office: Office) -> None:
    before = len(await audited(office))
    office.is_next("unknown@example.com")
    assert await office.refused() == (403, "no_account")
    assert len(await audited(office)) == before
    await office.user()
    await office.visitor().sign_in()
    fresh = (await audited(office))[before:]
    assert [subject["kind"] for entry in fresh for subject in entry["subjects"]] == ["identity", "session"]
    assert "code=" not in str(fresh)


async def test_how_one_can_sign_in_is_told_to_everyone(office: Office, alone: Installation) -> None:
    answer = await office.visitor().get(f"{SESSION}/ways")
    assert answer.json() == {"password": True, "oidc": {"name": "Example", "path": OIDC}}
    assert (await alone.client.get(f"{SESSION}/ways")).json() == {"password": True, "oidc": None}
    for path in (OIDC, f"{CALLBACK}?state=x&code=y"):
        missing = await alone.client.get(path)
        assert (missing.status_code, "PULSE_OIDC_ISSUER" in missing.json()["detail"]) == (404, True)


async def test_the_cookie_of_a_sign_in(office: Office) -> None:
    answer = await office.visitor().get(OIDC)
    given = answer.headers["set-cookie"].lower()
    for word in ("httponly", "samesite=lax", f"path={OIDC}", "max-age=600"):
        assert word in given
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    token = answer.cookies["rocketwave_oidc"]
    assert token not in answer.headers["location"]
    assert CLIENT_SECRET not in answer.headers["location"]
    async with office.pulse.parts.database.read() as connection:
        table = tenancy_tables(office.pulse.parts.database.prefix).sign_in_requests
        rows = str((await connection.execute(select(table))).all())
    assert not any(secret in rows for secret in (token, asked["state"][0], asked["nonce"][0]))


async def test_other_sites_begin_no_sign_in(office: Office) -> None:
    for site in ("cross-site", "same-site"):
        answer = await office.visitor().get(OIDC, sec_fetch_site=site)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    answer = await office.visitor().get(OIDC, host="evil.example")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"] == [office.issuer.callback]


async def test_a_session_that_was_there_before_ends(office: Office) -> None:
    await office.user()
    ada = office.visitor()
    await ada.sign_in()
    planted = Visitor(office.pulse, {"rocketwave_session": ada.cookies["rocketwave_session"]})
    assert await planted.email() is not None
    assert (await ada.sign_in()).status_code == 303
    assert await planted.email() is None
    assert await ada.email() is not None


@pytest.mark.parametrize("verified", [False, None, "true", 1, "yes"])
async def test_an_address_that_is_not_verified_is_nobodys(office: Office, verified: object) -> None:
    email = await office.user()
    office.create_users()
    for address in (email, "new-unverified@example.com"):
        office.is_next(address, email_verified=verified)
        assert await office.refused() == (403, "mail_not_verified")
    office.issuer.who = {"sub": "x"}
    assert await office.refused() == (403, "mail_not_verified")
    office.is_next(email)
    assert (await office.visitor().sign_in()).status_code == 303


async def test_a_stranger_has_no_account(office: Office) -> None:
    office.is_next("stranger@example.com", given_name="Lady\x00", family_name="x" * 300)
    assert await office.refused() == (403, "no_account")
    office.create_users()
    ada = office.visitor()
    assert (await ada.sign_in()).status_code == 303
    shown = (await ada.get("/api/profile")).json()
    assert (shown["profile"]["firstName"], shown["profile"]["lastName"]) == ("Lady", "x" * 100)
    session = (await ada.get(SESSION)).json()
    assert (session["user"]["email"], session["organizations"]) == ("stranger@example.com", [])
    assert "role" not in session["user"]
    # There is no password that such an account has.
    body = {"email": "stranger@example.com", "password": PASSWORD}
    assert (await office.pulse.client.post(SESSION, json=body)).status_code == 401


@pytest.mark.parametrize("email", ["no address", "a b@example.com", "@", "\x00@example.com", 7])
async def test_an_address_that_is_none(office: Office, email: Any) -> None:
    office.create_users()
    office.is_next(email)
    assert (await office.refused())[0] == 403


async def test_an_account_has_one_identity(office: Office) -> None:
    email = await office.user()
    assert (await office.visitor().sign_in()).status_code == 303
    office.is_next(email, sub="somebody who has the address now")
    assert await office.refused() == (403, "account_taken")


async def test_of_many_identities_with_one_address_one_is_joined(office: Office) -> None:
    email = await office.user()
    visitors = [office.visitor() for _ in range(4)]
    backs = [await each.sent_back() for each in visitors]
    subjects = iter(range(4))
    office.issuer.sign = lambda claims: office.issuer.signed({**claims, "sub": f"{email} {next(subjects)}"})
    answers = await asyncio.gather(*(each.come_back(back) for each, back in zip(visitors, backs, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [303, 403, 403, 403]


async def test_an_account_with_a_second_factor_is_not_joined_by_its_address_alone(office: Office) -> None:
    email = await office.user()
    people = office.pulse.parts.people
    found = await people.users.by_email(email)
    assert found is not None
    secret = await people.second_factors.begin(found.id)
    await people.second_factors.confirm(found.id, code_at(secret, office.pulse.parts.clock.now_ms() // 30_000))
    assert await office.refused() == (403, "account_taken")
    await people.second_factors.reset(found.id)
    ada = office.visitor()
    assert (await ada.sign_in()).status_code == 303
    # An identity that was joined before needs no code of ours.
    secret = await people.second_factors.begin(found.id)
    await people.second_factors.confirm(found.id, code_at(secret, office.pulse.parts.clock.now_ms() // 30_000))
    assert (await office.visitor().sign_in()).status_code == 303


async def test_a_disabled_account_stays_closed(office: Office) -> None:
    await office.user()
    people, ada = office.pulse.parts.people, office.visitor()
    assert (await ada.sign_in()).status_code == 303
    joined = await people.users.by_email(office.issuer.who["email"])
    await office.user()
    never = await people.users.by_email(office.issuer.who["email"])
    for each in (joined, never):
        assert each is not None
        await people.users.change(each.id, disabled_at=office.pulse.parts.clock.now_ms())
        office.is_next(each.email)
        assert await office.refused() == (403, "account_disabled")
        await people.users.change(each.id, disabled_at=None)
        assert (await office.visitor().sign_in()).status_code == 303


async def test_who_is_disabled_meanwhile_does_not_come_in(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.user()
    email = await office.user()
    people = office.pulse.parts.people
    found, begin = await people.users.by_email(email), people.sessions.begin
    assert found is not None

    async def meanwhile(user_id: str) -> str:
        await people.departures.disable(user_id)
        return await begin(user_id)

    monkeypatch.setattr(people.sessions, "begin", meanwhile)
    assert await office.refused() == (403, "account_disabled")
    sessions = tenancy_tables(office.pulse.parts.database.prefix).sessions
    async with office.pulse.parts.database.read() as connection:
        assert (await connection.execute(select(sessions).where(sessions.c.user_id == found.id))).all() == []
