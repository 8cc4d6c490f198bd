"""What each role may do, in its own organization and in others'; users and members."""

from typing import Any

import pytest

from tests.integration.console.people.rooms import MEMBERS, PASSWORD, USERS, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

# A request, and the roles that it is for.
MATRIX: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
    ("GET", "/api/workflows", None, ("Admin", "User", "Guest")),
    ("GET", "/api/messages", None, ("Admin", "User", "Guest")),
    ("GET", "/api/variables", None, ("Admin", "User", "Guest")),
    ("GET", "/api/environments", None, ("Admin", "User", "Guest")),
    ("GET", MEMBERS, None, ("Admin", "User", "Guest")),
    ("GET", "/api/sources", None, ("Admin", "User")),
    ("POST", "/api/variables", {"name": "A", "value": "b"}, ("Admin", "User")),
    ("POST", "/api/messages/replay", {"ids": []}, ("Admin", "User")),
    ("DELETE", "/api/messages/msg_none", None, ("Admin",)),
    ("GET", "/api/api-keys", None, ("Admin",)),
    ("POST", "/api/api-keys", {"name": "x"}, ("Admin",)),
    ("DELETE", f"{MEMBERS}/usr_none", None, ("Admin",)),
    ("GET", "/api/organizations", None, ()),
    ("POST", "/api/organizations", {"name": "x"}, ()),
    ("GET", USERS, None, ()),
    ("POST", USERS, {"email": "eve@example.com", "role": "System"}, ()),
)


@pytest.mark.parametrize("role", ["Admin", "User", "Guest"])
async def test_what_a_role_may_do(pulse: Installation, acme: Tenant, role: str) -> None:
    somebody = await browser(pulse, acme, role)
    for method, path, body, roles in MATRIX:
        answer = await somebody.send(method, path, body)
        assert (answer.status_code == 403) is (role not in roles), (method, path, answer.text)
        if role not in roles:
            assert f"Your role here is {role}" in answer.json()["detail"]


