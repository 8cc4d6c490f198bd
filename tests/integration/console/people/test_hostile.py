"""People, keys and pages that mean harm: what they try at the sign-in, and what they must not get."""

import asyncio
from typing import Any

import pytest

from pulse.tenancy.people.attempts import MOST
from pulse.tenancy.roles import PERMISSIONS
from tests.integration.console.people.rooms import MEMBERS, PASSWORD, PROFILE, SESSION, USERS, Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant

KEYS, WORKFLOWS = "/api/api-keys", "/api/workflows"


async def made_key(pulse: Installation, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await pulse.client.post(KEYS, json={"name": "ci", **body}, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


async def test_many_tries_at_once_are_no_more_than_one_after_another(alone: Installation) -> None:
    email = (await user(alone, await alone.tenant()))["email"]
    bodies = [{"email": email, "password": f"wrong {number}"} for number in range(MOST["account"] * 3)]
    answers = await asyncio.gather(*(alone.client.post(SESSION, json=body) for body in bodies))
    assert [answer.status_code for answer in answers].count(401) == MOST["account"]
    assert {answer.status_code for answer in answers} == {401, 429}


@pytest.mark.parametrize("known", [True, False])
async def test_other_spellings_of_an_account_are_no_other_account(alone: Installation, known: bool) -> None:
    email = (await user(alone, await alone.tenant()))["email"] if known else "nobody@example.com"
    spellings = [email, email.upper(), f" {email}", f"{email}\t", f"\u2003{email}"]
    for number in range(MOST["account"]):
        body = {"email": spellings[number % len(spellings)], "password": "wrong"}
        assert (await alone.client.post(SESSION, json=body)).status_code == 401
    for spelling in spellings:
        answer = await alone.client.post(SESSION, json={"email": spelling, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts"), spelling


async def test_a_stolen_session_does_not_guess_the_password(alone: Installation) -> None:
    ada = await browser(alone, await alone.tenant())
    path, body = f"{PROFILE}/password", {"oldPassword": "a guess", "newPassword": "another good one"}
    for _ in range(MOST["account"]):
        assert (await ada.send("PUT", path, body)).status_code == 422
    assert (await ada.send("PUT", path, {**body, "oldPassword": PASSWORD})).status_code == 429


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("a\u0000@example.com", PASSWORD),
        ("\ud800@example.com".encode("utf-8", "surrogatepass").decode("latin-1"), PASSWORD),
        ("%@example.com", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("ﬁ@example.com", "\u0301" * 1_000),
        ("a@example.com", "🙂" * 1_000),
    ],
)
async def test_strange_sign_ins_are_refused(alone: Installation, email: str, password: str) -> None:
    answer = await alone.client.post(SESSION, json={"email": email, "password": password})
    assert answer.status_code in (401, 422), answer.text


async def test_half_of_a_character_is_no_password(alone: Installation) -> None:
    answer = await alone.post(SESSION, b'{"email": "a@example.com", "password": "\\ud800"}')
    assert answer.status_code == 422


async def test_the_same_password_from_another_keyboard(pulse: Installation, acme: Tenant) -> None:
    body = {"email": "zoe@example.com", "organizationId": acme.organization_id, "password": "caf\u00e9 and croissants"}
    assert (await pulse.client.post(USERS, json=body, headers=pulse.operator)).status_code == 201
    assert (await Browser(pulse).sign_in("zoe@example.com", "cafe\u0301 and croissants")).status_code == 200
    assert (await Browser(pulse).sign_in("zoe@example.com", "cafe and croissants")).status_code == 401


async def test_a_password_is_not_refused_for_one_letter_of_the_address(pulse: Installation, acme: Tenant) -> None:
    body = {"email": "e@example.com", "organizationId": acme.organization_id, "password": PASSWORD}
    assert (await pulse.client.post(USERS, json=body, headers=pulse.operator)).status_code == 201


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "", "http://", "//pulse.test@evil.example", "ä"])
async def test_what_is_no_origin_is_another_site(pulse: Installation, acme: Tenant, origin: str) -> None:
    ada = await browser(pulse, acme)
    page = [(b"cookie", f"rocketwave_session={ada.cookie}".encode()), (b"x-csrf-token", ada.csrf.encode())]
    for host in (b"pulse.test", b""):
        sent = [*page, (b"origin", origin.encode("latin-1")), (b"host", host)]
        answer = await pulse.client.put(PROFILE, json={"firstName": "x"}, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (origin, host)


async def test_behind_a_proxy_the_installations_own_address_is_no_other_site(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    answer = await ada.send("PUT", PROFILE, {"firstName": "x"}, host="10.0.0.7:8080", origin="http://pulse.test")
    assert answer.status_code == 200
    forwarded = {"x_forwarded_host": "evil.example", "origin": "http://evil.example"}
    assert (await ada.send("PUT", PROFILE, {"firstName": "x"}, **forwarded)).status_code == 403


@pytest.mark.parametrize(
    "value", [b"", b'""', b"x", b"\xff\xfe", "ä".encode(), b"a" * 60_000, b"x; rocketwave_session=y", b"%00"]
)
async def test_cookies_of_nobody(pulse: Installation, value: bytes) -> None:
    for method, path in (("GET", SESSION), ("GET", WORKFLOWS), ("PUT", PROFILE), ("POST", KEYS)):
        headers = {b"cookie": b"rocketwave_session=" + value}
        answer = await pulse.client.request(method, path, headers=headers)
        assert answer.status_code == (401 if method == "GET" or value in (b"", b'""') else 403), (method, path)


async def test_an_empty_key_does_not_fall_back_to_the_session(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    for given in ("", "Bearer", "Bearer ", "Basic eDp5", admin.cookie, f"Bearer {admin.cookie}"):
        assert (await admin.send("GET", WORKFLOWS, authorization=given)).status_code == 401, given
        assert (await admin.send("GET", SESSION, authorization=given)).status_code == 403, given


async def test_the_receiver_takes_no_session(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    assert (await admin.send("POST", "/v1/messages", {"type": "x", "payload": {}})).status_code == 401


async def test_a_session_that_was_there_before_ends_with_the_next_sign_in(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    planted, ada.csrf = ada.cookie, ""
    answer = await ada.sign_in(ada.user["email"])
    assert answer.status_code == 200
    assert ada.cookie != planted
    assert (await Browser(pulse, planted).send("GET", SESSION)).status_code == 401
    assert (await ada.send("GET", SESSION)).status_code == 200


async def test_a_refused_sign_in_ends_no_session(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme)
    assert (await ada.sign_in(ada.user["email"], "wrong")).status_code == 401
    assert (await ada.send("GET", SESSION)).status_code == 200


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("9999-12-31T23:59:59.999999-14:00", "too_late"),
        ("9999-12-31T23:59:59.9999Z", "too_late"),
        ("0001-01-01T00:00:00+14:00", "in_the_past"),
        ("1970-01-01T00:00:00Z", "in_the_past"),
        (0, "in_the_past"),
        (-(10**18), None),
        (10**300, None),
        (253_402_300_800, None),
        ("10000-01-01T00:00:00Z", None),
        (True, None),
        ({}, None),
    ],
)
async def test_times_at_which_no_key_ends(pulse: Installation, acme: Tenant, when: Any, code: str | None) -> None:
    answer = await pulse.client.post(KEYS, json={"name": "x", "expiresAt": when}, headers=acme.headers)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "expiresAt"), answer.text
    assert code in (None, answer.json()["errors"][0]["code"])
    assert (await pulse.client.get(KEYS, headers=acme.headers)).status_code == 200


async def test_the_last_moment_can_be_rotated_and_shown(pulse: Installation, acme: Tenant) -> None:
    last = "9999-12-31T23:59:59.999Z"
    made = await made_key(pulse, acme.headers, expiresAt=last)
    assert made["expiresAt"] == last
    answer = await pulse.client.post(f"{KEYS}/{made['id']}/rotate", json={}, headers=acme.headers)
    assert (answer.status_code, answer.json()["expiresAt"]) == (201, last)
    assert (await pulse.client.get(KEYS, headers=acme.headers)).status_code == 200


async def test_a_key_that_ends_does_not_prolong_itself(pulse: Installation, acme: Tenant) -> None:
    ends = "2999-01-01T00:00:00.000Z"
    brief = await made_key(pulse, acme.headers, expiresAt=ends)
    answer = await pulse.client.post(f"{KEYS}/{brief['id']}/rotate", json={}, headers=bearer(brief))
    assert (answer.status_code, answer.json()["expiresAt"]) == (201, ends)
    # A key that is in its grace makes none that outlives it, though it had no end itself.
    lasting = await made_key(pulse, acme.headers)
    assert (await pulse.client.get(KEYS, headers=bearer(lasting))).status_code == 200
    path = f"{KEYS}/{lasting['id']}/rotate"
    assert (await pulse.client.post(path, json={"graceSeconds": 60}, headers=acme.headers)).status_code == 201
    rows = (await pulse.client.get(KEYS, headers=bearer(lasting))).json()["data"]
    (grace,) = [row["expiresAt"] for row in rows if row["id"] == lasting["id"]]
    answer = await pulse.client.post(path, json={}, headers=bearer(lasting))
    assert (answer.status_code, answer.json()["expiresAt"]) == (201, grace)
    assert (await pulse.client.post(KEYS, json={"name": "x"}, headers=bearer(lasting))).status_code == 403


async def test_a_script_is_no_admin(pulse: Installation, acme: Tenant) -> None:
    token = pulse.parts.authenticator.token_of_scripts(acme.organization_id, acme.environment_id)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await pulse.client.get(WORKFLOWS, headers=headers)).status_code == 200
    for method, path in (
        ("POST", KEYS),
        ("GET", KEYS),
        ("DELETE", "/api/messages/msg_x"),
        ("POST", "/api/model-credentials"),
    ):
        answer = await pulse.client.request(method, path, headers=headers)
        assert (answer.status_code, "A script may not" in answer.text) == (403, True), path
    forged = token.replace(acme.environment_id, (await pulse.tenant("Other")).environment_id)
    assert (await pulse.client.get(WORKFLOWS, headers={"Authorization": f"Bearer {forged}"})).status_code == 401


async def test_nothing_else_is_written_into_a_user(pulse: Installation, acme: Tenant) -> None:
    ada = await browser(pulse, acme, "Guest")
    for name in ("isSystem", "is_system", "email", "password", "id", "userId", "role", "first_name"):
        assert (await ada.send("PUT", PROFILE, {name: True})).status_code == 422, name
    assert (await ada.send("GET", USERS)).status_code == 403


@pytest.mark.parametrize("name", ["\u0000", "x" * 101, 1, ["x"], {}])
async def test_names_that_are_none(pulse: Installation, acme: Tenant, name: Any) -> None:
    ada = await browser(pulse, acme)
    assert (await ada.send("PUT", PROFILE, {"firstName": name})).status_code == 422


async def test_every_address_is_closed_to_people_of_other_organizations(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    document = (await pulse.client.get("/api/openapi.json")).json()
    admin, operator_only = await browser(pulse, acme, "Admin"), ("/organizations", "/users")
    routes = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    assert len(routes) > 50
    for method, path in routes:
        if document["paths"][path][method.lower()]["x-permission"] not in PERMISSIONS:
            continue
        address = "/api" + path.removeprefix("/api").replace("{", "").replace("}", "")
        for place in (f"organizationId={other.organization_id}", f"environmentId={other.environment_id}"):
            answer = await admin.send(method, f"{address}?{place}", {} if method in ("POST", "PUT", "PATCH") else None)
            allowed = (403, 404) if address.removeprefix("/api") in operator_only else (404,)
            assert answer.status_code in allowed, (method, address, place, answer.text)


async def test_without_an_environment_nothing_of_one_is_reached(pulse: Installation, acme: Tenant) -> None:
    await pulse.another_environment(acme)
    admin = await browser(pulse, acme, "Admin")
    for path in (WORKFLOWS, KEYS, "/api/messages", "/api/variables", "/api/sources"):
        answer = await admin.send("GET", path)
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "environmentId"), path
        assert (await admin.send("GET", f"{path}?environmentId=")).status_code == 404
    assert (await admin.send("GET", MEMBERS)).status_code == 200
    assert (await admin.send("GET", f"{MEMBERS}?organizationId=")).status_code == 404
