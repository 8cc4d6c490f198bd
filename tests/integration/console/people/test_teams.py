"""`/api/teams`, and what a right on an environment opens, and what it does not."""

from typing import Any

import pytest

from tests.integration.console.people.rooms import MEMBERS, Browser, browser
from tests.integration.receiver.installation import Installation, Tenant

TEAMS, ENVIRONMENTS, WORKFLOWS, VARIABLES = "/api/teams", "/api/environments", "/api/workflows", "/api/variables"


async def limited(pulse: Installation, tenant: Tenant, role: str = "Guest") -> Browser:
    """Somebody whose role holds through teams only, signed in."""
    made = await browser(pulse, tenant, role)
    path = f"{MEMBERS}/{made.user['id']}?organizationId={tenant.organization_id}"
    answer = await pulse.client.put(path, json={"role": role, "environments": "teams"}, headers=pulse.operator)
    assert (answer.status_code, answer.json()["environments"]) == (200, "teams"), answer.text
    # Whose rights change is signed out.
    assert (await made.sign_in(made.user["email"])).status_code == 200
    return made


def right(tenant: Tenant, role: str) -> dict[str, str]:
    return {"environmentId": tenant.environment_id, "role": role}


async def team(admin: Browser, people: list[Browser], *rights: dict[str, str], name: str = "crew") -> dict[str, Any]:
    body = {"name": name, "memberIds": [person.user["id"] for person in people], "rights": list(rights)}
    answer = await admin.send("POST", TEAMS, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def shown(person: Browser) -> list[str]:
    return [row["name"] for row in (await person.send("GET", ENVIRONMENTS)).json()["data"]]


async def test_a_team_and_its_revisions(pulse: Installation, acme: Tenant) -> None:
    admin, guest = await browser(pulse, acme, "Admin"), await browser(pulse, acme, "Guest")
    made = await team(admin, [guest], right(acme, "User"))
    assert (made["memberIds"], made["rights"]) == ([guest.user["id"]], [right(acme, "User")])
    path = f"{TEAMS}/{made['id']}"
    for person in (admin, guest):
        answer = await person.send("GET", path)
        assert (answer.json(), answer.headers["etag"]) == (made, '"1"')
        assert (await person.send("GET", TEAMS)).json()["data"] == [made]
    body = {"name": "crew 2", "memberIds": [], "rights": []}
    answer = await admin.send("PUT", path, body, if_match='"1"')
    assert (answer.status_code, answer.json()["name"], answer.headers["etag"]) == (200, "crew 2", '"2"')
    assert (await admin.send("PUT", path, body, if_match='"1"')).status_code == 412
    for method, sent in (("POST", body), ("PUT", body), ("DELETE", None)):
        answer = await guest.send(method, TEAMS if method == "POST" else path, sent)
        assert answer.status_code == 403, method
    again = await admin.send("POST", TEAMS, {"name": "crew 2"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await admin.send("DELETE", path)).status_code == 204
    assert [(await admin.send(method, path)).status_code for method in ("GET", "DELETE")] == [404, 404]


async def test_what_a_right_opens_and_when_it_ends(pulse: Installation, acme: Tenant) -> None:
    production = await pulse.another_environment(acme)
    admin, ada = await browser(pulse, acme, "Admin"), await limited(pulse, acme)
    assert await shown(ada) == []
    assert (await ada.send("GET", WORKFLOWS)).status_code == 422
    made = await team(admin, [ada], right(production, "User"))
    assert await shown(ada) == ["production"]
    secret = await team(admin, [], right(acme, "User"), right(production, "Guest"), name="others")
    for path in (TEAMS, f"{TEAMS}/{secret['id']}"):
        assert acme.environment_id not in (await ada.send("GET", path)).text
        assert acme.environment_id in (await admin.send("GET", path)).text
    here, there = f"?environmentId={production.environment_id}", f"?environmentId={acme.environment_id}"
    for path in (WORKFLOWS, f"{WORKFLOWS}{here}", f"{WORKFLOWS}?environmentId=production"):
        assert (await ada.send("GET", path)).status_code == 200, path
    for path in (f"{WORKFLOWS}{there}", f"{WORKFLOWS}?environmentId=development", f"{MEMBERS}{there}"):
        assert (await ada.send("GET", path)).status_code == 404, path
    assert (await ada.send("GET", f"{ENVIRONMENTS}/{acme.environment_id}")).status_code == 404
    assert (await ada.send("GET", f"{ENVIRONMENTS}/{production.environment_id}")).status_code == 200
    variable = {"name": "KEY", "value": "x"}
    assert (await ada.send("POST", f"{VARIABLES}{here}", variable)).status_code == 201
    assert (await ada.send("POST", f"{VARIABLES}{there}", variable)).status_code == 404
    assert (await ada.send("GET", f"/api/api-keys{here}")).status_code == 403
    # The next request has the new rights.
    body = {"name": "crew", "memberIds": [ada.user["id"]], "rights": [right(production, "Guest")]}
    assert (await admin.send("PUT", f"{TEAMS}/{made['id']}", body)).status_code == 200
    assert (await ada.send("POST", f"{VARIABLES}{here}", {**variable, "name": "B"})).status_code == 403
    assert (await admin.send("DELETE", f"{TEAMS}/{made['id']}")).status_code == 204
    assert (await ada.send("GET", f"{WORKFLOWS}{here}")).status_code == 404
    assert await shown(ada) == []


async def test_an_admin_of_one_environment_is_none_of_the_organization(pulse: Installation, acme: Tenant) -> None:
    production = await pulse.another_environment(acme)
    admin, ada = await browser(pulse, acme, "Admin"), await limited(pulse, acme)
    made = await team(admin, [ada], right(production, "Admin"))
    here = f"?environmentId={production.environment_id}"
    own = f"{MEMBERS}/{ada.user['id']}"
    credential = {"name": "x", "providerId": "openai", "authType": "api_key", "apiKey": "sk-1"}
    for method, path, body in (
        ("PUT", own, {"role": "Admin"}),
        ("DELETE", f"{MEMBERS}/{admin.user['id']}", None),
        ("POST", TEAMS, {"name": "mine", "memberIds": [ada.user["id"]], "rights": [right(acme, "Admin")]}),
        ("PUT", f"{TEAMS}/{made['id']}", {"name": "mine"}),
        ("DELETE", f"{TEAMS}/{made['id']}", None),
        ("POST", "/api/model-credentials", credential),
        ("PUT", f"/api/organizations/{acme.organization_id}", {"name": "mine"}),
        ("PUT", f"{ENVIRONMENTS}/{production.environment_id}", {"name": "mine"}),
        ("DELETE", f"{ENVIRONMENTS}/{production.environment_id}", None),
    ):
        for place in ("", here):
            answer = await ada.send(method, path + place, body)
            assert answer.status_code == 403, (method, path, place, answer.text)


async def test_a_key_of_one_environment_is_none_of_the_organization(pulse: Installation, acme: Tenant) -> None:
    production = await pulse.another_environment(acme)
    admin, ada = await browser(pulse, acme, "Admin"), await limited(pulse, acme)
    await team(admin, [ada], right(production, "Admin"))
    keys, here = "/api/api-keys", f"?environmentId={production.environment_id}"
    everything = await admin.send("POST", f"{keys}{here}", {"name": "everything"})
    for path, body, words in (
        (keys, {"name": "x"}, "name its scopes"),
        (keys, {"name": "x", "scopes": ["messages:read", "credentials:update"]}, "credentials:update"),
        (f"{keys}/{everything.json()['id']}/rotate", {}, "name its scopes"),
    ):
        answer = await ada.send("POST", path + here, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (path, body, answer.text)
        assert words in answer.text
    scopes = ["variables:read", "api-keys:write", "models:read"]
    answer = await ada.send("POST", f"{keys}{here}", {"name": "x", "scopes": scopes})
    assert answer.status_code == 201, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['key']}"}
    assert (await pulse.client.get(VARIABLES, headers=headers)).status_code == 200
    credential = {"name": "x", "providerId": "openai", "authType": "api_key", "apiKey": "sk-1"}
    for path, body in (
        ("/api/model-credentials", credential),
        (keys, {"name": "y"}),
        (keys, {"name": "y", "scopes": ["models:write"]}),
    ):
        assert (await pulse.client.post(path, json=body, headers=headers)).status_code == 403, path
    rotated = await ada.send("POST", f"{keys}/{answer.json()['id']}/rotate{here}", {})
    assert (rotated.status_code, rotated.json()["scopes"]) == (201, answer.json()["scopes"]), rotated.text
    operator = await browser(pulse, None, "System")
    whole = f"{here}&organizationId={acme.organization_id}"
    assert (await operator.send("POST", f"{keys}{whole}", {"name": "x"})).status_code == 201


async def test_what_a_membership_says_of_environments(pulse: Installation, acme: Tenant) -> None:
    admin, guest = await browser(pulse, acme, "Admin"), await browser(pulse, acme, "Guest")
    path = f"{MEMBERS}/{guest.user['id']}"
    answer = await admin.send("PUT", path, {"role": "Admin", "environments": "teams"})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "environments")
    for body, environments in (
        ({"role": "User"}, "all"),
        ({"role": "User", "environments": "teams"}, "teams"),
        ({"role": "Guest"}, "teams"),
        ({"role": "Admin"}, "all"),
    ):
        assert (await admin.send("PUT", path, body)).json()["environments"] == environments
    listed = {row["userId"]: row["environments"] for row in (await admin.send("GET", MEMBERS)).json()["data"]}
    assert listed[guest.user["id"]] == "all"
    assert (await admin.send("PUT", path, {"role": "User", "environments": "some"})).status_code == 422


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "memberIds": ["usr_none"]}, "memberIds.0"),
        ({"name": "x", "memberIds": "all"}, "memberIds"),
        ({"name": "x", "rights": [{"environmentId": "env_none", "role": "User"}]}, "rights.0.environmentId"),
        ({"name": "x", "rights": [{"environmentId": "env_none", "role": "System"}]}, "rights.0.role"),
        ({"name": "x", "rights": [{"role": "User"}]}, "rights.0.environmentId"),
        ({"name": "x", "organizationId": "org_x"}, "organizationId"),
    ],
)
async def test_faults_of_a_team(pulse: Installation, acme: Tenant, body: dict[str, Any], path: str) -> None:
    admin = await browser(pulse, acme, "Admin")
    answer = await admin.send("POST", TEAMS, body)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, path), answer.text


async def test_teams_of_another_organization_are_not_there(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    admin, eve = await browser(pulse, acme, "Admin"), await browser(pulse, other, "Admin")
    made = await team(admin, [admin], right(acme, "Guest"))
    path = f"{TEAMS}/{made['id']}"
    for method, body in (("GET", None), ("PUT", {"name": "mine"}), ("DELETE", None)):
        assert (await eve.send(method, path, body)).status_code == 404, method
        answer = await eve.send(method, f"{path}?organizationId={acme.organization_id}", body)
        assert answer.status_code == 404, method
    foreign = {"name": "x", "memberIds": [admin.user["id"]], "rights": [right(acme, "Admin")]}
    answer = await eve.send("POST", TEAMS, foreign)
    assert [fault["path"] for fault in answer.json()["errors"]] == ["memberIds.0", "rights.0.environmentId"]
    assert (await eve.send("GET", TEAMS)).json()["data"] == []
    assert (await admin.send("GET", path)).json() == made
    for headers in (acme.headers, other.headers):
        assert (await pulse.client.get(TEAMS, headers=headers)).status_code == 403
