"""Messages that are sent again: as they were or edited, on the workflow as it is or as it was, one or many."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.evaluation.places import Place, keyed, new_place, starts
from tests.integration.cli.running import Up


@pytest.fixture
def place(running: Up, run: Run) -> Iterator[Place]:
    with new_place(running, run) as made:
        yield made


def replayed(place: Place, origin: dict[str, Any], **body: Any) -> dict[str, Any]:
    """What came of a replay, once it has ended."""
    answer = place.client.post(f"/api/messages/{origin['id']}/replay", json=body or None)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told == {"messageId": told["messageId"], "replayOf": origin["id"]}
    found = place.ended(told["messageId"])
    assert found["replayOf"] == origin["id"]
    return found


def many(place: Place, **body: Any) -> dict[str, Any]:
    answer = place.client.post("/api/messages/replay", json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def own(message: dict[str, Any]) -> dict[str, Any]:
    """The message without its place."""
    return {name: value for name, value in message.items() if name not in ("organizationId", "environmentId")}


# ---- one -----------------------------------------------------------------------------------------------------------


def test_as_it_was(place: Place) -> None:
    place.simple("___result___ = payload.n + 1")
    sent = place.sent(type="order", payload={"n": 1}, extra=[1.5])
    again = replayed(place, sent)
    assert (again["result"], again["message"], again["type"]) == (2, sent["message"], "order")
    assert place.ended(sent["id"]) == sent


def test_with_another_payload(place: Place) -> None:
    place.simple("___result___ = [payload, extra]")
    sent = place.sent(type="order", payload={"n": 1}, extra=[1.5])
    payloads: list[Any] = [{"n": 2}, [], None, "x", 0]
    for payload in payloads:
        again = replayed(place, sent, payload=payload)
        assert again["message"] == {**sent["message"], "payload": payload}
        assert again["result"] == [payload, [1.5]]


def test_as_another_message(place: Place) -> None:
    place.simple("___result___ = Object.keys(message).sort()")
    sent = place.sent(type="order", payload={"n": 1})
    again = replayed(place, sent, message={"type": "refund", "organizationId": "org_other", "n": 2})
    assert own(again["message"]) == {"type": "refund", "n": 2}
    assert again["message"]["organizationId"] == sent["organizationId"] == again["organizationId"]
    assert (again["type"], again["result"]) == ("refund", ["environmentId", "n", "organizationId", "type"])


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"payload": 1, "message": {}}, "payload"),
        ({"version": "older"}, "version"),
        ({"message": [1]}, "message"),
        ({"payloads": 1}, "payloads"),
    ],
)
def test_edits_that_are_none(place: Place, body: dict[str, Any], path: str) -> None:
    sent = place.sent(type="order")
    answer = place.client.post(f"/api/messages/{sent['id']}/replay", json=body)
    assert answer.status_code == 422
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
    assert place.count() == 1


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("payload", "status"),
    [("x" * (2 << 20), 413), (nested(63), 202), (nested(64), 422), (2**200, 202), ("\0", 422)],
    ids=["large", "deep", "too deep", "a large number", "a character that cannot be stored"],
)
def test_an_edit_is_judged_as_a_message_is(place: Place, payload: Any, status: int) -> None:
    sent = place.sent(type="order")
    answer = place.client.post(f"/api/messages/{sent['id']}/replay", json={"payload": payload})
    assert answer.status_code == status
    assert place.count() == 1 + (status == 202)


def test_on_the_old_version_and_on_the_current_one(place: Place) -> None:
    start = place.entity(postScript="___result___ = 'old'")
    first = place.workflow({"entityId": start})
    sent = place.sent(type="order")
    place.client.put(f"/api/workflow-entities/{start}", json=event("___result___ = 'new'"))
    now = replayed(place, sent)
    assert (now["result"], now["workflowVersion"]) == ("new", 2)
    then = replayed(place, sent, version="old")
    assert (then["result"], then["workflowVersion"], then["workflowId"]) == ("old", 1, first["id"])
    assert replayed(place, sent, version="old", payload=7)["result"] == "old"
    assert replayed(place, now, version="old")["result"] == "new"
    # A replay of a replay goes back to what that one ran on.
    assert replayed(place, then, version="old")["result"] == "old"
    assert replayed(place, then)["result"] == "new"


def event(script: str) -> dict[str, Any]:
    return {"name": "An event", "entityType": "event", "postScript": script}


def test_the_old_version_runs_whatever_has_become_of_the_workflow(place: Place) -> None:
    made = place.simple("___result___ = 'old'")
    sent = place.sent(type="order")
    place.change(made, isActive=False)
    assert replayed(place, sent)["status"] == "ignore"
    assert replayed(place, sent, version="old")["result"] == "old"
    place.client.delete(f"/api/workflows/{made['id']}")
    assert replayed(place, sent, version="old")["result"] == "old"
    place.simple("___result___ = 'another'", name="Another")
    assert replayed(place, sent, version="old")["result"] == "old"
    assert replayed(place, sent)["result"] == "another"


def test_what_the_old_version_does_not_want_any_more_says_why(place: Place) -> None:
    rule = {"field": "payload", "comparison": "equals", "value": 1}
    made = place.workflow({"entityId": place.entity(condition=rule)})
    sent = place.sent(type="order", payload=1)
    again = replayed(place, sent, version="old", payload=2)
    assert (again["status"], again["reason"]["code"]) == ("ignore", "no_match")
    (told,) = again["reason"]["workflows"]
    assert (told["workflowId"], told["rule"], told["seen"]) == (made["id"], rule, 2)


def test_a_message_that_nobody_took_has_no_old_version(place: Place) -> None:
    sent = place.sent(type="order")
    answer = place.client.post(f"/api/messages/{sent['id']}/replay", json={"version": "old"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_version")
    assert place.count() == 1


def test_a_trigger_is_replayed_at_its_entity(place: Place) -> None:
    act = place.entity("action", postScript="___result___ = payload")
    made = place.workflow({"entityId": place.entity(postScript="___result___ = 'started'")}, {"entityId": act})
    found = place.triggered(made, payload=1, entityId=act)
    for body in ({"payload": 2}, {"payload": 2, "version": "old"}):
        assert replayed(place, found, **body)["result"] == 2


def test_variables_are_those_of_now(place: Place, run: Run) -> None:
    run("variables", "set", "RATE", *place.options, stdin="first value")
    place.simple("___result___ = RATE.length")
    sent = place.sent(type="order")
    run("variables", "set", "RATE", *place.options, stdin="the second value")
    assert (sent["result"], replayed(place, sent, version="old")["result"]) == (11, 16)


def test_what_is_anothers_is_not_there(place: Place, running: Up, run: Run) -> None:
    sent = place.sent(type="order")
    with new_place(running, run) as other:
        for body in (None, {"version": "old"}, {"payload": 1}):
            assert other.client.post(f"/api/messages/{sent['id']}/replay", json=body).status_code == 404
        assert many(other, ids=[sent["id"]])["count"] == 0
        assert other.count() == 0
    with keyed(running, run, place.options, "messages:read") as reader:
        assert reader.client.post(f"/api/messages/{sent['id']}/replay").status_code == 403
        assert reader.client.post("/api/messages/replay", json={"status": "success"}).status_code == 403
    assert place.count() == 1


# ---- many ----------------------------------------------------------------------------------------------------------


def test_many_in_parts(place: Place) -> None:
    """`next` says where the next part begins; what is replayed meanwhile is not among them where `to` says so."""
    place.simple("___result___ = n")
    sent = [place.sent(type="order", n=n) for n in range(5)]
    until = place.sent(type="last")["receivedAt"]
    wanted = {"type": "order", "status": "success", "to": until, "limit": 2}
    assert many(place, **wanted, dryRun=True) == {"count": 2}
    after, origins = None, []
    for _ in range(3):
        part = many(place, **wanted, **({"after": after} if after else {}))
        assert (part["count"], part["skipped"]) == (len(part["messageIds"]), 0)
        origins += [place.ended(each)["replayOf"] for each in part["messageIds"]]
        after = part.get("next")
        if after is None:
            break
        assert after == origins[-1]
    assert origins == [each["id"] for each in sent]
    assert after is None


def test_many_on_their_old_versions(place: Place) -> None:
    start = place.entity(postScript="___result___ = ['one', n]", condition={"field": "n", "comparison": "exists"})
    place.workflow({"entityId": start})
    sent = [place.sent(type="order", n=1), place.sent(type="order"), place.sent(type="order", n=2)]
    place.client.put(f"/api/workflow-entities/{start}", json=event("___result___ = 'two'"))
    told = many(place, ids=[each["id"] for each in sent], version="old")
    assert (told["count"], told["skipped"], "next" in told) == (2, 1, False)
    assert [place.ended(each)["result"] for each in told["messageIds"]] == [["one", 1], ["one", 2]]
    now = many(place, ids=[each["id"] for each in sent])
    assert [place.ended(each)["result"] for each in now["messageIds"]] == ["two"] * 3


def test_many_may_be_of_a_family(place: Place) -> None:
    leaf = place.simple("___result___ = 'leaf'", name="Leaf", priority=900)
    place.workflow({"entityId": place.entity()}, starts(leaf["id"]), name="Root")
    sent = place.sent(type="order")
    (child,) = place.family(sent["id"])["children"]
    told = many(place, workflowId=leaf["id"])
    (again,) = [place.ended(each) for each in told["messageIds"]]
    assert (again["replayOf"], again["result"], "parentId" in again) == (child["id"], "leaf", False)


@pytest.mark.parametrize("body", [{}, {"limit": 5}, {"after": "msg_1"}, {"version": "old"}, {"dryRun": True}])
def test_everything_is_not_sent_by_mistake(place: Place, body: dict[str, Any]) -> None:
    place.sent(type="order")
    answer = place.client.post("/api/messages/replay", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "no_filter")
    assert place.count() == 1


def test_commands_replay(place: Place, run: Run) -> None:
    start = place.entity(postScript="___result___ = 'old'")
    place.workflow({"entityId": start})
    sent = [place.sent(type="order", n=n) for n in range(3)]
    place.client.put(f"/api/workflow-entities/{start}", json=event("___result___ = 'new'"))
    for arguments, result in ((("--old-version",), "old"), ((), "new")):
        told = run("messages", "replay", sent[0]["id"], *arguments, *place.options, "--json").json
        assert (told["count"], place.ended(told["messageIds"][0])["result"]) == (1, result)
    counted = run("messages", "replay", "--type", "order", "--dry-run", *place.options)
    assert counted.out == "5 messages to be sent again.\n"
    told = run("messages", "replay", "--type", "order", "--old-version", *place.options, "--json").json
    assert (told["count"], told["skipped"]) == (5, 0)
    results = [place.ended(each)["result"] for each in told["messageIds"]]
    assert results == ["old", "old", "old", "old", "new"]
    nobody = place.sent(type="other")
    place.client.delete(f"/api/messages/{nobody['id']}")
    assert "not there" in run("messages", "replay", nobody["id"], *place.options).err
