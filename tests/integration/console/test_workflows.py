"""`/api/workflows`: in both shapes, checked when they are saved, and in force before the answer."""

from typing import Any

import pytest

from tests.integration.console.documents import ENTITIES, WORKFLOWS, branches, create, drawn, entity, event, workflow
from tests.integration.console.people.rooms import browser
from tests.integration.receiver.installation import Installation, Tenant


async def test_create_read_change_delete(pulse: Installation, acme: Tenant) -> None:
    data = drawn({"entityId": await event(pulse, acme), "entityType": "event"}) | {
        "presentation": {"viewport": {"zoom": 90}}
    }
    body = {"name": "Orders", "description": "All of them", "isActive": False, "priority": -5, "workflowData": data}
    made = await create(pulse, acme, WORKFLOWS, body)
    assert made.items() >= {**body, **acme.place, "version": 1, "revision": 1}.items()
    path = f"{WORKFLOWS}/{made['id']}"
    read = await pulse.client.get(path, headers=acme.headers)
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    changed = (await pulse.client.put(path, json={**body, "isActive": True}, headers=acme.headers)).json()
    assert (changed["isActive"], changed["revision"], changed["version"]) == (True, 2, 1)
    moved = {**body, "workflowData": {**data, "more": 1}}
    changed = (await pulse.client.put(path, json=moved, headers=acme.headers)).json()
    assert (changed["revision"], changed["version"]) == (3, 1)
    redrawn = {**body, "workflowData": drawn({"entityId": await event(pulse, acme), "entityType": "event"})}
    changed = (await pulse.client.put(path, json=redrawn, headers=acme.headers)).json()
    assert (changed["revision"], changed["version"]) == (4, 2)
    assert (await pulse.client.delete(path, headers=acme.headers)).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await pulse.client.request(method, path, headers=acme.headers)).status_code == 404


async def test_what_need_not_be_said(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, WORKFLOWS, {"name": "Empty"})
    assert made.items() >= {"isActive": True, "priority": 100, "workflowData": {}, "description": None}.items()


async def test_the_older_shape(pulse: Installation, acme: Tenant) -> None:
    start, gate = await event(pulse, acme), await event(pulse, acme, tfCondition="True/False")
    action = (await create(pulse, acme, ENTITIES, entity("action")))["id"]
    data = {
        "root": {
            "entityId": start,
            "children": [
                {
                    "entityId": gate,
                    "entityType": "event",
                    "children": [
                        {"entityType": "logic-branch", "branchValue": "true", "children": [{"entityId": action}]},
                        {"entityType": "logic-branch", "branchValue": "false", "children": []},
                    ],
                }
            ],
        }
    }
    assert (await create(pulse, acme, WORKFLOWS, {"name": "Old", "workflowData": data}))["workflowData"] == data


async def test_unknown_fields_within_are_kept(pulse: Installation, acme: Tenant) -> None:
    data = drawn({"entityId": await event(pulse, acme), "presentation": {"position": {"x": 1.5}}, "later": [None]})
    data |= {"connectors": {"c": {"source": "n0", "points": []}}, "extension": {"a": "é"}}
    made = await create(pulse, acme, WORKFLOWS, {"name": "Kept", "workflowData": data})
    assert (await pulse.client.get(f"{WORKFLOWS}/{made['id']}", headers=acme.headers)).json()["workflowData"] == data


async def test_lists_are_in_the_order_in_which_they_are_tried(pulse: Installation, acme: Tenant) -> None:
    for name, priority in (("c", 100), ("a", 5), ("d", 100), ("b", 50)):
        await create(pulse, acme, WORKFLOWS, {"name": name, "priority": priority, "isActive": name != "b"})

    async def names(**query: Any) -> list[str]:
        answer = await pulse.client.get(WORKFLOWS, params=query, headers=acme.headers)
        return [row["name"] for row in answer.json()["data"]]

    assert await names() == ["a", "b", "c", "d"]
    assert await names(isActive=True) == ["a", "c", "d"]
    assert await names(isActive=False) == ["b"]
    assert await names(page=2, limit=3) == ["d"]
    assert await names(**acme.place) == ["a", "b", "c", "d"]


