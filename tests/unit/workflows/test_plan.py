"""The plan: what the sandbox walks, and an id that changes exactly when it does."""

import dataclasses
import json
from typing import Any

import pytest

from pulse.workflows.plan import Drawing, behaves_alike, entity_ids
from pulse.workflows.records import Entity
from tests.unit.workflows.drawn import (
    branch,
    compiled,
    count_places,
    entity,
    inline,
    known,
    names_of,
    place,
    planned,
    referenced,
    shape,
)

START = entity("start", "event", condition={"field": "type", "comparison": "equals", "value": "x"})
ACT = entity("act", "action", postScript="done = 1")
DATA = referenced(place("start", place("act")), start={}, act={})


def node_of(plan: dict[str, Any], name: str) -> dict[str, Any]:
    node: dict[str, Any] = plan["nodes"][names_of(plan).index(name)]
    return node


def test_both_shapes_compile_to_the_same_plan() -> None:
    """They differ in what they call their nodes, and in nothing that runs."""
    older = {"root": inline("start", inline("act"))}
    one, other = compiled(DATA, START, ACT), compiled(older, START, ACT)
    assert (one.pop("refs"), other.pop("refs")) == (
        ["start", "act"],
        ["workflowData.root", "workflowData.root.children.0"],
    )
    del one["id"], other["id"]
    assert one == other
    assert behaves_alike(Drawing(DATA, known(START, ACT)), Drawing(older, known(START, ACT)))


def test_a_plan_names_its_workflow_and_version() -> None:
    plan = compiled(DATA, START, ACT, version=7, name="Orders")
    assert {name: plan[name] for name in ("workflowId", "name", "version")} == {
        "workflowId": "wf_1",
        "name": "Orders",
        "version": 7,
    }
    assert shape(plan) == ("start", [("act", [])])
    found = planned(DATA, START, ACT, version=7, name="Orders")
    assert found is not None
    assert found.id == plan["id"]


def test_a_node_in_several_branches_is_compiled_once_and_placed_twice() -> None:
    data = referenced(
        place("start", place("yes", place("act")), place("no", place("act"))),
        start={"tfCondition": "True/False"},
        yes=branch("true"),
        no=branch("false"),
        act={},
    )
    plan = compiled(data, START, ACT)
    assert shape(plan) == ("start", [("true", [("act", [])]), ("false", [("act", [])])])
    assert names_of(plan).count("act") == 1
    assert (len(plan["nodes"]), count_places(plan["tree"])) == (4, 5)


def test_what_is_drawn_but_not_placed_is_no_part_of_the_plan() -> None:
    data = referenced(place("start"), start={}, act={}, other={"entityId": "ent_of_nobody"})
    assert shape(compiled(data, START, ACT)) == ("start", [])


def test_scripts_and_arguments_are_compiled() -> None:
    act = entity(
        "act",
        preScript="before()",
        postScript="after()",
        arguments=[{"name": "who", "argumentValue": "{{user.id}}"}, {"name": "n", "argumentValue": 3}],
    )
    node = node_of(compiled(DATA, START, act), "act")
    assert (node["pre"], node["post"]) == ("before()", "after()")
    assert node["arguments"] == [{"name": "who", "path": ["user", "id"]}, {"name": "n", "literal": 3}]
    assert (node["kind"], node["type"], node["name"], node["entityId"]) == ("action", "Action", "The act", "act")


def test_the_older_script_is_the_post_script() -> None:
    assert node_of(compiled(DATA, START, entity("act", script="old()")), "act")["post"] == "old()"
    both = entity("act", script="old()", postScript="new()")
    assert node_of(compiled(DATA, START, both), "act")["post"] == "new()"
    none = entity("act", script="  \n", preScript="")
    assert {"pre", "post"} & set(node_of(compiled(DATA, START, none), "act")) == set()


def test_a_condition_travels_as_text_that_the_sandbox_reads() -> None:
    node = node_of(compiled(DATA, START, ACT), "start")
    assert json.loads(node["conditionText"]) == {
        "field": "type",
        "path": ["type"],
        "comparison": "equals",
        "value": "x",
    }
    assert "conditionText" not in node_of(compiled(DATA, entity("start", "event"), ACT), "start")


