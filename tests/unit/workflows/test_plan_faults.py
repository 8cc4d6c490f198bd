"""What a workflow cannot be is refused with the place of every fault, and never with a crash."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulse.core.errors import InvalidFields
from pulse.workflows.plan import check_workflow, compile_plan
from pulse.workflows.records import Entity
from tests.unit.workflows.drawn import branch, entity, inline, known, place, referenced, workflow

START = entity("start", "event")
ACT = entity("act", "action")
END = entity("end", "result")
ALL = (START, ACT, END)
ROOT = "workflowData.workflow"


def faults_of(data: Any, *entities: Entity) -> list[tuple[str, str]]:
    found = check_workflow(data, known(*(entities or ALL)))
    assert all(fault.message for fault in found)
    with pytest.raises(InvalidFields) as refused:
        compile_plan(workflow(data), known(*(entities or ALL)))
    assert refused.value.faults == found, "what is refused when it is saved is not compiled either"
    return [(fault.path, fault.code) for fault in found]


def started(*children: Any, mode: Any = None, field: Any = None, **nodes: Any) -> dict[str, Any]:
    start = {name: value for name, value in (("tfCondition", mode), ("logicField", field)) if value is not None}
    return referenced(place("start", *children), **{"start": start, **nodes})


TRUE_FALSE = "True/False"
BRANCHES = [(f"{ROOT}.children", "wrong_branches")]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param("drawn", [("workflowData", "not_an_object")], id="no-object"),
        pytest.param(
            started(place("x"), x={"entityId": "ent_of_another"}),
            [(f"{ROOT}.children.0.entityId", "unknown_entity")],
            id="foreign-entity",
        ),
        pytest.param(
            started(place("x"), x={"entityId": None}),
            [(f"{ROOT}.children.0.entityId", "unknown_entity")],
            id="no-entity",
        ),
        pytest.param(
            started(place("x"), x={"entityId": ["act"]}),
            [(f"{ROOT}.children.0.entityId", "unknown_entity")],
            id="entity-list",
        ),
        pytest.param(
            started(place("x"), x={"entityId": "act", "entityType": "result"}),
            [(f"{ROOT}.children.0.entityType", "wrong_type")],
            id="wrong-type",
        ),
        pytest.param(
            started(place("x"), x={"entityId": "act", "entityType": "robot"}),
            [(f"{ROOT}.children.0.entityType", "unknown_type"), (f"{ROOT}.children.0.entityType", "wrong_type")],
            id="unknown-type",
        ),
        pytest.param(
            started(place("x"), x={"entityId": None, "entityType": "workflow"}),
            [(f"{ROOT}.children.0.workflowId", "missing")],
            id="sub-workflow-without-its-workflow",
        ),
        pytest.param(
            started(place("x"), x={"entityId": None, "workflowId": 7}),
            [(f"{ROOT}.children.0.workflowId", "missing")],
            id="sub-workflow-number",
        ),
        pytest.param(started(mode="Multi"), [(f"{ROOT}.logicField", "missing")], id="multi-without-field"),
        pytest.param(started(mode="Iterable"), [(f"{ROOT}.logicField", "missing")], id="iterable-without-field"),
        pytest.param(
            started(place("act"), mode="Multi", field="kind", act={}),
            [(f"{ROOT}.children.0", "wrong_branches")],
            id="multi-with-another-child",
        ),
        pytest.param(
            started(place("t"), place("u"), mode="Multi", field="kind", t=branch("a"), u=branch("a")),
            [(f"{ROOT}.children.1", "wrong_branches")],
            id="multi-drawn-twice",
        ),
        pytest.param(
            started(place("t"), mode="Iterable", field="items", t=branch("a")), BRANCHES, id="branch-below-iterable"
        ),
        pytest.param(started(mode="Sideways"), [(f"{ROOT}.tfCondition", "unknown_mode")], id="unknown-mode"),
        pytest.param(started(mode=["Multi"]), [(f"{ROOT}.tfCondition", "unknown_mode")], id="mode-list"),
        pytest.param(started(mode={"a": 1}), [(f"{ROOT}.tfCondition", "unknown_mode")], id="mode-object"),
        pytest.param(started(mode=TRUE_FALSE), BRANCHES, id="no-branches"),
        pytest.param(started(place("t"), mode=TRUE_FALSE, t=branch("true")), BRANCHES, id="one-branch"),
        pytest.param(
            started(place("t"), place("u"), mode=TRUE_FALSE, t=branch("true"), u=branch("true")),
            BRANCHES,
            id="twice-true",
        ),
        pytest.param(
            started(
                place("t"),
                place("f"),
                place("m"),
                mode=TRUE_FALSE,
                t=branch("true"),
                f=branch("false"),
                m=branch("maybe"),
            ),
            BRANCHES,
            id="three-branches",
        ),
        pytest.param(
            started(place("t"), place("f"), mode=TRUE_FALSE, t=branch("true"), f=branch("no")), BRANCHES, id="no-false"
        ),
        pytest.param(
            started(place("t"), place("f"), place("act"), mode=TRUE_FALSE, t=branch("true"), f=branch("false"), act={}),
            BRANCHES,
            id="beside-branches",
        ),
        pytest.param(started(place("t"), t=branch("true")), BRANCHES, id="branch-below-single-path"),
        pytest.param(
            started(place("act", place("t")), act={}, t=branch("true")),
            [(f"{ROOT}.children.0.children", "wrong_branches")],
            id="branch-below-action",
        ),
        pytest.param(
            started(place("start"), place("x", place("x")), x={"entityId": "nobody"}),
            [
                (f"{ROOT}.children.0.ref", "cycle"),
                (f"{ROOT}.children.1.children.0.ref", "cycle"),
                (f"{ROOT}.children.1.entityId", "unknown_entity"),
            ],
            id="several",
        ),
        pytest.param(
            {"root": inline("start", inline("act", inline("nobody")))},
            [("workflowData.root.children.0.children.0.entityId", "unknown_entity")],
            id="older-shape",
        ),
    ],
)
def test_faults_have_their_place(data: Any, found: list[tuple[str, str]]) -> None:
    assert faults_of(data) == found


def test_a_mode_of_the_entity_is_checked_like_one_of_the_node() -> None:
    assert faults_of(started(), entity("start", "event", tfCondition="Sideways")) == [
        (f"{ROOT}.tfCondition", "unknown_mode")
    ]
    assert faults_of(started(), entity("start", "event", tfCondition="Iterable")) == [(f"{ROOT}.logicField", "missing")]


def test_a_branch_that_the_event_does_not_list_is_refused() -> None:
    start = entity("start", "event", tfCondition="Multi", logicField="kind", logic=[{"value": "a"}, {"value": 2}])
    drawn = started(place("t"), place("u"), t=branch("2"), u=branch("b"))
    assert faults_of(drawn, start) == [(f"{ROOT}.children.1", "wrong_branches")]


def test_a_workflow_that_is_started_must_be_there_when_the_drawing_is_saved() -> None:
    """A drawing that was saved is compiled all the same when that workflow is gone."""
    data = started(place("x"), x={"entityId": None, "entityType": "workflow", "workflowId": "wf_2"})
    assert check_workflow(data, known(*ALL), {"wf_2"}) == []
    found = check_workflow(data, known(*ALL), {"wf_1"})
    assert [(fault.path, fault.code) for fault in found] == [(f"{ROOT}.children.0.workflowId", "unknown_workflow")]
    assert compile_plan(workflow(data), known(*ALL)) is not None


def test_a_condition_that_came_in_by_another_door_is_checked_here_too() -> None:
    start = entity("start", "event", condition={"type": "AND", "conditions": [{"field": "a", "operator": "like"}]})
    assert faults_of(started(), start) == [(f"{ROOT}.condition.conditions.0.comparison", "unknown_comparison")]


def test_a_fault_of_a_node_in_two_places_is_told_once() -> None:
    data = started(place("x"), place("x"), x={"entityId": "nobody"})
    assert faults_of(data) == [(f"{ROOT}.children.0.entityId", "unknown_entity")]


def test_a_node_placed_twice_must_have_its_branches_in_both_places() -> None:
    good = place("e", place("t"), place("f"))
    data = started(
        good, place("e"), e={"entityId": "start", "tfCondition": TRUE_FALSE}, t=branch("true"), f=branch("false")
    )
    assert faults_of(data) == [(f"{ROOT}.children.1.children", "wrong_branches")]


def test_what_is_fine_has_no_faults() -> None:
    data = started(
        place("t", place("act", place("end"))),
        place("f"),
        mode=TRUE_FALSE,
        t=branch("true"),
        f=branch("false"),
        act={},
        end={},
    )
    assert check_workflow(data, known(*ALL)) == []
    assert compile_plan(workflow(data), known(*ALL)) is not None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["start", "act", "event", "True/False", "logic-branch"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "root",
                    "nodes",
                    "workflow",
                    "ref",
                    "children",
                    "entityId",
                    "entityType",
                    "tfCondition",
                    "start",
                    "act",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_whatever_is_drawn_is_compiled_or_refused(data: Any) -> None:
    faults = check_workflow(data, known(*ALL))
    if faults:
        assert all(fault.path.startswith("workflowData") for fault in faults)
    else:
        compile_plan(workflow(data), known(*ALL))
