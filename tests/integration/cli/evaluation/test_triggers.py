"""A workflow that is run on purpose: through the API, or by a message that names it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.evaluation.places import Place, keyed, log, new_place
from tests.integration.cli.running import Up

ORDER = {"field": "payload.kind", "comparison": "equals", "value": "order"}


@pytest.fixture
def place(running: Up, run: Run) -> Iterator[Place]:
    with new_place(running, run) as made:
        yield made


def test_exactly_that_workflow_runs(place: Place) -> None:
    """Though another comes first and takes everything."""
    first = place.simple("___result___ = 'first'", name="First", priority=1)
    second = place.simple("___result___ = [payload, triggerType, type]", name="Second", priority=2)
    found = place.triggered(second, payload={"n": [1, None]})
    assert (found["status"], found["workflowName"]) == ("success", "Second")
    assert found["result"] == [{"n": [1, None]}, "api", "workflow_trigger"]
    own = {"organizationId": found["organizationId"], "environmentId": found["environmentId"]}
    envelope = {"type": "workflow_trigger", "triggerType": "api", "workflowId": second["id"]}
    assert found["message"] == {**own, **envelope, "payload": {"n": [1, None]}}
    assert "parentId" not in found
    assert place.sent(type="anything")["workflowId"] == first["id"]


def test_its_condition_is_still_asked(place: Place) -> None:
    wanted = place.workflow({"entityId": place.entity(condition=ORDER)})
    place.simple("took = 1", name="Takes everything")
    assert place.triggered(wanted, payload={"kind": "order"})["status"] == "success"
    found = place.triggered(wanted, payload={"kind": "other"})
    assert (found["status"], found["reason"]["code"]) == ("ignore", "no_match")
    (told,) = found["reason"]["workflows"]
    assert (told["workflowId"], told["rule"], told["seen"]) == (wanted["id"], ORDER, "other")


def test_it_is_entered_at_an_entity(place: Place) -> None:
    start, act = place.entity(postScript="started = 1"), place.entity("action", postScript="___result___ = payload")
    wanted = place.workflow({"entityId": start}, {"entityId": act})
    found = place.triggered(wanted, payload="x", entityId=act)
    assert (found["status"], found["result"], found["context"].get("started")) == ("success", "x", None)
    assert [entry["type"] for entry in log(found, "event", "action")] == ["action"]
    assert found["message"]["entityId"] == act
    assert place.triggered(wanted, payload="x", entityId=start)["context"]["started"] == 1


def test_an_entity_that_is_not_in_it_is_refused(place: Place) -> None:
    wanted, other = place.simple(), place.entity("action")
    for entity_id in (other, "ent_unknown", ""):
        answer = place.client.post(f"/api/workflows/{wanted['id']}/trigger", json={"entityId": entity_id})
        assert answer.status_code == 422
        assert [(e["path"], e["code"]) for e in answer.json()["errors"]] == [("entityId", "unknown_entity")]
    assert place.count() == 0


def test_an_entity_that_stands_nowhere_is_refused(place: Place) -> None:
    data = {"nodes": {"a": {"entityId": place.entity()}, "b": {"entityId": (aside := place.entity("action"))}}}
    wanted = place.made("/api/workflows", {"name": "W", "workflowData": {**data, "workflow": {"ref": "a"}}})
    answer = place.client.post(f"/api/workflows/{wanted['id']}/trigger", json={"entityId": aside})
    assert answer.status_code == 422


def test_what_is_anothers_is_not_there(place: Place, running: Up, run: Run) -> None:
    wanted = place.simple()
    with new_place(running, run) as other:
        bodies: dict[str, Any] = {"trigger": {}, "test": {"message": {}}}
        for path, body in bodies.items():
            answer = other.client.post(f"/api/workflows/{wanted['id']}/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert other.count() == 0
        data = ("--data", str(running.folder))
        assert run("environments", "create", "beside", *place.options[:2], *data).code == 0
        with keyed(running, run, (*place.options[:2], "--environment", "beside", *data)) as beside:
            assert beside.client.post(f"/api/workflows/{wanted['id']}/trigger", json={}).status_code == 404
    assert place.count() == 0


def test_it_needs_a_right_of_its_own(place: Place, running: Up, run: Run) -> None:
    wanted = place.simple()
    with keyed(running, run, place.options, "workflows:read", "workflows:test") as reader:
        assert reader.client.post(f"/api/workflows/{wanted['id']}/trigger", json={}).status_code == 403
        assert reader.client.post(f"/api/workflows/{wanted['id']}/test", json={"message": {}}).status_code == 200
        allowed = {"message": {}, "allow": ["triggerWorkflow"]}
        assert reader.client.post(f"/api/workflows/{wanted['id']}/test", json=allowed).status_code == 403
    assert place.count() == 0


def test_a_workflow_that_is_switched_off_is_told_so(place: Place) -> None:
    wanted = place.simple(isActive=False)
    place.simple("took = 1", name="Takes everything")
    found = place.triggered(wanted)
    assert (found["status"], found["reason"]["code"]) == ("ignore", "inactive")
    assert found["reason"]["workflows"] == [{"workflowId": wanted["id"], "name": "Drawn", "code": "inactive"}]


def test_an_empty_workflow_and_one_without_an_event(place: Place) -> None:
    empty = place.made("/api/workflows", {"name": "Empty"})
    assert place.triggered(empty)["reason"]["workflows"][0]["code"] == "empty"
    act = place.entity("action", postScript="___result___ = 1")
    blunt = place.workflow({"entityId": act}, name="No event")
    assert place.triggered(blunt)["reason"]["workflows"][0]["code"] == "no_event"
    assert place.triggered(blunt, entityId=act)["result"] == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [({"payloads": 1}, "payloads"), ({"entityId": 5}, "entityId"), ([], ""), (None, ""), ("x", "")],
)
def test_bodies_that_are_none(place: Place, body: Any, path: str) -> None:
    wanted = place.simple()
    content, headers = json.dumps(body), {"content-type": "application/json"}
    answer = place.client.post(f"/api/workflows/{wanted['id']}/trigger", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"NaN", 422),
        (b"1e999", 422),
        (b'"\\ud800"', 422),
        (b'{"\\ud800": 1}', 422),
        (b'"\\u0000"', 422),
        (b"[" * 90 + b"]" * 90, 422),
        (b"[" * 90_000 + b"]" * 90_000, 422),
        (b"1" * 5_000, 422),
        (b"1" * 400, 422),
        (b'{"a": 1, "a": 2}', 422),
        (b'"\xff"', 422),
        (b'"' + b"x" * (2 << 20) + b'"', 413),
        (b"123456789012345678901234567890", 202),
        (b"-0.0", 202),
    ],
    ids=lambda value: f"{len(value)} {value[:20]!r}" if isinstance(value, bytes) else None,
)
def test_payloads_that_the_receiver_would_refuse(place: Place, raw: bytes, status: int) -> None:
    wanted = place.simple()
    headers = {"content-type": "application/json"}
    path = f"/api/workflows/{wanted['id']}/trigger"
    answer = place.client.post(path, content=b'{"payload":' + raw + b"}", headers=headers)
    assert answer.status_code == status, answer.text
    assert place.count() == (status == 202)


# ---- messages that name a workflow ---------------------------------------------------------------------------------


def test_a_message_may_name_its_workflow(place: Place) -> None:
    place.simple("___result___ = 'first'", name="First", priority=1)
    start, act = place.entity(postScript="___result___ = 'second'"), place.entity("action", postScript="acted = 1")
    second = place.workflow({"entityId": start}, {"entityId": act}, name="Second", priority=2)
    found = place.sent(type="workflow_trigger", workflowId=second["id"], payload=1)
    assert (found["workflowName"], found["result"]) == ("Second", "second")
    found = place.sent(type="workflow_trigger", workflowId=second["id"], entityId=act)
    assert (found["context"]["acted"], found.get("result")) == (1, None)
    assert place.sent(type="other", workflowId=second["id"], entityId=act)["workflowName"] == "First"


@pytest.mark.parametrize("entity_id", ["ent_unknown", "", "Drawn"])
def test_a_message_that_names_an_entity_that_is_not_there(place: Place, entity_id: str) -> None:
    wanted = place.simple("ran = 1")
    found = place.sent(type="workflow_trigger", workflowId=wanted["id"], entityId=entity_id)
    assert (found["status"], found["reason"]["code"]) == ("ignore", "no_match")
    (told,) = found["reason"]["workflows"]
    assert (told["code"], told["entity"]) == ("unknown_entity", entity_id)


def test_a_message_that_names_a_workflow_that_is_not_there(place: Place, running: Up, run: Run) -> None:
    place.simple("took = 1", name="Takes everything")
    with new_place(running, run) as other:
        for workflow_id in ("wf_unknown", "", other.simple("stolen = 1")["id"]):
            found = place.sent(type="workflow_trigger", workflowId=workflow_id)
            assert (found["status"], found["reason"]["code"]) == ("ignore", "no_workflows")
            assert found["reason"]["workflows"] == [
                {"workflowId": workflow_id, "name": workflow_id, "code": "unknown_workflow"}
            ]


@pytest.mark.parametrize("workflow_id", [None, 5, ["wf_1"], {"id": "wf_1"}, True])
def test_a_trigger_that_names_no_workflow_is_a_message_like_others(place: Place, workflow_id: Any) -> None:
    place.simple("took = 1")
    assert place.sent(type="workflow_trigger", workflowId=workflow_id)["context"]["took"] == 1
    assert place.sent(type="workflow_trigger", entityId="ent_unknown")["context"]["took"] == 1


# ---- versions ------------------------------------------------------------------------------------------------------


def test_versions_are_listed_and_shown(place: Place) -> None:
    start = place.entity(postScript="___result___ = 1")
    first = place.workflow({"entityId": start}, name="Shown")
    second = place.change(first, name="Renamed")
    third = place.change(second, workflowData={})
    path = f"/api/workflows/{first['id']}/versions"
    listed = place.client.get(path).json()
    assert [(row["id"], row["name"], row["isCurrent"]) for row in listed["data"]] == [
        ("3", "Renamed", True),
        ("2", "Renamed", False),
        ("1", "Shown", False),
    ]
    assert listed["pagination"] == {"page": 1, "limit": 10, "total": 3, "totalPages": 1}
    part = place.client.get(path, params={"page": 2, "limit": 2}).json()
    assert ([row["version"] for row in part["data"]], part["pagination"]["totalPages"]) == ([1], 2)
    one = place.client.get(f"{path}/1").json()
    assert (one["workflowData"], one["name"], one["isCurrent"]) == (first["workflowData"], "Shown", False)
    assert [(entity["id"], entity["postScript"]) for entity in one["entities"]] == [(start, "___result___ = 1")]
    assert place.client.get(f"{path}/3").json()["entities"] == []
    assert third["version"] == 3


ODD = "１"


@pytest.mark.parametrize("version", ["0", "2", "-1", "1.0", "x", "01234567890", "9" * 30, "%00", ODD])
def test_versions_that_are_not_there(place: Place, version: str) -> None:
    wanted = place.simple()
    answer = place.client.get(f"/api/workflows/{wanted['id']}/versions/{version}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.text


def test_versions_of_what_is_anothers_are_not_there(place: Place, running: Up, run: Run) -> None:
    wanted = place.simple()
    with new_place(running, run) as other:
        for path in ("versions", "versions/1"):
            assert other.client.get(f"/api/workflows/{wanted['id']}/{path}").status_code == 404
            assert place.client.get(f"/api/workflows/wf_unknown/{path}").status_code == 404
