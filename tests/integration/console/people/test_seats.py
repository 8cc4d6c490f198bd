"""A plan has room for so many people: members, and those who are invited."""

import httpx2

from tests.integration.console.people.post import INVITATIONS, invite
from tests.integration.console.people.rooms import Browser, browser, user
from tests.integration.receiver.installation import Installation, Tenant


async def subscribe(pulse: Installation, tenant: Tenant, plan: str) -> None:
    path = f"/api/subscriptions/{tenant.organization_id}"
    assert (await pulse.client.put(path, json={"planKey": plan}, headers=pulse.operator)).status_code == 200


async def asked(admin: Browser, email: str) -> httpx2.Response:
    return await admin.send("POST", INVITATIONS, {"email": email, "role": "User"})


async def test_a_team_has_room_for_three(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    await user(pulse, acme)
    await subscribe(pulse, acme, "team")
    invitation, _ = await invite(admin, "third@example.com")
    refused = await asked(admin, "fourth@example.com")
    assert (refused.status_code, refused.json()["code"]) == (409, "seats_taken")
    assert "Team has room for 3, and 3 belong to it or are invited" in refused.json()["detail"]
    assert [row["email"] for row in (await admin.send("GET", INVITATIONS)).json()["data"]] == ["third@example.com"]
    assert (await admin.send("DELETE", f"{INVITATIONS}/{invitation['id']}")).status_code == 204
    assert (await asked(admin, "fourth@example.com")).status_code == 201


async def test_without_a_plan_there_is_room_for_everybody(pulse: Installation, acme: Tenant) -> None:
    admin = await browser(pulse, acme, "Admin")
    for number in range(4):
        assert (await asked(admin, f"guest-{number}@example.com")).status_code == 201
