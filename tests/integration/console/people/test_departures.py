"""Users whom the operator disables or deletes, and people whose rights change."""

import pytest
from sqlalchemy import select

from tests.integration.console.people.post import ask_reset, letters
from tests.integration.console.people.rooms import MEMBERS, PASSWORD, PROFILE, SESSION, USERS, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant


async def set_disabled(pulse: Installation, user_id: str, disabled: bool) -> int:
    answer = await pulse.client.put(f"{USERS}/{user_id}", json={"disabled": disabled}, headers=pulse.operator)
    if answer.status_code == 200:
        assert answer.json()["disabled"] is disabled
    return answer.status_code


async def test_whoever_is_disabled_is_out(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    email, user_id = ada.user["email"], ada.user["id"]
    token = await ask_reset(pulse, email)
    assert await set_disabled(pulse, user_id, True) == 200
    assert (await ada.send("GET", SESSION)).status_code == 401
    refused, wrong = await Browser(pulse).sign_in(email), await Browser(pulse).sign_in(email, "wrong")
    assert (refused.status_code, refused.text) == (401, wrong.text)
    body = {"token": token, "password": "another good one"}
    assert (await pulse.client.put("/api/session/reset", json=body)).status_code == 404
    assert await set_disabled(pulse, user_id, False) == 200
    assert (await Browser(pulse).sign_in(email)).status_code == 200
    assert (await pulse.client.put("/api/session/reset", json=body)).status_code == 404
    assert len(letters(pulse, email)) == 1


async def test_whoever_is_deleted_is_gone(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    one = f"{USERS}/{ada.user['id']}"
    assert (await pulse.client.delete(one, headers=pulse.operator)).status_code == 204
    assert (await ada.send("GET", SESSION)).status_code == 401
    assert (await Browser(pulse).sign_in(ada.user["email"])).status_code == 401
    assert (await pulse.client.delete(one, headers=pulse.operator)).status_code == 404
    assert await set_disabled(pulse, ada.user["id"], True) == 404
    body = {"email": ada.user["email"], "password": PASSWORD, "organizationId": acme.organization_id}
    assert (await pulse.client.post(USERS, json=body, headers=pulse.operator)).status_code == 201


async def test_the_last_admin_stays(pulse: Installation, acme: Tenant) -> None:
    admin = await user(pulse, acme, "Admin")
    one = f"{USERS}/{admin['id']}"
    refused = [
        await pulse.client.delete(one, headers=pulse.operator),
        await pulse.client.put(one, json={"disabled": True}, headers=pulse.operator),
    ]
    for answer in refused:
        assert (answer.status_code, acme.organization.name in answer.json()["detail"]) == (409, True)
    await user(pulse, acme, "Admin")
    assert (await pulse.client.delete(one, headers=pulse.operator)).status_code == 204


async def test_the_last_system_administrator_stays(alone: Installation) -> None:
    operator = await browser(alone, None, "System")
    one = f"{USERS}/{operator.user['id']}"
    assert (await operator.send("DELETE", one)).status_code == 409
    assert (await operator.send("PUT", one, {"disabled": True})).status_code == 409
    await user(alone, None, "System")
    assert (await operator.send("PUT", one, {"disabled": True})).status_code == 200
    assert (await operator.send("GET", SESSION)).status_code == 401


async def test_who_may_disable_and_delete(pulse: Installation, acme: Tenant) -> None:
    victim = await user(pulse, acme)
    one = f"{USERS}/{victim['id']}"
    admin = await browser(pulse, acme, "Admin")
    for method, body in (("PUT", {"disabled": True}), ("DELETE", None)):
        assert (await admin.send(method, one, body)).status_code == 403
        assert (await pulse.client.request(method, one, json=body, headers=acme.headers)).status_code == 403
        assert (await pulse.client.request(method, one, json=body)).status_code == 401
    assert (await Browser(pulse).sign_in(victim["email"])).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"disabled": "perhaps"}, {"disabled": True, "isSystem": True}, {"disabled": None}]
)
async def test_what_changes_no_user(pulse: Installation, acme: Tenant, body: dict[str, object]) -> None:
    victim = await user(pulse, acme)
    answer = await pulse.client.put(f"{USERS}/{victim['id']}", json=body, headers=pulse.operator)
    assert answer.status_code == 422
    assert (await pulse.client.put(f"{USERS}/usr_none", json=body, headers=pulse.operator)).status_code == 404
    assert (await Browser(pulse).sign_in(victim["email"])).status_code == 200


async def test_who_changes_their_own_role_has_another_session(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    await user(pulse, acme, "Admin")
    elsewhere, before = Browser(pulse), admin.cookie
    await elsewhere.sign_in(admin.user["email"])
    changed = await admin.send("PUT", f"{MEMBERS}/{admin.user['id']}", {"role": "User"})
    assert (changed.status_code, changed.json()["role"]) == (200, "User")
    assert admin.cookie != before
    shown = await admin.send("GET", SESSION)
    assert (shown.status_code, shown.json()["organizations"][0]["role"]) == (200, "User")
    assert shown.json()["csrfToken"] != admin.csrf
    assert (await Browser(pulse, before).send("GET", SESSION)).status_code == 401
    assert (await elsewhere.send("GET", SESSION)).status_code == 401


async def test_a_stolen_session_does_not_renew_itself(pulse: Installation, acme: Tenant) -> None:
    """Neither by a change that changes nothing, nor by one that does: it is as old as its sign-in."""
    admin = await browser(pulse, acme, "Admin")
    own, before = f"{MEMBERS}/{admin.user['id']}", admin.cookie
    sessions = pulse.parts.people.sessions
    began, until = await times(pulse, admin)
    assert (await admin.send("PUT", own, {"role": "Admin"})).status_code == 200
    assert admin.cookie == before
    await user(pulse, acme, "Admin")
    assert (await admin.send("PUT", own, {"role": "User"})).status_code == 200
    assert admin.cookie != before
    assert await times(pulse, admin) == (began, until)
    assert await sessions.user(before) is None


async def times(pulse: Installation, somebody: Browser) -> tuple[int, int]:
    """When the only session of somebody began, and when it ends."""
    sessions = pulse.parts.people.sessions._sessions
    query = select(sessions.c.created_at, sessions.c.expires_at).where(sessions.c.user_id == somebody.user["id"])
    async with pulse.parts.database.read() as connection:
        (row,) = (await connection.execute(query)).all()
    return row.created_at, row.expires_at


async def test_who_has_no_password_chooses_the_first(pulse: Installation, acme: Tenant) -> None:
    people = pulse.parts.people
    made = await people.users.create("no.password@example.com", None)
    ada = Browser(pulse, await people.sessions.begin(made.id))
    ada.csrf = (await ada.send("GET", SESSION)).json()["csrfToken"]
    body = {"newPassword": PASSWORD}
    assert (await ada.send("PUT", f"{PROFILE}/password", {**body, "oldPassword": "x"})).status_code == 422
    assert (await ada.send("PUT", f"{PROFILE}/password", body)).status_code == 204
    assert (await Browser(pulse).sign_in("no.password@example.com")).status_code == 200
    # From then on it takes the old one.
    ada.csrf = (await ada.send("GET", SESSION)).json()["csrfToken"]
    again = await ada.send("PUT", f"{PROFILE}/password", {"newPassword": "another good one"})
    assert (again.status_code, again.json()["errors"][0]["path"]) == (422, "oldPassword")