async def test_another_organization_is_not_there(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    admin = await browser(pulse, acme, "Admin")
    for method, path, body, _ in MATRIX:
        for place in (other.organization_id, other.organization.name):
            answer = await admin.send(method, f"{path}?organizationId={place}", body)
            assert answer.status_code == 404, (method, path)
        answer = await admin.send(method, f"{path}?environmentId={other.environment.id}", body)
        assert answer.status_code == 404, (method, path)


async def test_whoever_belongs_to_no_organization_sees_nothing(pulse: Installation, acme: Tenant) -> None:
    stranger = await browser(pulse, acme)
    assert (await pulse.client.delete(f"{MEMBERS}/{stranger.user['id']}", headers=pulse.operator)).status_code == 422
    path = f"{MEMBERS}/{stranger.user['id']}?organizationId={acme.organization_id}"
    assert (await pulse.client.delete(path, headers=pulse.operator)).status_code == 204
    assert (await stranger.send("GET", "/api/workflows")).status_code == 401
    stranger.csrf = ""
    assert (await stranger.sign_in(stranger.user["email"])).status_code == 200
    assert (await stranger.send("GET", "/api/workflows")).status_code == 422
    answer = await stranger.send("GET", f"/api/workflows?organizationId={acme.organization_id}")
    assert answer.status_code == 404


async def test_the_operator_in_person(pulse: Installation, acme: Tenant) -> None:
    operator = await browser(pulse, None, "System")
    assert operator.user["role"] == "System"
    assert (await operator.send("GET", "/api/organizations")).status_code == 200
    made = await operator.send("POST", "/api/organizations", {"name": "Made by hand"})
    assert made.status_code == 201
    place = f"organizationId={acme.organization_id}&environmentId={acme.environment.id}"
    assert (await operator.send("GET", f"/api/workflows?{place}")).status_code == 200
    assert (await operator.send("GET", "/api/workflows")).status_code == 422


async def test_a_change_of_role_is_in_force_at_once(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    guest = await browser(pulse, acme, "Guest")
    assert (await guest.send("GET", "/api/api-keys")).status_code == 403
    changed = await admin.send("PUT", f"{MEMBERS}/{guest.user['id']}", {"role": "Admin"})
    assert (changed.status_code, changed.json()["role"]) == (200, "Admin")
    # Whose rights change signs in again.
    assert (await guest.send("GET", "/api/api-keys")).status_code == 401
    guest.csrf = ""
    assert (await guest.sign_in(guest.user["email"])).status_code == 200
    assert (await guest.send("GET", "/api/api-keys")).status_code == 200
    assert (await guest.send("DELETE", f"{MEMBERS}/{admin.user['id']}")).status_code == 204
    assert (await admin.send("GET", "/api/session")).status_code == 401
    admin.csrf = ""
    assert (await admin.sign_in(admin.user["email"])).status_code == 200
    assert (await admin.send("GET", f"/api/api-keys?organizationId={acme.organization_id}")).status_code == 404


async def test_nobody_makes_themselves_the_operator(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    own = f"{MEMBERS}/{admin.user['id']}"
    for body in ({"role": "System"}, {"role": "Root"}, {"role": "Admin", "isSystem": True}, {}):
        assert (await admin.send("PUT", own, body)).status_code == 422, body
    last = await admin.send("PUT", own, {"role": "Guest"})
    assert (last.status_code, last.json()["code"]) == (409, "conflict")
    assert (await admin.send("DELETE", own)).status_code == 409


async def test_members_of_others_are_not_there(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    theirs = await user(pulse, other, "Admin")
    admin = await browser(pulse, acme, "Admin")
    assert [row["email"] for row in (await admin.send("GET", MEMBERS)).json()["data"]] == [admin.user["email"]]
    for method, body in (("PUT", {"role": "Guest"}), ("DELETE", None)):
        assert (await admin.send(method, f"{MEMBERS}/{theirs['id']}", body)).status_code == 404


async def test_keys_have_nothing_to_do_with_people(pulse: Installation, acme: Tenant) -> None:
    for method, path, body in (("GET", MEMBERS, None), ("GET", USERS, None), ("POST", USERS, {"email": "a@b.c"})):
        answer = await pulse.client.request(method, path, headers=acme.headers, json=body)
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "email"),
        ({"email": "ada", "role": "System"}, "email"),
        ({"email": "a@b.c", "role": "Boss"}, "role"),
        ({"email": "a@b.c"}, "organizationId"),
        ({"email": "a@b.c", "role": "System", "organizationId": "org_x"}, "organizationId"),
        ({"email": "a@b.c", "role": "System", "password": "short"}, "password"),
        ({"email": "a@b.c", "role": "System", "isSystem": True}, "isSystem"),
    ],
)
async def test_what_is_no_user(pulse: Installation, body: Any, path: str) -> None:
    answer = await pulse.client.post(USERS, json=body, headers=pulse.operator)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"] == path
    shown = (await pulse.client.get(USERS, headers=pulse.operator)).json()["data"]
    assert "a@b.c" not in [row["email"] for row in shown]


async def test_a_password_that_is_made_is_shown_once(pulse: Installation, acme: Tenant) -> None:
    body = {"email": "made@example.com", "organizationId": acme.organization.name}
    made = (await pulse.client.post(USERS, json=body, headers=pulse.operator)).json()
    assert len(made["password"]) >= 20
    assert made["password"] not in (await pulse.client.get(USERS, headers=pulse.operator)).text
    assert (await Browser(pulse).sign_in("made@example.com", made["password"])).status_code == 200
    again = await pulse.client.post(USERS, json={**body, "password": PASSWORD}, headers=pulse.operator)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_a_user_of_an_organization_that_is_not_there(pulse: Installation) -> None:
    body = {"email": "lost@example.com", "organizationId": "nowhere"}
    assert (await pulse.client.post(USERS, json=body, headers=pulse.operator)).status_code == 404
    shown = (await pulse.client.get(USERS, headers=pulse.operator)).json()["data"]
    assert "lost@example.com" not in [row["email"] for row in shown]
