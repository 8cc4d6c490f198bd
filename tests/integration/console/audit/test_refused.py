"""Who was refused a right is written down, once a minute; scripts, commands and the first start are named as such."""

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pulse.bootstrap.demo import make_demo
from pulse.bootstrap.doctor import examine_all
from pulse.bootstrap.face import face
from pulse.core.errors import StorageDown
from pulse.core.ids import Ids
from pulse.effects.world.assistant import AdminRefused
from tests.integration.console.audit.conftest import Entries
from tests.integration.console.documents import WORKFLOWS, workflow
from tests.integration.console.people.rooms import browser
from tests.integration.receiver.installation import Installation, Tenant


async def refused(entries: Entries, tenant: Tenant | None = None) -> list[tuple[str, str, str]]:
    found = [entry for entry in await entries(tenant) if entry["outcome"] == "refused"]
    return [(entry["actor"]["kind"], entry["action"], entry["reason"]) for entry in found]


async def test_a_key_without_the_right(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    reader = await pulse.another_key(acme, "workflows:read")
    for number in range(5):
        answer = await pulse.client.delete(f"{WORKFLOWS}/wf_{number}", headers=reader.headers)
        assert answer.status_code == 403
    assert await refused(entries, acme) == [("key", "workflows:write", "forbidden")]
    assert (await pulse.client.get("/api/variables", headers=reader.headers)).status_code == 403
    assert (await pulse.client.get("/api/organizations", headers=reader.headers)).status_code == 403
    assert [action for _, action, _ in await refused(entries, acme)] == [
        "workflows:write",
        "variables:read",
        "organizations:read",
    ]
    (entry, *_) = await entries(acme)
    assert (entry["method"], entry["path"], entry["subjects"]) == ("DELETE", f"{WORKFLOWS}/wf_0", [])


async def test_a_key_that_asks_for_other_places(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    other, staging = await pulse.tenant("Other"), await pulse.another_environment(acme)
    query = {"organizationId": other.organization_id}
    assert (await pulse.client.get(WORKFLOWS, params=query, headers=acme.headers)).status_code == 404
    assert await refused(entries, acme) == [("key", "workflows:read", "not_found")]
    made = await workflow(pulse, acme)
    answer = await pulse.client.delete(f"{WORKFLOWS}/{made['id']}", headers=staging.headers)
    assert answer.status_code == 404
    answer = await pulse.client.put(
        f"{WORKFLOWS}/{made['id']}",
        json={"name": "x", "organizationId": other.organization_id},
        headers=acme.headers,
    )
    assert answer.status_code == 404
    assert (await refused(entries, acme))[1:] == [("key", "workflows:write", "not_found")] * 2
    assert await entries(other) == []


async def test_what_is_not_there_is_no_refusal(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    assert (await pulse.client.delete(f"{WORKFLOWS}/wf_none", headers=acme.headers)).status_code == 404
    assert (await pulse.client.get("/api/messages/msg_none", headers=acme.headers)).status_code == 404
    assert (await pulse.client.get(WORKFLOWS, headers={"Authorization": "Bearer pk_x"})).status_code == 401
    assert await refused(entries, acme) == []


async def test_people_who_may_not(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    guest = await browser(pulse, acme, "Guest")
    assert (await guest.send("POST", "/api/variables", {"name": "A", "value": "b"})).status_code == 403
    (found,) = [entry for entry in await entries(acme) if entry["outcome"] == "refused"]
    assert found["actor"] == {"kind": "user", "id": guest.user["id"]}
    before = await refused(entries)
    guest.csrf = "stolen"
    assert (await guest.send("PUT", "/api/profile", {"firstName": "x"})).status_code == 403
    assert (await refused(entries))[len(before) :] in ([("anyone", "profile:write", "forbidden")], [])


async def test_a_refusal_is_answered_though_it_cannot_be_written(
    pulse: Installation, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_given: Any) -> None:
        raise StorageDown

    monkeypatch.setattr(pulse.parts.database, "transact", down)
    reader = await pulse.another_key(acme, "workflows:read")
    assert (await pulse.client.delete(f"{WORKFLOWS}/wf_1", headers=reader.headers)).status_code == 403


async def test_scripts_are_named_with_their_message(pulse: Installation, acme: Tenant, entries: Entries) -> None:
    admin, message_id = pulse.parts.admin, Ids().new("msg")
    admin.app = face(pulse.parts, pulse.data.url, CollectorRegistry(), {}, {})
    place = (acme.organization_id, acme.environment_id)
    await admin.ask(*place, "POST", "/api/variables", {"name": "A", "value": "canary"}, f"{message_id}:wf_1:3")
    with pytest.raises(AdminRefused):
        await admin.ask(*place, "POST", "/api/api-keys", {"name": "A"}, f"{message_id}:wf_1:4")
    with pytest.raises(AdminRefused):
        await admin.ask(*place, "POST", "/api/api-keys", {"name": "A"}, f"{Ids().new('msg')}:wf_1:4")
    done, denied = await entries(acme)
    assert done["actor"] == denied["actor"] == {"kind": "script", "id": message_id}
    assert (done["outcome"], denied["outcome"], denied["action"]) == ("done", "refused", "api-keys:write")
    assert "canary" not in json.dumps(done)


async def test_the_first_start_is_pulses_own(alone: Installation, tmp_path: Path) -> None:
    await make_demo(alone.parts, tmp_path / "credentials.json", "http://pulse.test", with_workflows=True)
    answer = await alone.client.get("/api/audit", params={"limit": 100}, headers=alone.operator)
    rows = answer.json()["data"]
    assert {row["actor"]["kind"] for row in rows} == {"system"}
    assert rows[-1]["subjects"][0]["name"] == "Demo"
    answer = await alone.client.get(
        "/api/audit", params={"limit": 100, "organizationId": "Demo"}, headers=alone.operator
    )
    kinds = [row["subjects"][0]["kind"] for row in answer.json()["data"]]
    assert {"environment", "api-key", "workflow", "entity", "credential", "model-configuration"} <= set(kinds)
    assert {row["actor"]["kind"] for row in answer.json()["data"]} == {"system"}


async def test_doctor_verifies(alone: Installation) -> None:
    acme = await alone.tenant()
    for name in ("A", "B", "C"):
        await alone.client.post("/api/variables", json={"name": name, "value": "x"}, headers=acme.headers)

    async def said() -> list[tuple[str, str]]:
        findings = await examine_all(alone.data.settings)
        return [(finding.state, finding.detail) for finding in findings if finding.part == "audit"]

    assert await said() == [("ok", "0 entries in 0 chains, all as sealed; 3 are not sealed yet")]
    await alone.parts.audit.sealer.seal()
    assert await said() == [("ok", "3 entries in 1 chains, all as sealed")]
    async with alone.parts.database.write() as connection:
        await connection.exec_driver_sql("UPDATE pulse_audit_entries SET actor_id = 'key_x' WHERE sequence = 2")
    ((state, detail),) = await said()
    assert state == "wrong"
    assert detail.startswith(f"the chain of {acme.organization_id}: entry 2 (aud_")
    assert "variables:write) is not what was sealed" in detail