async def test_a_stale_write_changes_nothing(pulse: Installation, acme: Tenant) -> None:
    made = await workflow(pulse, acme)
    path = f"{WORKFLOWS}/{made['id']}"

    async def put(name: str, match: str) -> int:
        body = {"name": name, "workflowData": made["workflowData"]}
        return (await pulse.client.put(path, json=body, headers={**acme.headers, "If-Match": match})).status_code

    assert [await put("first", '"1"'), await put("second", '"1"'), await put("third", '"x"')] == [200, 412, 412]
    assert (await pulse.client.get(path, headers=acme.headers)).json()["name"] == "first"


async def faults(pulse: Installation, tenant: Tenant, data: Any, **fields: Any) -> list[tuple[str, str]]:
    body = {"name": "Faulty", "workflowData": data, **fields}
    answer = await pulse.client.post(WORKFLOWS, json=body, headers=tenant.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields"), answer.text
    return [(fault["path"], fault["code"]) for fault in answer.json()["errors"]]


async def test_references_to_nothing(pulse: Installation, acme: Tenant) -> None:
    node = {"entityId": await event(pulse, acme)}
    assert await faults(pulse, acme, drawn({"entityId": "ent_none"})) == [
        ("workflowData.workflow.entityId", "unknown_entity")
    ]
    assert ("workflowData.workflow.entityId", "unknown_entity") in await faults(pulse, acme, drawn({"entityId": 7}))
    tree = {"ref": "n0", "children": [{"ref": "n9"}]}
    assert await faults(pulse, acme, drawn(node, tree=tree)) == [
        ("workflowData.workflow.children.0.ref", "unknown_node")
    ]
    assert await faults(pulse, acme, {"root": {"entityId": "x"}}) == [("workflowData.root.entityId", "unknown_entity")]
    assert await faults(pulse, acme, {"nodes": {}, "workflow": {}}) == [("workflowData.workflow.ref", "missing")]


async def test_a_cycle(pulse: Installation, acme: Tenant) -> None:
    node = {"entityId": await event(pulse, acme)}
    tree = {"ref": "n0", "children": [{"ref": "n1", "children": [{"ref": "n0"}]}]}
    found = await faults(pulse, acme, drawn(node, node, tree=tree))
    assert found == [("workflowData.workflow.children.0.children.0.ref", "cycle")]


async def test_entities_of_others_are_unknown(pulse: Installation, acme: Tenant) -> None:
    production, other = await pulse.another_environment(acme), await pulse.tenant()
    for tenant in (production, other):
        data = drawn({"entityId": await event(pulse, tenant)})
        assert await faults(pulse, acme, data) == [("workflowData.workflow.entityId", "unknown_entity")]


@pytest.mark.parametrize("values", [(), ("true",), ("true", "true"), ("true", "no"), ("true", "false", "other")])
async def test_wrong_branches(pulse: Installation, acme: Tenant, values: tuple[str, ...]) -> None:
    gate = {"entityId": await event(pulse, acme, tfCondition="True/False"), "entityType": "event"}
    found = await faults(pulse, acme, drawn(gate, *branches(*values)))
    assert found == [("workflowData.workflow.children", "wrong_branches")]


async def test_the_mode_of_the_node_wins(pulse: Installation, acme: Tenant) -> None:
    plain = {"entityId": await event(pulse, acme), "tfCondition": "True/False"}
    assert ("workflowData.workflow.children", "wrong_branches") in await faults(pulse, acme, drawn(plain))
    both = drawn(plain, *branches("false", "true"))
    await create(pulse, acme, WORKFLOWS, {"name": "Branches", "workflowData": both})
    single = drawn({"entityId": plain["entityId"]}, *branches("true", "false"))
    assert ("workflowData.workflow.children", "wrong_branches") in await faults(pulse, acme, single)


@pytest.mark.parametrize("mode", ["Multi", "Iterable"])
async def test_modes_that_look_at_a_value_must_name_it(pulse: Installation, acme: Tenant, mode: str) -> None:
    start = await event(pulse, acme)
    by_entity = drawn({"entityId": await event(pulse, acme, tfCondition=mode)})
    by_node = drawn({"entityId": start, "tfCondition": mode})
    for data in (by_entity, by_node):
        assert await faults(pulse, acme, data) == [("workflowData.workflow.logicField", "missing")]
    named = drawn({"entityId": start, "tfCondition": mode, "logicField": "payload.kinds"})
    await create(pulse, acme, WORKFLOWS, {"name": mode, "workflowData": named})


@pytest.mark.parametrize(("values", "at"), [(("a", "c"), 1), (("a", "a"), 1), (("c", "*"), 0)])
async def test_branches_that_the_event_does_not_have(
    pulse: Installation, acme: Tenant, values: tuple[str, ...], at: int
) -> None:
    logic = [{"name": "A", "value": "a"}, {"name": "Other", "value": "*"}]
    gate = {"entityId": await event(pulse, acme, tfCondition="Multi", logicField="payload.kind", logic=logic)}
    found = await faults(pulse, acme, drawn(gate, *branches(*values)))
    assert found == [(f"workflowData.workflow.children.{at}", "wrong_branches")]
    await create(pulse, acme, WORKFLOWS, {"name": "All", "workflowData": drawn(gate, *branches("*", "a"))})


async def test_a_workflow_that_is_started_must_be_there(pulse: Installation, acme: Tenant) -> None:
    start, other = {"entityId": await event(pulse, acme)}, await pulse.tenant()
    elsewhere = await workflow(pulse, await pulse.another_environment(acme))
    for unknown in ("wf_1", elsewhere["id"], (await workflow(pulse, other))["id"]):
        data = drawn(start, {"entityType": "workflow", "workflowId": unknown})
        assert await faults(pulse, acme, data) == [("workflowData.workflow.children.0.workflowId", "unknown_workflow")]


async def test_a_workflow_that_is_started_stays_until_it_is_not(pulse: Installation, acme: Tenant) -> None:
    started = await workflow(pulse, acme, name="Started")
    data = drawn({"entityId": await event(pulse, acme)}, {"entityType": "workflow", "workflowId": started["id"]})
    starts = await create(pulse, acme, WORKFLOWS, {"name": "Starts it", "workflowData": data})
    refused = await pulse.client.delete(f"{WORKFLOWS}/{started['id']}", headers=acme.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "Starts it" in refused.json()["detail"]
    for made in (starts, started):
        answer = await pulse.client.delete(f"{WORKFLOWS}/{made['id']}", headers=acme.headers)
        assert answer.status_code == 204


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        ([], "workflowData", "dict_type"),
        ("text", "workflowData", "dict_type"),
        ({"root": []}, "workflowData.root", "not_an_object"),
        ({"nodes": []}, "workflowData.nodes", "not_an_object"),
        ({"nodes": {"a": 1}}, "workflowData.nodes.a", "not_an_object"),
        ({"nodes": {}, "workflow": []}, "workflowData.workflow.ref", "missing"),
        ({"root": {"entityType": "logic-branch", "children": {"a": 1}}}, "workflowData.root.children", "not_a_list"),
    ],
)
async def test_shapes_that_are_none(pulse: Installation, acme: Tenant, data: Any, path: str, code: str) -> None:
    assert (path, code) in await faults(pulse, acme, data)