TWO = referenced(place("start", place("t"), place("f")), start={}, t=branch("true"), f=branch("false"))


@pytest.mark.parametrize(
    ("of_node", "of_entity", "mode"),
    [
        (None, None, "Single Path"),
        (None, "True/False", "True/False"),
        ("True/False", None, "True/False"),
        ("True/False", "Single Path", "True/False"),
        ("Single Path", "True/False", "Single Path"),
        ("Single Path", "Multi", "Single Path"),
        ("", "True/False", "True/False"),
    ],
)
def test_the_mode_of_the_node_wins(of_node: str | None, of_entity: str | None, mode: str) -> None:
    start = entity("start", "event", **({"tfCondition": of_entity} if of_entity else {}))
    node = {} if of_node is None else {"tfCondition": of_node}
    data = TWO if mode == "True/False" else DATA
    drawn = {**data, "nodes": {**data["nodes"], "start": {"entityId": "start", **node}}}
    assert node_of(compiled(drawn, start, ACT), "start")["mode"] == mode


@pytest.mark.parametrize("first", ["action", "result"])
def test_a_workflow_that_begins_with_no_event_has_a_plan_that_says_so(first: Any) -> None:
    found = planned(DATA, entity("start", first), ACT)
    assert found is not None
    assert (found.starts_with_event, found.gate) == (False, None)
    begun = planned(DATA, START, ACT)
    assert begun is not None
    assert begun.starts_with_event


def test_an_empty_workflow_has_no_plan() -> None:
    assert planned({}) is None
    assert planned(referenced(None, start={}), START) is None


def test_the_type_may_be_left_to_the_entity_or_written_in_capitals() -> None:
    data = {"root": inline("start", inline("act", entityType="Action"), entityType="Event")}
    assert planned(data, START, ACT) == planned({"root": inline("start", inline("act"))}, START, ACT)


def test_a_result_has_its_status_and_a_node_what_an_error_does() -> None:
    end = entity("end", "result", resultStatus="ignore")
    data = referenced(place("start", place("act"), place("end")), start={}, act={}, end={})
    plan = compiled(data, START, entity("act", onError="continue"), end)
    assert node_of(plan, "end")["resultStatus"] == "ignore"
    assert node_of(plan, "act")["onError"] == "continue"
    assert "onError" not in node_of(plan, "end")


def test_entities_of_a_drawing_are_known_placed_or_not() -> None:
    data = referenced(place("a"), a={}, b={}, t=branch("true"), c={"entityId": 7})
    assert entity_ids(data) == {"a", "b"}
    assert entity_ids({"root": inline("x", inline("y"))}) == {"x", "y"}
    assert entity_ids("nothing") == set()


# ---- the id ---------------------------------------------------------------------------------------------------


def plan_id(data: Any, *entities: Entity, **more: Any) -> str:
    found = planned(data, *entities, **more)
    assert found is not None
    return found.id


SAME: list[tuple[str, Any, tuple[Entity, ...]]] = [
    ("again", DATA, (START, ACT)),
    ("moved", {**DATA, "presentation": {"viewport": {"x": 9}}}, (START, ACT)),
    (
        "drawn-elsewhere",
        referenced(place("start", place("act")), start={"presentation": {"x": 1}}, act={"name": "Shown"}),
        (START, ACT),
    ),
    ("connectors", {**DATA, "connectors": {"c1": {"source": "start", "target": "act"}}}, (START, ACT)),
    ("unplaced", referenced(place("start", place("act")), start={}, act={}, more={}), (START, ACT)),
    ("described", DATA, (dataclasses.replace(START, description="words", revision=4, updated_at=9), ACT)),
    ("unused-field", DATA, (START, entity("act", postScript="done = 1", resultStatus="ignore"))),
]
OTHER: list[tuple[str, Any, tuple[Entity, ...]]] = [
    ("script", DATA, (START, entity("act", postScript="done = 2"))),
    ("pre-script", DATA, (START, entity("act", preScript="done = 1"))),
    ("argument", DATA, (START, entity("act", postScript="done = 1", arguments=[{"name": "a", "argumentValue": 1}]))),
    ("condition", DATA, (entity("start", "event", condition={"field": "type", "comparison": "exists"}), ACT)),
    ("no-condition", DATA, (entity("start", "event"), ACT)),
    ("on-error", DATA, (START, entity("act", postScript="done = 1", onError="continue"))),
    ("mode", TWO, (entity("start", "event", tfCondition="True/False", condition=START.fields["condition"]), ACT)),
    ("fewer-nodes", referenced(place("start"), start={}), (START,)),
    ("more-nodes", referenced(place("start", place("act"), place("act")), start={}, act={}), (START, ACT)),
    ("entity-name", DATA, (START, dataclasses.replace(ACT, name="Told in the log"))),
]


