"""Workflows that start workflows: what goes along, where it ends, and the tree that it makes."""

from collections.abc import Iterator
from typing import Any

import pytest

from pulse.messages.links import MAX_DEPTH, MAX_DESCENDANTS
from tests.integration.cli.conftest import Run
from tests.integration.cli.evaluation.places import Place, drawn, flat, log, new_place, starts
from tests.integration.cli.running import Up


@pytest.fixture
def place(running: Up, run: Run) -> Iterator[Place]:
    with new_place(running, run) as made:
        yield made


def outline(tree: dict[str, Any]) -> Any:
    """The names of the workflows that took each message, as (name, [children])."""
    below: list[Any] = sorted((outline(child) for child in tree["children"]), key=str)
    return tree.get("workflowName"), below


def test_a_tree_of_three_levels(place: Place, run: Run) -> None:
    """By nodes and by scripts, from wherever in the tree one looks."""
    leaf = place.simple("___result___ = [payload, path]", name="Leaf", priority=900)
    script = f"path = [...path, 'middle']; await triggerWorkflow('{leaf['id']}'); ___result___ = path"
    middle = place.workflow(
        {"entityId": place.entity(postScript=script)}, starts(leaf["id"]), name="Middle", priority=800
    )
    other = place.simple("other = 1", name="Other", priority=800)
    root = place.workflow(
        {"entityId": place.entity(postScript="path = ['root']; dropped = () => 1; __hidden = 1")},
        starts(middle["id"]),
        starts(other["id"]),
        name="Root",
    )
    sent = place.sent(type="order", payload={"n": 1.5}, entityId="kept by the message")
    assert sent["workflowName"] == "Root", root
    tree = place.family(sent["id"])
    wanted: Any = ("Root", [("Middle", [("Leaf", []), ("Leaf", [])]), ("Other", [])])
    assert (outline(tree), tree["id"]) == (wanted, sent["id"])
    by_name = {each["workflowName"]: each["id"] for each in flat(tree)}
    for message_id in by_name.values():
        assert place.family(message_id) == tree
    found = place.ended(by_name["Leaf"])
    assert (found["parentId"], found["rootId"]) == (by_name["Middle"], sent["id"])
    assert found["result"] == [{"n": 1.5}, ["root", "middle"]]
    told = found["message"]
    assert (told["type"], told["triggerType"], told["workflowId"]) == ("workflow_trigger", "sub_workflow", leaf["id"])
    assert told["organizationId"] == sent["organizationId"]
    assert told["parentTimestamp"].endswith("Z")
    assert not {"entityId", "dropped", "__hidden", "message", "___result___"} & told.keys()
    shown = run("messages", "tree", by_name["Leaf"], *place.options).out.splitlines()
    indents = [len(line) - len(line.lstrip()) for line in shown]
    # Siblings come in the order of their ids, which says nothing of the order in which they were sent.
    assert indents in ([0, 2, 4, 4, 2], [0, 2, 2, 4, 4])
    assert shown[0].split()[:2] == [sent["id"], "success"]
    assert run("messages", "tree", sent["id"], *place.options, "--json").json == tree


def test_the_log_of_a_node_names_the_message_that_it_sent(place: Place) -> None:
    leaf = place.simple(name="Leaf", priority=900)
    place.workflow({"entityId": place.entity()}, starts(leaf["id"]), name="Root")
    sent = place.sent(type="order")
    (entry,) = [entry for entry in log(sent, "workflow") if entry["action"] == "sub_workflow_triggered"]
    (child,) = place.family(sent["id"])["children"]
    assert (entry["messageId"], entry["workflowId"], entry["workflowName"]) == (child["id"], leaf["id"], "Leaf")


def test_a_script_is_told_what_it_sent(place: Place) -> None:
    leaf = place.simple(name="Leaf", priority=900)
    script = "found = getWorkflowByName('Leaf'); ___result___ = await triggerWorkflow(found.id)"
    place.simple(script, name="Root")
    sent = place.sent(type="order")
    (child,) = place.family(sent["id"])["children"]
    assert sent["result"] == {"success": True, "workflowId": leaf["id"], "sequenceNumber": child["id"]}
    assert sent["context"]["found"]["isActive"] is True


@pytest.mark.parametrize("given", ["'wf_unknown'", "''", "undefined", "5", "{}", "getWorkflowByName('none')?.id"])
def test_a_script_that_starts_nothing_that_is_there(place: Place, given: str) -> None:
    script = f"try {{ await triggerWorkflow({given}) }} catch (e) {{ ___result___ = [e.name, e.code, e.retryable] }}"
    place.simple(script, name="Root")
    sent = place.sent(type="order")
    code = "unknown_workflow" if given == "'wf_unknown'" else "invalid_arguments"
    assert (sent["status"], sent["result"]) == ("success", ["EffectError", code, False])
    assert place.count() == 1


def test_workflows_of_others_cannot_be_started(place: Place, running: Up, run: Run) -> None:
    with new_place(running, run) as other:
        theirs = other.simple("stolen = 1")
        place.simple(f"await triggerWorkflow('{theirs['id']}')", name="Root")
        sent = place.sent(type="order")
        assert (sent["status"], sent["context"]["____execution_errors____"][0]["code"]) == ("fail", "unknown_workflow")
        assert (place.count(), other.count()) == (1, 0)


def test_a_workflow_that_is_switched_off_gets_its_message_and_ignores_it(place: Place) -> None:
    leaf = place.simple("ran = 1", name="Leaf", isActive=False)
    place.workflow({"entityId": place.entity()}, starts(leaf["id"]), name="Root")
    sent = place.sent(type="order")
    (child,) = place.family(sent["id"])["children"]
    assert (sent["status"], child["status"], child["code"]) == ("success", "ignore", "inactive")