async def test_too_deep_and_too_many(pulse: Installation, acme: Tenant) -> None:
    node = {"entityId": await event(pulse, acme)}
    deep: dict[str, Any] = {"ref": "n110"}
    for at in reversed(range(110)):
        deep = {"ref": f"n{at}", "children": [deep]}
    assert [code for _, code in await faults(pulse, acme, drawn(*[node] * 111, tree=deep))] == ["too_deep"]
    wide = {"ref": "n0", "children": [{"ref": "n1"}] * 1_001}
    assert [code for _, code in await faults(pulse, acme, drawn(node, node, tree=wide))] == ["too_many"]


async def test_as_deep_as_a_workflow_may_be(pulse: Installation, acme: Tenant) -> None:
    node = {"entityId": await event(pulse, acme)}
    deep: dict[str, Any] = {"ref": "n99"}
    for at in reversed(range(99)):
        deep = {"ref": f"n{at}", "children": [deep]}
    await create(pulse, acme, WORKFLOWS, {"name": "Deep", "workflowData": drawn(*[node] * 100, tree=deep)})


async def test_a_change_is_in_force_before_its_answer(pulse: Installation, acme: Tenant) -> None:
    async def plans() -> int:
        return len((await pulse.parts.catalog.plans(*acme.place.values())).candidates("x", b"{}"))

    assert await plans() == 0
    made = await workflow(pulse, acme)
    assert await plans() == 1
    path = f"{WORKFLOWS}/{made['id']}"
    body = {"name": "Off", "workflowData": made["workflowData"], "isActive": False}
    await pulse.client.put(path, json=body, headers=acme.headers)
    assert await plans() == 0
    await pulse.client.put(path, json={**body, "isActive": True}, headers=acme.headers)
    assert await plans() == 1
    await pulse.client.delete(path, headers=acme.headers)
    assert await plans() == 0


