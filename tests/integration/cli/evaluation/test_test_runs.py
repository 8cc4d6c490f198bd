"""`POST /api/workflows/{id}/test`: what would become of a message. Nothing is stored, and nothing is sent."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.evaluation.places import Place, drawn, log, new_place, starts
from tests.integration.cli.running import Up

TRIGGERS = "sent = await triggerWorkflow('wf_other')"


@pytest.fixture
def place(running: Up, run: Run) -> Iterator[Place]:
    with new_place(running, run) as made:
        yield made
        assert made.count() == 0


def tried(place: Place, workflow: dict[str, Any], message: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    answer = asked(place, workflow, message, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def asked(place: Place, workflow: dict[str, Any], message: Any = None, **body: Any) -> httpx2.Response:
    content = {"message": {} if message is None else message, **body}
    return place.client.post(f"/api/workflows/{workflow['id']}/test", json=content)


def calls(told: dict[str, Any]) -> list[list[Any]]:
    return [[call["function"], *call["arguments"][:1]] for call in told["effects"]]


def test_what_would_become_of_a_message(place: Place) -> None:
    rule = {"field": "n", "comparison": "equals", "value": 1}
    start = place.entity(condition=rule, postScript="a = n + 1; print(a)", name="Start")
    deed = place.entity("action", postScript="a += 1; b = [a]; ___result___ = b", name="Deed")
    made = place.workflow({"entityId": start}, {"entityId": deed})
    told = tried(place, made, {"type": "order", "n": 1})
    assert (told["status"], told["workflowId"], told["workflowVersion"], told["result"]) == (
        "success",
        made["id"],
        1,
        [3],
    )
    assert {name: told["context"][name] for name in ("a", "b", "n")} == {"a": 3, "b": [3], "n": 1}
    assert told["context"]["____error_count____"] == 0
    place_of_it = {"organizationId": made["organizationId"], "environmentId": made["environmentId"]}
    assert told["message"] == {**place_of_it, "type": "order", "n": 1}
    assert [(node["node"], node["name"], node["kind"], node["changed"], node["leadsTo"]) for node in told["nodes"]] == [
        ("n0", "Start", "event", {"a": 2}, ["n1"]),
        ("n1", "Deed", "action", {"a": 3, "b": [3]}, []),
    ]
    assert (told["nodes"][1]["result"], told["effects"]) == ([3], [])
    ignored = tried(place, made)
    assert (ignored["status"], ignored["reason"]["code"]) == ("ignore", "no_match")
    assert [(each["rule"], "seen" in each) for each in ignored["reason"]["workflows"]] == [(rule, False)]


def test_an_error_is_told_with_its_place(place: Place) -> None:
    made = place.simple("a = 1\n  null.x")
    told = tried(place, made)
    (error,) = told["context"]["____execution_errors____"]
    assert (told["status"], error["errorType"], error["line"], error["column"]) == ("fail", "TypeError", 2, 8)
    assert told["context"]["a"] == 1


def test_a_workflow_that_is_switched_off_can_be_tried(place: Place) -> None:
    assert tried(place, place.simple("___result___ = 1", isActive=False))["result"] == 1


def test_it_is_entered_at_an_entity(place: Place) -> None:
    act = place.entity("action", postScript="___result___ = typeof started")
    made = place.workflow({"entityId": place.entity(postScript="started = 1")}, {"entityId": act})
    assert tried(place, made, entityId=act)["result"] == "undefined"
    assert tried(place, made)["result"] == "number"
    answer = asked(place, made, entityId="ent_unknown")
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "entityId")


def test_chance_and_time_are_the_same_each_time(place: Place) -> None:
    made = place.simple("___result___ = [Math.random(), Date.now(), new Date().toISOString()]")
    at = "2026-02-03T04:05:06.789Z"
    first, again = [tried(place, made, at=at)["result"] for _ in range(2)]
    assert first == again
    assert first[1:] == [1_770_091_506_789, at]
    assert tried(place, made)["result"][0] == first[0]
    assert asked(place, made, at="tomorrow").json()["errors"][0]["path"] == "at"


# ---- effects -------------------------------------------------------------------------------------------------------


def test_effects_are_told_and_not_done(place: Place) -> None:
    target = place.simple(name="Target")
    start = place.entity(postScript=f"n = 1; {TRIGGERS}; other = await triggerWorkflow('{target['id']}')")
    made = place.workflow({"entityId": start}, starts(target["id"]))
    told = tried(place, made, {"type": "order"})
    assert calls(told) == [
        ["triggerWorkflow", "wf_other"],
        ["triggerWorkflow", target["id"]],
        ["triggerWorkflow", target["id"]],
    ]
    assert [(call["seq"], call["mocked"]) for call in told["effects"]] == [(1, True), (2, True), (3, True)]
    assert told["effects"][0]["arguments"][1]["n"] == 1
    assert told["context"]["sent"] == {"success": True, "workflowId": "wf_other", "sequenceNumber": "mocked-1"}
    assert log(told, "workflow")[1]["action"] == "sub_workflow_triggered"


@pytest.mark.parametrize("answer", [{"sequenceNumber": "mine"}, None, 5, "text", [1], {"error": 1, "more": 2}])
def test_a_mock_is_the_answer(place: Place, answer: Any) -> None:
    told = tried(place, place.simple(TRIGGERS), effects={"triggerWorkflow": answer})
    assert (told["status"], told["context"]["sent"]) == ("success", answer)
    assert told["effects"][0]["answer"] == answer


def test_a_mock_may_be_a_failure(place: Place) -> None:
    caught = f"try {{ {TRIGGERS} }} catch (e) {{ ___result___ = [e.name, e.code, e.message, e.effect, e.retryable] }}"
    error = {"code": "too_deep", "message": "Too deep", "retryable": True}
    told = tried(place, place.simple(caught), effects={"triggerWorkflow": {"error": error}})
    assert told["result"] == ["EffectError", "too_deep", "Too deep", "triggerWorkflow", True]
    assert told["effects"][0]["error"] == error
    made = place.workflow({"entityId": place.entity()}, starts(place.simple(name="Target")["id"]), name="Node")
    failed = tried(place, made, effects={"triggerWorkflow": {"error": error}})
    assert (failed["status"], log(failed, "error")[0]["action"]) == ("fail", "sub_workflow_trigger_failed")


@pytest.mark.parametrize("error", ["boom", None], ids=str)
def test_a_failure_that_is_none_is_refused(place: Place, error: Any) -> None:
    made = place.simple(TRIGGERS)
    body = {"message": {}, "effects": {"triggerWorkflow": {"error": error}}}
    path = f"/api/workflows/{made['id']}/test"
    try:
        answer = place.client.post(path, json=body, timeout=2)
    except httpx2.ReadTimeout:
        pytest.fail("it hangs")
    assert answer.status_code in (200, 422)


def test_what_is_allowed_is_done(running: Up, run: Run) -> None:
    with new_place(running, run) as place:
        target = place.simple("___result___ = n", name="Target", priority=900)
        script = (
            f"n = 7; sent = await triggerWorkflow('{target['id']}'); await triggerWorkflow('wf_none').catch(String)"
        )
        told = tried(place, place.simple(script), {"type": "order"}, allow=["triggerWorkflow"])
        done, refused = told["effects"]
        assert ("mocked" in done, "mocked" in refused, refused["error"]["code"]) == (False, False, "unknown_workflow")
        child = place.ended(done["answer"]["sequenceNumber"])
        assert (child["result"], child["workflowName"], place.count()) == (7, "Target", 1)


# ---- pins ----------------------------------------------------------------------------------------------------------


def test_pins_take_the_place_of_work(place: Place) -> None:
    start = place.entity(condition={"field": "n", "comparison": "exists"}, name="Start", postScript=TRIGGERS)
    deed = place.entity("action", name="Deed", postScript="null.x")
    made = place.workflow({"entityId": start}, {"entityId": deed})
    pins = {"n0": {"condition": True, "globals": {"a": None, "b": {"c": None}}}, "Deed": {"globals": {"d": 1}}}
    told = tried(place, made, pins=pins)
    assert (told["status"], told["effects"]) == ("success", [])
    assert [node["changed"] for node in told["nodes"]] == [{"a": None, "b": {"c": None}}, {"d": 1}]
    assert tried(place, made, {"n": 1}, pins={"Start": {"condition": False}})["status"] == "ignore"


@pytest.mark.parametrize(
    ("pins", "path"),
    [
        ({"gone": {}}, "pins.gone"),
        ({"n0": {"global": {}}}, "pins.n0.global"),
        ({"n0": {"condition": "maybe"}}, "pins.n0.condition"),
        ({"n0": []}, "pins.n0"),
        ({"": {}}, "pins."),
    ],
)
def test_pins_that_are_none(place: Place, pins: Any, path: str) -> None:
    answer = asked(place, place.simple(), pins=pins)
    assert answer.status_code == 422
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]


# ---- drafts --------------------------------------------------------------------------------------------------------


def test_a_draft_is_tried_in_the_place_of_what_is_stored(place: Place) -> None:
    other = place.entity(postScript="___result___ = 'draft'")
    made = place.simple("___result___ = 'stored'")
    draft = drawn({"entityId": other})
    assert tried(place, made, workflowData=draft)["result"] == "draft"
    assert tried(place, made)["result"] == "stored"
    assert place.client.get(f"/api/workflows/{made['id']}/versions").json()["pagination"]["total"] == 1
    assert tried(place, place.made("/api/workflows", {"name": "Empty"}), workflowData=draft)["result"] == "draft"


@pytest.mark.parametrize(
    ("draft", "path"),
    [
        ({}, "workflowData"),
        ({"root": {"entityId": "ent_unknown"}}, "workflowData.root.entityId"),
        ({"workflow": {"ref": "gone"}}, "workflowData.workflow.ref"),
        ({"nodes": []}, "workflowData.nodes"),
    ],
)
def test_drafts_that_cannot_be_run(place: Place, draft: Any, path: str) -> None:
    answer = asked(place, place.simple(), workflowData=draft)
    assert answer.status_code == 422
    assert path in [fault["path"] for fault in answer.json()["errors"]]


def test_workflows_are_found_by_name(place: Place) -> None:
    target = place.simple(name="Target")
    made = place.simple("___result___ = [getWorkflowByName('Target').id, getWorkflowByName('none')]")
    assert tried(place, made)["result"] == [target["id"], None]


def test_workflows_are_found_by_name_in_a_draft(place: Place) -> None:
    target = place.simple(name="Target")
    asks = place.entity(postScript="___result___ = getWorkflowByName('Target')?.id")
    assert tried(place, target, workflowData=drawn({"entityId": asks})).get("result") == target["id"]


# ---- secrets -------------------------------------------------------------------------------------------------------

LEAKS = "all = `<${SECRET}>`; print(SECRET); ___result___ = { [SECRET]: SECRET }; await triggerWorkflow('wf_other')"


def test_secrets_are_in_nothing_that_is_told(place: Place, run: Run) -> None:
    run("variables", "set", "SECRET", *place.options, stdin="hunter2-secret")
    answer = asked(place, place.simple(f"{LEAKS}; throw new Error(SECRET)"), {"type": "order"})
    assert "hunter2" not in answer.text
    told = answer.json()
    assert (told["result"], told["context"]["all"]) == ({"***": "***"}, "<***>")
    assert told["effects"][0]["arguments"][1]["all"] == "<***>"
    assert told["nodes"][0]["changed"]["all"] == "<***>"


def test_secrets_are_in_no_answer_of_an_effect(place: Place, run: Run) -> None:
    run("variables", "set", "SECRET", *place.options, stdin="hunter2-secret")
    made = place.simple("await triggerWorkflow(`${SECRET}!`).catch(() => 1)")
    assert "hunter2" not in str(tried(place, made)["effects"])


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ({"SECRET": 'pa"ss"wo\\rd'}, "JSON.stringify({ SECRET })"),
        ({"SECRET": "12345678"}, "+SECRET"),
        ({"SECRET": "abcdef", "SECRET_2": "abcdefgh"}, "SECRET_2"),
    ],
    ids=["in JSON", "as a number", "the longer of two"],
)
def test_secrets_are_in_no_argument_however_they_are_written(
    place: Place, run: Run, values: dict[str, str], argument: str
) -> None:
    for name, value in values.items():
        run("variables", "set", name, *place.options, stdin=value)
    told = tried(place, place.simple(f"await triggerWorkflow({argument})"), {"type": "order"})
    assert all(part not in str(calls(told)) for part in ("pa", "12345678", "gh"))
