"""The result object: the same before and after it is archived, with numbers and text as they were written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.messages.records import MessageRow, StoredMessage, shown_status
from pulse.messages.result import document, empty_body, payload_of, summary

AT = 1_700_000_000_123


def row(status: str = "success", **more: Any) -> MessageRow:
    fields: dict[str, Any] = {
        "id": "msg_1",
        "organization_id": "org_1",
        "environment_id": "env_1",
        "type": "order",
        "received_at": AT,
        "completed_at": AT + 4_000,
        "elapsed_ms": 4_000,
        "code": None,
        "workflow_id": None,
        "workflow_name": None,
        "workflow_version": None,
        "error": None,
        "size": 2,
        "lane": None,
        "origin_id": None,
    }
    return MessageRow(status=status, **{**fields, **more})


def body(**more: Any) -> bytes:
    return json.dumps({**json.loads(empty_body()), **more}).encode()


def shown(payload: bytes = b"{}", kept: bytes | None = None, status: str = "success", **more: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(document(StoredMessage(row(status, **more), payload, kept or body())))
    return read


def test_the_documented_object() -> None:
    log = [{"ts": 1, "elapsed": 0, "type": "workflow"}]
    errors = [{"error": "no", "errorType": "TypeError"}]
    kept = body(log=log, errors=errors, kept=["payload"], globals={"sum": 3}, result={"ok": True})
    found = shown(b'{"type":"order","payload":{"n":1}}', kept, "fail", error="TypeError: no", workflow_version=2)
    assert found["message"] == {"type": "order", "payload": {"n": 1}}
    assert found["context"] == {
        "____execution_log____": log,
        "____execution_errors____": errors,
        "____error_count____": 1,
        "payload": {"n": 1},
        "sum": 3,
    }
    assert (found["status"], found["result"], found["error"]) == ("fail", {"ok": True}, "TypeError: no")
    assert (found["receivedAt"], found["completedAt"]) == ("2023-11-14T22:13:20.123Z", "2023-11-14T22:13:24.123Z")
    assert (found["elapsedMs"], found["workflowVersion"]) == (4_000, 2)


def test_what_is_not_finished_has_no_context() -> None:
    waiting = StoredMessage(row("running", completed_at=None, elapsed_ms=None), b'{"a":1}')
    found = json.loads(document(waiting))
    assert found["status"] == "pending"
    assert found["message"] == {"a": 1}
    assert not {"context", "result", "reason", "completedAt", "elapsedMs"} & set(found)


@pytest.mark.parametrize(
    ("state", "status"),
    [("ready", "pending"), ("blocked", "pending"), ("running", "pending"), ("held", "held"), ("canceled", "canceled")],
)
def test_what_waits_is_pending(state: str, status: str) -> None:
    assert shown_status(state) == status
    assert summary(row(state))["status"] == status


def test_a_line_of_the_list_has_only_what_there_is() -> None:
    bare = summary(row("ready", type=None, completed_at=None, elapsed_ms=None))
    wanted = {"id", "organizationId", "environmentId", "type", "status", "receivedAt", "size"}
    assert set(bare) == wanted
    assert bare["type"] is None
    full = summary(row("fail", code="c", workflow_id="wf", workflow_name="n", workflow_version=1, error="e", lane="l"))
    assert set(full) == wanted | {
        *("completedAt", "elapsedMs", "workflowId", "workflowName", "workflowVersion", "error", "code", "partitionKey"),
    }
    assert summary(row(origin_id="msg_0"))["replayOf"] == "msg_0"


# ---- why ignored ---------------------------------------------------------------------------------------------


def test_an_ignored_message_says_why() -> None:
    tried = [{"name": "Orders", "rule": {"field": "type", "comparison": "equals", "value": "x"}, "seen": "order"}]
    found = shown(kept=body(reasons=tried), status="ignore", code="no_match")
    assert found["reason"] == {"code": "no_match", "workflows": tried}


@pytest.mark.parametrize("code", ["no_workflows", "inactive", "over_limit"])
def test_a_reason_without_workflows_is_its_code(code: str) -> None:
    assert shown(status="ignore", code=code)["reason"] == {"code": code}


def test_a_result_that_says_ignore_is_no_reason() -> None:
    assert "reason" not in shown(status="ignore", code=None)


@pytest.mark.parametrize("status", ["success", "fail"])
def test_others_have_no_reason(status: str) -> None:
    assert "reason" not in shown(kept=body(reasons=[{"name": "x"}]), status=status, code="c")


# ---- kept, globals, result -----------------------------------------------------------------------------------


def test_a_field_that_no_script_changed_comes_from_the_message() -> None:
    found = shown(b'{"a":1,"b":2,"c":3}', body(kept=["c", "a", "gone"], globals={"b": "changed"}))
    names = [name for name in found["context"] if not name.startswith("____")]
    assert names == ["c", "a", "b"]
    assert found["context"]["b"] == "changed"
    assert found["message"] == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_an_empty_result_is_a_result(value: Any) -> None:
    assert shown(kept=body(result=value))["result"] == value
    assert "result" not in shown()


def test_an_empty_body_is_whole() -> None:
    assert shown(kept=empty_body())["context"] == {
        "____execution_log____": [],
        "____execution_errors____": [],
        "____error_count____": 0,
    }
    assert shown(kept=empty_body([{"error": "x"}]))["context"]["____error_count____"] == 1


# ---- as it was written ---------------------------------------------------------------------------------------

NUMBERS = ["1.0", "1e2", "1E+2", "-0.0", "12345678901234567890", "0.1000", "1e-7", "123456789012345678901234567890.5"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_as_they_were_written(number: str) -> None:
    payload = f'{{"n":{number},"list":[{number}]}}'.encode()
    kept = body(kept=["n", "list"])[:-1] + f',"result":{number}}}'.encode()
    kept = kept.replace(b'"globals": {}', f'"globals": {{"own": {number}}}'.encode())
    line = document(StoredMessage(row(), payload, kept)).decode()
    assert f'"message":{payload.decode()}' in line
    assert f'"n":{number},"list":[{number}]' in line.split('"context"')[1]
    assert f'"result":{number}' in line
    assert f'"own":{number}' in line


def test_text_stays_as_it_was_written() -> None:
    payload = '{"t":"\\u00e4 ä \\/ \\ud83d\\ude00 \u2028"}'.encode()
    line = document(StoredMessage(row(), payload, body(kept=["t"])))
    assert line.count('"\\u00e4 ä \\/ \\ud83d\\ude00 \u2028"'.encode()) == 2
    assert payload_of(line) == payload


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=5)


@given(OBJECTS, OBJECTS, VALUES, st.sampled_from(["success", "fail", "ignore", "canceled"]))
def test_a_document_is_the_same_after_it_is_archived(
    message: dict[str, Any], made: dict[str, Any], result: Any, status: str
) -> None:
    payload = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    kept = body(kept=[name for name in message if name not in made], globals=made, result=result)
    record = row(status, code="no_match" if status == "ignore" else None)
    line = document(StoredMessage(record, payload, None if status == "canceled" else kept))
    assert b"\n" not in line
    assert payload_of(line) == payload
    assert document(StoredMessage(record, payload_of(line), archived=line)) == line
    assert json.loads(line)["message"] == message
