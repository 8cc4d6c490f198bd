"""`/api/audit`: who may read it, its filters and pages, and an export that is verified with SHA-256 alone."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import Connection

from pulse.tenancy.audit.act import Act, Actor, Subject
from tests.integration.console.audit.conftest import Entries
from tests.integration.console.people.rooms import browser
from tests.integration.receiver.installation import Installation, Tenant

AUDIT, EXPORT = "/api/audit", "/api/audit/export"


async def change(pulse: Installation, tenant: Tenant, *names: str) -> list[str]:
    """The ids of new variables."""
    ids = []
    for name in names:
        body = {"name": name, "value": "x"}
        ids.append((await pulse.client.post("/api/variables", json=body, headers=tenant.headers)).json()["id"])
    return ids


async def exported(pulse: Installation, **query: Any) -> list[dict[str, Any]]:
    answer = await pulse.client.get(EXPORT, params=query, headers=pulse.operator)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.split("\n")[:-1]]


def holds(lines: list[dict[str, Any]]) -> bool:
    """Whether the lines are a whole chain from its beginning: what somebody would write who has never seen Pulse."""
    previous = bytes(32)
    for line in lines:
        claimed = bytes.fromhex(line.pop("hash"))
        text = json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(previous + text.encode()).digest() != claimed:
            return False
        previous = claimed
    return True


async def test_admins_read_it_and_nobody_else(pulse: Installation, acme: Tenant) -> None:
    await change(pulse, acme, "A")
    for role, status in (("Admin", 200), ("User", 403), ("Guest", 403)):
        somebody = await browser(pulse, acme, role)
        assert (await somebody.send("GET", AUDIT)).status_code == status
        assert (await somebody.send("GET", EXPORT)).status_code == status
    for path in (AUDIT, EXPORT):
        assert (await pulse.client.get(path)).status_code == 401
        assert (await pulse.client.get(path, headers=acme.headers)).status_code == 403


async def test_an_admin_sees_the_own_organization_only(pulse: Installation, acme: Tenant) -> None:
    other = await pulse.tenant("Other")
    admin = await browser(pulse, acme, "Admin")
    (mine,), _ = await change(pulse, acme, "MINE"), await change(pulse, other, "THEIRS")
    for path in (AUDIT, EXPORT):
        text = (await admin.send("GET", path)).text
        assert mine in text
        assert other.organization_id not in text
        for place in (other.organization_id, other.organization.name):
            assert (await admin.send("GET", f"{path}?organizationId={place}")).status_code == 404
    rows = (await admin.send("GET", AUDIT)).json()["data"]
    assert {row["organizationId"] for row in rows} == {acme.organization_id}


async def test_the_operator_reads_the_installations_or_any(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    await change(pulse, acme, "A")
    name = f"of {acme.organization_id}"
    await pulse.client.post("/api/organizations", json={"name": name}, headers=pulse.operator)
    # Other tests may have moved the time: theirs need not be the older ones.
    made = await entries(action="organizations:create")
    assert sum(name in [subject["name"] for subject in row["subjects"]] for row in made) == 1
    assert {row["organizationId"] for row in await entries()} == {None}
    assert [row["action"] for row in await entries(acme)] == ["variables:write"]
    named = await pulse.client.get(AUDIT, params={"organizationId": acme.organization.name}, headers=pulse.operator)
    assert named.json()["pagination"]["total"] == 1
    for unknown, status in (("Nobody's", 404), ("org_00000000000000000000000000", 200)):
        answer = await pulse.client.get(AUDIT, params={"organizationId": unknown}, headers=pulse.operator)
        assert answer.status_code == status


async def test_what_an_entry_is(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    (made,) = await change(pulse, acme, "A")
    await pulse.parts.audit.sealer.seal()
    (entry,) = await entries(acme)
    assert entry.pop("id").startswith("aud_")
    assert len(entry.pop("hash")) == 64
    assert entry.pop("at").endswith("Z")
    assert entry == {
        "organizationId": acme.organization_id,
        "environmentId": acme.environment_id,
        "actor": {"kind": "key", "id": acme.key.split("_")[2].join(("key_", ""))},
        "action": "variables:write",
        "outcome": "done",
        "reason": None,
        "method": "POST",
        "path": "/api/variables",
        "address": "127.0.0.1",
        "subjects": [{"kind": "variable", "id": made, "name": "A", "changed": {"created": True}}],
        "sequence": 1,
    }


async def test_pages_and_filters(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    ids = await change(pulse, acme, *(f"FRUIT_{n}" for n in range(5)))
    await pulse.client.delete(f"/api/variables/{ids[2]}", headers=acme.headers)
    query: dict[str, Any] = {"organizationId": acme.organization_id, "limit": 2, "page": 2}
    answer = (await pulse.client.get(AUDIT, params=query, headers=pulse.operator)).json()
    assert answer["pagination"] == {"page": 2, "limit": 2, "total": 6, "totalPages": 3}
    assert [row["subjects"][0]["name"] for row in answer["data"]] == ["FRUIT_3", "FRUIT_2"]
    assert [row["method"] for row in await entries(acme, subjectId=ids[2])] == ["POST", "DELETE"]
    assert len(await entries(acme, subjectKind="variable")) == 6
    assert [row["subjects"][0]["name"] for row in await entries(acme, text="fruit_4")] == ["FRUIT_4"]
    assert len(await entries(acme, text="delete")) == 1
    at = (await entries(acme))[3]["at"]
    assert len(await entries(acme, **{"from": at})) >= 3
    assert await entries(acme, to="2001-01-01T00:00:00Z") == await entries(acme, actor="usr_none") == []
    for bad in ({"from": "never"}, {"subject": "x"}, {"limit": 0}, {"text": "x" * 201}, {"text": "a\0b"}):
        answer_ = await pulse.client.get(AUDIT, params=bad, headers=pulse.operator)
        assert answer_.status_code == 422, bad


async def test_an_export_is_verified_elsewhere(pulse: Installation, acme: Tenant) -> None:
    await change(pulse, acme, *(f"FRUIT_{n}" for n in range(5)))
    place = {"organizationId": acme.organization_id}
    lines = await exported(pulse, **place)
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5]
    assert holds([dict(line) for line in lines])
    assert not holds([dict(line) for line in lines[1:]])
    assert not holds([{**line, "address": "elsewhere"} for line in lines])
    assert [line["sequence"] for line in await exported(pulse, **place, text="fruit_3")] == [4]


@pytest.mark.parametrize("count", [0, 1200])
async def test_exports_of_any_length(pulse: Installation, acme: Tenant, count: int) -> None:
    log, act = pulse.parts.audit.log, Act(Actor("system"), "test:write", 1, acme.organization_id)

    def work(connection: Connection) -> None:
        for number in range(count):
            log.write(connection, act, [Subject("number", str(number))])

    await pulse.parts.database.transact(work)
    lines = await exported(pulse, organizationId=acme.organization_id)
    assert len(lines) == count
    assert holds(lines)