def test_a_child_leaves_though_its_parent_fails_later(place: Place) -> None:
    leaf = place.simple(name="Leaf", priority=900)
    fails = place.entity("action", postScript="null.x")
    place.workflow({"entityId": place.entity()}, starts(leaf["id"]), {"entityId": fails}, name="Root")
    sent = place.sent(type="order")
    assert sent["status"] == "fail"
    assert [child["workflowName"] for child in place.family(sent["id"])["children"]] == ["Leaf"]


def test_each_item_of_a_list_may_start_one(place: Place) -> None:
    leaf = place.simple("___result___ = [n, typeof ___iterableItem___]", name="Leaf", priority=900)
    start = place.entity(tfCondition="Iterable", logicField="list")
    take = place.entity("action", arguments=[{"name": "n", "argumentValue": "{{___iterableItem___}}"}])
    place.workflow({"entityId": start}, {"entityId": take}, starts(leaf["id"]), name="Root")
    sent = place.sent(type="order", list=[3, 1, 2])
    results = [place.ended(child["id"])["result"] for child in place.family(sent["id"])["children"]]
    assert sorted(results) == [[n, "undefined"] for n in (1, 2, 3)]


def test_secrets_do_not_go_along(place: Place, run: Run) -> None:
    assert run("variables", "set", "TOKEN", *place.options, stdin="a secret value").code == 0
    leaf = place.simple("___result___ = [mine, TOKEN.length]", name="Leaf", priority=900)
    place.simple(f"mine = `<${{TOKEN}}>`; await triggerWorkflow('{leaf['id']}')", name="Root")
    sent = place.sent(type="order")
    (child,) = place.family(sent["id"])["children"]
    found = place.ended(child["id"])
    assert found["result"] == ["<***>", 14]
    assert "a secret" not in str((sent, found))


def test_a_message_that_would_be_too_large_is_not_sent(place: Place) -> None:
    leaf = place.simple(name="Leaf", priority=900)
    script = f"large = 'ä'.repeat(600_000); await triggerWorkflow('{leaf['id']}')"
    place.simple(script, name="Root")
    sent = place.sent(type="order")
    (error,) = sent["context"]["____execution_errors____"]
    assert (sent["status"], error["code"]) == ("fail", "too_large")
    assert "1048576 is the most" in error["error"]
    assert place.count() == 1


def test_a_replay_begins_a_family_of_its_own(place: Place) -> None:
    leaf = place.simple(name="Leaf", priority=900)
    place.workflow({"entityId": place.entity()}, starts(leaf["id"]), name="Root")
    sent = place.sent(type="order")
    before = place.family(sent["id"])
    replayed = place.client.post(f"/api/messages/{sent['id']}/replay").json()["messageId"]
    tree = place.family(replayed)
    assert (outline(tree), tree["id"]) == (outline(before), replayed)
    assert place.family(sent["id"]) == before
    child = place.client.post(f"/api/messages/{before['children'][0]['id']}/replay").json()["messageId"]
    assert "parentId" not in place.ended(child)
    assert outline(place.family(child)) == ("Leaf", [])


# ---- without end ---------------------------------------------------------------------------------------------------


def test_a_workflow_that_starts_itself_ends(place: Place) -> None:
    start = place.entity(postScript="depth = (globalThis.depth ?? -1) + 1")
    made = place.workflow({"entityId": start}, name="Self")
    place.change(made, workflowData=drawn({"entityId": start}, starts(made["id"])))
    sent = place.sent(type="order")
    found = list(flat(place.family(sent["id"])))
    assert [each["status"] for each in found] == [*["success"] * MAX_DEPTH, "fail"]
    last = place.ended(found[-1]["id"])
    (error,) = last["context"]["____execution_errors____"]
    assert (error["code"], last["context"]["depth"]) == ("too_deep", MAX_DEPTH)
    assert "10 workflows deep" in error["error"]
    (entry,) = log(last, "error")
    assert (entry["action"], entry["workflowId"]) == ("sub_workflow_trigger_failed", made["id"])
    assert "EffectError" in found[-1]["error"]


@pytest.mark.parametrize("by", ["node", "script"])
def test_a_workflow_that_starts_itself_twice_ends_at_the_limit(place: Place, by: str) -> None:
    start = place.entity()
    made = place.workflow({"entityId": start}, name="Twice")
    twice = [starts(made["id"], onError="continue")] * 2
    script = f"for (let i = 0; i < 2; i++) await triggerWorkflow('{made['id']}').catch((e) => {{ print(e.code) }})"
    nodes = twice if by == "node" else [{"entityId": place.entity("action", postScript=script)}]
    place.change(made, workflowData=drawn({"entityId": start}, *nodes))
    sent = place.sent(type="order")
    found = list(flat(place.family(sent["id"])))
    assert len(found) == MAX_DESCENDANTS + 1 == place.count()
    codes: set[str] = set()
    # Whose call was the first past the limit, chance decides; the deepest are refused for their depth.
    for each in reversed(found):
        if "too_many_messages" in codes:
            break
        context = place.ended(each["id"])["context"]
        codes.update(error["code"] for error in context["____execution_errors____"])
        codes.update(code for entry in context["____execution_log____"] for code in entry.get("args", []))
    assert "too_many_messages" in codes
    assert codes <= {"too_many_messages", "too_deep"}
    statuses = {each["status"] for each in found}
    assert statuses == ({"success", "fail"} if by == "node" else {"success"})
