"""What applying a document changes, and what is found wrong with it before anything is sent."""

import copy
from typing import Any

import pytest

from pulse.cli.workflows.apply import changes_of, check_contents
from pulse.core.errors import InvalidFields
from pulse.workflows.records import Entity, Workflow

DOCUMENT: dict[str, Any] = {
    "name": "W",
    "priority": 7,
    "entities": {
        "start": {"name": "Start", "entityType": "event", "condition": {"field": "a", "comparison": "exists"}},
        "act": {"name": "Act", "entityType": "action", "postScript": "x = 1"},
    },
    "workflowData": {
        "nodes": {"n1": {"entityId": "start"}, "n2": {"entityId": "act"}},
        "workflow": {"ref": "n1", "children": [{"ref": "n2"}]},
    },
}


def present(**fields: Any) -> tuple[list[Workflow], dict[str, Entity]]:
    """The document as it is stored."""
    entities = {
        f"ent_{key}": Entity(
            f"ent_{key}",
            "o",
            "e",
            one["name"],
            one["entityType"],
            None,
            {
                "tfCondition": "Single Path",
                "logic": [],
                **{n: v for n, v in one.items() if n not in ("name", "entityType")},
            },
        )
        for key, one in DOCUMENT["entities"].items()
    }
    data = copy.deepcopy(DOCUMENT["workflowData"])
    for node in data["nodes"].values():
        node["entityId"] = f"ent_{node['entityId']}"
    return [Workflow("wf_1", "o", "e", "W", data, priority=7, **fields)], entities


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DOCUMENT), **changes}


def test_a_workflow_of_a_new_name_is_made() -> None:
    assert changes_of(changed(name="Other"), *present()).kind == "create"
    assert changes_of(DOCUMENT, [], {}).kind == "create"


def test_what_is_stored_is_unchanged() -> None:
    assert changes_of(DOCUMENT, *present()).kind == "unchanged"


def test_keys_of_entities_mean_nothing() -> None:
    document = changed()
    document["entities"]["begin"] = document["entities"].pop("start")
    document["workflowData"]["nodes"]["n1"]["entityId"] = "begin"
    assert changes_of(document, *present()).kind == "unchanged"


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": 8},
        {"isActive": False},
        {"description": "new"},
        {"workflowData": {}},
        {"entities": {**DOCUMENT["entities"], "act": {**DOCUMENT["entities"]["act"], "postScript": "x = 2"}}},
        {"entities": {**DOCUMENT["entities"], "act": {**DOCUMENT["entities"]["act"], "onError": "continue"}}},
    ],
)
def test_what_differs_is_a_change_that_is_shown(changes: dict[str, Any]) -> None:
    found = changes_of(changed(**changes), *present())
    assert found.kind == "change"
    assert any(line.startswith(("+", "-")) for line in found.diff)


def test_defaults_may_be_said_or_left_out() -> None:
    document = changed(isActive=True)
    document["entities"]["start"] |= {"tfCondition": "Single Path", "logic": [], "preScript": ""}
    assert changes_of(document, *present()).kind == "unchanged"


def test_a_good_document_has_no_faults() -> None:
    check_contents(DOCUMENT)
    check_contents({"name": "Empty"})


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"priority": "high"}, "priority"),
        ({"isActive": "perhaps"}, "isActive"),
        ({"workflowData": []}, "workflowData"),
        ({"entities": {"a": {"entityType": "event"}}}, "entities.a.name"),
        ({"entities": {"a": {"name": "A", "entityType": "webhook"}}}, "entities.a.entityType"),
        ({"entities": {"a": {"name": "A", "entityType": "event", "arguments": [{}]}}}, "entities.a.arguments.0.name"),
        ({"workflowData": {"root": {"entityId": "gone"}}}, "workflowData.root.entityId"),
        ({"workflowData": {"nodes": {1: {}}}}, "workflowData.nodes"),
        ({"workflowData": {"nodes": {"a": {"x": float("inf")}}}}, "workflowData.nodes.a.x"),
        ({"workflowData": {"nodes": {"a": {"x": [b"bytes"]}}}}, "workflowData.nodes.a.x.0"),
        ({"description": {"a set"}}, "description"),
    ],
)
def test_faults_have_their_path(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFields) as told:
        check_contents(changed(**changes))
    assert path in [fault.path for fault in told.value.faults]


@pytest.mark.parametrize("mode", ["Multi", "Iterable"])
def test_modes_that_look_at_a_value_have_no_faults(mode: str) -> None:
    document = changed()
    document["entities"]["start"] |= {"tfCondition": mode, "logicField": "payload.kinds"}
    document["workflowData"]["workflow"] = {"ref": "n1"}
    check_contents(document)