async def test_a_copy_in_another_environment(pulse: Installation, acme: Tenant) -> None:
    production, made = await pulse.another_environment(acme), await workflow(pulse, acme, name="Orders")
    path, there = f"{WORKFLOWS}/{made['id']}/copy", {"environmentId": "production"}
    answer = await pulse.client.post(path, params=acme.place, json=there, headers=pulse.operator)
    assert answer.status_code == 201, answer.text
    copy = answer.json()
    assert copy.items() >= {**production.place, "name": "Orders", "isActive": False, "version": 1}.items()
    read = await pulse.client.get(f"{WORKFLOWS}/{copy['id']}", headers=production.headers)
    assert read.json() == copy
    elsewhere = {"environmentId": "nowhere"}
    assert (await pulse.client.post(path, params=acme.place, json=elsewhere, headers=pulse.operator)).status_code == 404
    # A key is of one environment.
    assert (await pulse.client.post(path, json=there, headers=acme.headers)).status_code == 403


async def test_who_may_not_write_there_copies_nothing(pulse: Installation, acme: Tenant) -> None:
    """A right on one environment is none on another."""
    production, made = await pulse.another_environment(acme), await workflow(pulse, acme)
    ada = await browser(pulse, acme)
    team = {"name": "Readers", "memberIds": [ada.user["id"]]}
    rights = [
        {"environmentId": acme.environment_id, "role": "User"},
        {"environmentId": production.environment_id, "role": "Guest"},
    ]
    place = {"organizationId": acme.organization_id}
    given = await pulse.client.post("/api/teams", params=place, json={**team, "rights": rights}, headers=pulse.operator)
    assert given.status_code == 201, given.text
    narrowed = {"role": "User", "environments": "teams"}
    done = await pulse.client.put(f"/api/members/{ada.user['id']}", params=place, json=narrowed, headers=pulse.operator)
    assert done.status_code == 200, done.text
    await ada.sign_in(ada.user["email"])
    path = f"{WORKFLOWS}/{made['id']}/copy?environmentId={acme.environment_id}"
    answers = [await ada.send("POST", path, {"environmentId": each}) for each in ("development", "production")]
    assert [answer.status_code for answer in answers] == [201, 403]
    assert (await pulse.client.get(WORKFLOWS, headers=production.headers)).json()["data"] == []
