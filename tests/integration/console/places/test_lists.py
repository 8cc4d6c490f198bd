"""The lists of administration, part by part: pages, orders, texts; each of its own organization and environment."""

from typing import Any

import pytest

from tests.integration.console.documents import create
from tests.integration.console.people.rooms import browser
from tests.integration.receiver.installation import Installation, Tenant

NAMES = ("beta", "Alpha", "gamma")
BY_NAME = ["Alpha", "beta", "gamma"]


async def answer(pulse: Installation, headers: dict[str, str], path: str, **query: Any) -> dict[str, Any]:
    found = await pulse.client.get(path, params=query, headers=headers)
    assert found.status_code == 200, found.text
    return dict(found.json())


async def names(pulse: Installation, headers: dict[str, str], path: str, **query: Any) -> list[str]:
    return [row["name"] for row in (await answer(pulse, headers, path, **query))["data"]]


async def made(pulse: Installation, tenant: Tenant, resource: str, **fields: Any) -> None:
    for name in NAMES:
        await create(pulse, tenant, f"/api/{resource}", {"name": name, **fields})


@pytest.mark.parametrize(("resource", "fields"), [("api-keys", {}), ("sources", {"kind": "none"})])
async def test_what_an_environment_has(
    pulse: Installation, acme: Tenant, resource: str, fields: dict[str, Any]
) -> None:
    path, other = f"/api/{resource}", await pulse.tenant("Other")
    for tenant in (acme, await pulse.another_environment(acme), other):
        await made(pulse, tenant, resource, **fields)
    # The keys that the tests use.
    own = ["test"] if resource == "api-keys" else []
    assert await names(pulse, acme.headers, path, sort="name") == BY_NAME + own
    assert await names(pulse, acme.headers, path, sort="-name") == (BY_NAME + own)[::-1]
    assert await names(pulse, acme.headers, path) == [*own, *NAMES]
    assert await names(pulse, acme.headers, path, search="A", sort="-name", limit=1, page=2) == ["beta"]
    found = await answer(pulse, acme.headers, path, limit=2)
    assert found["pagination"] == {"page": 1, "limit": 2, "total": 3 + len(own), "totalPages": 2}
    found = await answer(pulse, acme.headers, path, search="no such")
    assert (found["data"], found["pagination"]["total"], found["pagination"]["totalPages"]) == ([], 0, 0)


async def test_organizations_and_environments(alone: Installation) -> None:
    for name in NAMES:
        made = await alone.client.post("/api/organizations", json={"name": name}, headers=alone.operator)
        assert made.status_code == 201
    one = await alone.parts.tenancy.organization("gamma")
    for name in NAMES:
        body = {"name": name, "organizationId": one.id}
        assert (await alone.client.post("/api/environments", json=body, headers=alone.operator)).status_code == 201
    for path, place in (("/api/organizations", {}), ("/api/environments", {"organizationId": one.id})):
        assert await names(alone, alone.operator, path, **place) == list(NAMES)
        assert await names(alone, alone.operator, path, sort="name", **place) == BY_NAME
        assert await names(alone, alone.operator, path, sort="-createdAt", limit=1, **place) == ["gamma"]
        assert await names(alone, alone.operator, path, search="BET", **place) == ["beta"]
    assert await names(alone, alone.operator, "/api/environments", organizationId="beta") == []


async def test_people(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    people = [
        await browser(pulse, tenant, role) for tenant, role in ((acme, "Admin"), (acme, "Guest"), (other, "User"))
    ]
    emails = [person.user["email"] for person in people]

    async def shown(path: str, **query: Any) -> list[str]:
        found = await answer(pulse, pulse.operator, path, **query)
        return [row["email"] for row in found["data"] if row["email"] in emails]

    place = {"organizationId": acme.organization_id}
    assert await shown("/api/members", sort="-role", **place) == emails[1::-1]
    assert await shown("/api/members", search=emails[1].upper(), **place) == emails[1:2]
    assert await shown("/api/members", search=emails[2], **place) == []
    assert await shown("/api/users", sort="-createdAt") == emails[::-1]
    assert await shown("/api/users", search=emails[0]) == emails[:1]


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("sort=size", "sort", "unknown_sort"),
        ("sort=--name", "sort", "unknown_sort"),
        ("sort=digest", "sort", "unknown_sort"),
        ("sort=" + "x" * 51, "sort", None),
        ("search=" + "x" * 201, "search", None),
        ("search=%00", "search", "invalid_text"),
        ("page=0", "page", None),
        ("page=100001", "page", None),
        ("limit=0", "limit", None),
        ("limit=1001", "limit", None),
        ("limit=ten", "limit", None),
        ("offset=1", "offset", "unknown_parameter"),
    ],
)
@pytest.mark.parametrize("resource", ["api-keys", "sources", "environments"])
async def test_parts_that_are_none(
    pulse: Installation, acme: Tenant, resource: str, query: str, path: str, code: str | None
) -> None:
    found = await pulse.client.get(f"/api/{resource}?{query}", headers=acme.headers)
    assert (found.status_code, found.json()["errors"][0]["path"]) == (422, path), found.text
    assert code in (None, found.json()["errors"][0]["code"])
    if code == "unknown_sort":
        assert "createdAt, name" in found.json()["errors"][0]["message"]