@pytest.mark.parametrize(("data", "entities"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_what_changes_nothing_leaves_the_id(data: Any, entities: tuple[Entity, ...]) -> None:
    assert plan_id(data, *entities) == plan_id(DATA, START, ACT)
    assert behaves_alike(Drawing(DATA, known(START, ACT)), Drawing(data, known(*entities)))


@pytest.mark.parametrize(("data", "entities"), [case[1:] for case in OTHER], ids=[case[0] for case in OTHER])
def test_what_changes_something_changes_the_id(data: Any, entities: tuple[Entity, ...]) -> None:
    assert plan_id(data, *entities) != plan_id(DATA, START, ACT)
    assert not behaves_alike(Drawing(DATA, known(START, ACT)), Drawing(data, known(*entities)))


def test_a_node_that_is_called_otherwise_does_the_same() -> None:
    """A plan tells a test which node of the drawing did what, so it is another plan, of the same version."""
    renamed = referenced(place("start", place("n7")), start={}, n7={"entityId": "act"})
    assert plan_id(renamed, START, ACT) != plan_id(DATA, START, ACT)
    assert behaves_alike(Drawing(DATA, known(START, ACT)), Drawing(renamed, known(START, ACT)))


def test_another_version_or_name_is_another_plan() -> None:
    different: list[dict[str, Any]] = [{}, {"version": 2}, {"name": "Other"}, {"id": "wf_2"}]
    ids = {plan_id(DATA, START, ACT, **more) for more in different}
    assert len(ids) == 4
    quiet: list[dict[str, Any]] = [{"priority": 1}, {"description": "words"}, {"revision": 5}, {"is_active": False}]
    assert {plan_id(DATA, START, ACT, **more) for more in quiet} == {plan_id(DATA, START, ACT)}


# ---- prompts -----------------------------------------------------------------------------------------------------


def prompted(**fields: Any) -> dict[str, Any]:
    """What a prompt of these fields compiles to."""
    ask = entity("ask", "prompt", **fields)
    return node_of(compiled(referenced(place("start", place("ask")), start={}, ask={}), START, ask), "ask")


def test_a_prompt_asks_its_model_for_what_its_text_says() -> None:
    node = prompted(prompt="Summarise {{payload.text}}!", modelConfigurationId="mcf_1", imageRecognition=True)
    assert node["promptParts"] == ["Summarise ", {"name": "payload.text", "path": ["payload", "text"]}, "!"]
    assert (node["asks"], node["model"], node["imageRecognition"]) == (True, "mcf_1", True)


@pytest.mark.parametrize(
    "script",
    [
        "x = await promptCallUniversal(modelConfiguration, 'hello')",
        "await executePromptWithModel ()",
        "answer = await promptCallToken(TOKEN, 'hello', URL)",
    ],
)
def test_a_prompt_whose_script_calls_a_model_asks_nothing_itself(script: str) -> None:
    assert prompted(prompt="Hello", postScript=script)["asks"] is False
    assert prompted(prompt="Hello", script=script)["asks"] is False


def test_a_prompt_without_a_text_asks_nothing() -> None:
    assert prompted(postScript="x = latestPromptResponse()")["asks"] is False


def test_the_older_name_of_the_model_is_understood() -> None:
    assert prompted(prompt="Hello", modelId="mcf_2")["model"] == "mcf_2"
