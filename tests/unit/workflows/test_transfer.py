"""A workflow as a document that lives in git: written, read again and applied, it is the same workflow."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.bootstrap.demo import example_documents
from pulse.core.errors import InvalidFields
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import (
    check_document,
    file_name,
    to_document,
    with_configuration_ids,
    with_configuration_names,
    with_ids,
)
from tests.unit.workflows.drawn import (
    ENVIRONMENT,
    ORGANIZATION,
    branch,
    entity,
    inline,
    known,
    place,
    referenced,
    workflow,
)

START = entity("ent_1", "event", condition={"field": "type", "operator": "exists"}, tfCondition="Single Path")
ACT = entity("ent_2", "action", postScript="one()\ntwo()\n", arguments=[{"name": "a", "argumentValue": "{{b}}"}])
DATA = referenced(
    place("s", place("t", place("a"))), s={"entityId": "ent_1"}, t=branch("true"), a={"entityId": "ent_2"}
)


def applied(document: dict[str, Any]) -> tuple[Workflow, dict[str, Entity]]:
    """What applying a document in an empty environment stores."""
    check_document(document)
    entities = {}
    for number, (key, fields) in enumerate(document["entities"].items()):
        own = {name: value for name, value in fields.items() if name not in ("name", "entityType", "description")}
        entities[key] = Entity(
            id=f"ent_new_{number}",
            organization_id=ORGANIZATION,
            environment_id=ENVIRONMENT,
            name=fields["name"],
            entity_type=fields["entityType"],
            description=fields.get("description"),
            fields=own,
        )
    data = with_ids(document, {key: each.id for key, each in entities.items()})
    drawn = workflow(
        data,
        name=document["name"],
        description=document.get("description"),
        priority=document["priority"],
        is_active=document.get("isActive", True),
    )
    return drawn, known(*entities.values())


def test_a_document_says_what_the_workflow_is() -> None:
    drawn = workflow(DATA, name="Orders", description="All of them", priority=7, is_active=False)
    document = to_document(drawn, known(START, ACT))
    assert document == {
        "name": "Orders",
        "description": "All of them",
        "priority": 7,
        "isActive": False,
        "entities": {
            "the-ent-1": {
                "name": "The ent_1",
                "entityType": "event",
                "condition": {"field": "type", "operator": "exists"},
                "tfCondition": "Single Path",
            },
            "the-ent-2": {
                "name": "The ent_2",
                "entityType": "action",
                "postScript": "one()\ntwo()\n",
                "arguments": [{"name": "a", "argumentValue": "{{b}}"}],
            },
        },
        "workflowData": referenced(
            place("s", place("t", place("a"))),
            s={"entityId": "the-ent-1"},
            t=branch("true"),
            a={"entityId": "the-ent-2"},
        ),
    }


def test_writing_changes_nothing_of_the_workflow_itself() -> None:
    before = json.dumps(DATA)
    document = to_document(workflow(DATA), known(START, ACT))
    document["workflowData"]["nodes"]["s"]["name"] = "Changed"
    assert json.dumps(DATA) == before


def test_what_is_not_said_is_left_out() -> None:
    bare = entity("ent_1", "event", description=None, condition=None, arguments=[], preScript="", onError=None)
    document = to_document(workflow({"root": inline("ent_1")}), known(bare))
    assert set(document) == {"name", "priority", "entities", "workflowData"}
    assert document["entities"] == {"the-ent-1": {"name": "The ent_1", "entityType": "event"}}


def test_entities_of_one_name_have_keys_of_their_own() -> None:
    same = [Entity(f"ent_{n}", ORGANIZATION, ENVIRONMENT, "Step!", "action") for n in range(3)]
    data = {"root": inline("ent_0", inline("ent_1"), inline("ent_2"), inline("ent_0"))}
    document = to_document(workflow(data), known(*same))
    assert list(document["entities"]) == ["step", "step-2", "step-3"]
    assert document["workflowData"] == {"root": inline("step", inline("step-2"), inline("step-3"), inline("step"))}


def test_an_entity_id_that_leads_nowhere_stays_as_it_is() -> None:
    data = {**DATA, "legacy": {"entityId": "an older id"}}
    data["nodes"] = {**DATA["nodes"], "unplaced": {"entityId": "ent_deleted"}}
    document = to_document(workflow(data), known(START, ACT))
    assert document["workflowData"]["legacy"] == {"entityId": "an older id"}
    assert document["workflowData"]["nodes"]["unplaced"] == {"entityId": "ent_deleted"}
    assert set(document["entities"]) == {"the-ent-1", "the-ent-2"}
    assert with_ids(document, {})["nodes"]["unplaced"] == {"entityId": "ent_deleted"}


@pytest.mark.parametrize("document", example_documents(), ids=lambda document: document["name"])
def test_the_examples_come_back_as_they_were(document: dict[str, Any]) -> None:
    drawn, entities = applied(document)
    once = to_document(drawn, entities)
    assert [fields["name"] for fields in once["entities"].values()] == [
        fields["name"] for fields in document["entities"].values()
    ]
    assert list(once["entities"].values()) == list(document["entities"].values())
    renamed = dict(zip(document["entities"], once["entities"], strict=True))
    assert once["workflowData"] == with_ids(document, renamed)
    assert to_document(*applied(once)) == once


def test_through_yaml_and_back() -> None:
    document = to_document(workflow(DATA, description="täglich"), known(START, ACT))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    assert to_document(*applied(yaml.safe_load(text))) == document


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"modelConfigurationId": "mcf_1", "prompt": "Hi"}, {"modelConfiguration": "Fast", "prompt": "Hi"}),
        ({"modelConfigurationId": "", "modelId": "mcf_1"}, {"modelConfiguration": "Fast"}),
        # Not read beside the other: kept as it is.
        ({"modelConfigurationId": "mcf_1", "modelId": "gpt"}, {"modelConfiguration": "Fast", "modelId": "gpt"}),
        ({"modelConfigurationId": "mcf_2", "modelId": "mcf_1"}, {"modelConfigurationId": "mcf_2", "modelId": "mcf_1"}),
        ({"modelId": "gpt"}, {"modelId": "gpt"}),
    ],
)
def test_a_model_configuration_goes_by_its_name(fields: dict[str, Any], written: dict[str, Any]) -> None:
    ask = entity("ent_1", "prompt", **fields)
    document = to_document(workflow({"root": inline("ent_1")}), known(ask), {}, {"mcf_1": "Fast"})
    assert document["entities"]["the-ent-1"] == {"name": "The ent_1", "entityType": "prompt", **written}
    back = with_configuration_ids(document, {"Fast": "mcf_1"})
    assert with_configuration_names(back, {"mcf_1": "Fast"}) == document
    assert "modelConfiguration" not in back["entities"]["the-ent-1"]


def test_a_name_that_is_empty_names_no_model_configuration() -> None:
    document = {"name": "W", "entities": {"ask": {"name": "Ask", "modelConfiguration": ""}}}
    assert with_configuration_ids(document, {}) == {"name": "W", "entities": {"ask": {"name": "Ask"}}}
    assert with_configuration_ids({"name": "W"}, {}) == {"name": "W"}


NAMES = st.text(max_size=12)
FIELDS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["preScript", "postScript", "condition", "onError", "arguments"]),
    st.none() | st.text(max_size=8) | st.just([]) | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(NAMES, FIELDS), min_size=1, max_size=6), st.data())
def test_what_is_written_twice_is_written_alike(described: list[tuple[str, Any]], data: st.DataObject) -> None:
    entities = known(
        *(
            Entity(f"ent_{n}", ORGANIZATION, ENVIRONMENT, name, "action", fields=fields)
            for n, (name, fields) in enumerate(described)
        )
    )
    order = data.draw(st.permutations(list(entities)))
    drawn = workflow({"root": inline(order[0], *(inline(each) for each in order[1:]))})
    document = to_document(drawn, entities)
    assert [fields["name"] for fields in document["entities"].values()] == [entities[each].name for each in order]
    again, others = applied(document)
    assert to_document(again, others) == document


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("text", [("", "not_an_object")]),
        ({}, [("name", "missing")]),
        ({"name": ""}, [("name", "missing")]),
        ({"name": 3, "nodes": {}}, [("nodes", "unknown_field"), ("name", "missing")]),
        ({"name": "a", "entities": []}, [("entities", "not_an_object")]),
        ({"name": "a", "entities": {"b": "c"}}, [("entities", "not_an_object")]),
    ],
)
def test_what_is_no_document_is_refused(document: Any, found: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidFields) as refused:
        check_document(document)
    assert [(fault.path, fault.code) for fault in refused.value.faults] == found


@pytest.mark.parametrize(
    ("name", "file"),
    [("Label new issues", "label-new-issues.yaml"), ("../../etc/passwd", "etc-passwd.yaml"), ("ÄÖ", "workflow.yaml")],
)
def test_a_file_is_named_after_its_workflow(name: str, file: str) -> None:
    assert file_name(name) == file
