"""JSON that is no workflow is refused with the path of every fault; the published schema refuses it as well."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulse.core.errors import Fault, InvalidFields
from pulse.engine.definition.json_form import from_json, json_schema, to_json
from pulse.engine.definition.workflow import Workflow
from tests.unit.engine.definition.schema_reading import refusals
from tests.unit.engine.definition.test_json_form import SEED
from tests.unit.engine.drawn import VALUES, WORKFLOWS

JSON = dict[str, Any]


def refused(value: object) -> list[Fault]:
    with pytest.raises(InvalidFields) as caught:
        from_json(value)
    assert refusals(json_schema(), value), "the schema accepts it"
    return caught.value.faults


def places(value: object) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in refused(value)]


def with_step(**fields: Any) -> JSON:
    return {**SEED, "steps": [fields]}


@pytest.mark.parametrize("value", [None, [], "workflow", 5, True])
def test_a_workflow_is_an_object(value: object) -> None:
    assert places(value) == [("", "not_an_object")]


def test_unknown_fields_are_refused_wherever_they_stand() -> None:
    value = {**SEED, "tenant_id": "x", "rateLimit": {"limit": 1, "perSeconds": 1, "burst": 2}}
    value["steps"] = [
        {"type": "action", "name": "a", "retry_policy": {}, "retryPolicy": {"max": 3}},
        {"type": "parallel", "name": "p", "branches": [[{"type": "wait", "name": "w", "signalType": "s", "x": 1}], []]},
    ]
    assert sorted(places(value)) == [
        ("rateLimit.burst", "unknown"),
        ("steps.0.retryPolicy.max", "unknown"),
        ("steps.0.retry_policy", "unknown"),
        ("steps.1.branches.0.0.x", "unknown"),
        ("tenant_id", "unknown"),
    ]


def test_the_fault_of_an_unknown_field_names_those_that_are_known() -> None:
    (fault,) = refused(with_step(type="delay", name="d", delayMs=5, minutes=1))
    assert fault == Fault("steps.0.minutes", "unknown", "minutes is not known here: use config, delayMs, name.")


def test_missing_fields_are_all_named() -> None:
    assert places({}) == [(name, "missing") for name in ("tenantId", "name", "triggerType", "steps")]
    assert places(with_step(type="wait")) == [("steps.0.name", "missing"), ("steps.0.signalType", "missing")]
    assert places(with_step(type="delay", name="d")) == [("steps.0.delayMs", "missing")]
    assert places({**SEED, "rateLimit": {}}) == [("rateLimit.limit", "missing"), ("rateLimit.perSeconds", "missing")]


@pytest.mark.parametrize("kind", [None, "loop", "Action", 1, ["action"], {}])
def test_a_step_has_one_of_the_six_types(kind: object) -> None:
    assert places(with_step(type=kind, name="a")) == [("steps.0.type", "unknown_type")]
    assert places({**SEED, "steps": ["a", None]}) == [
        ("steps.0.type", "unknown_type"),
        ("steps.1.type", "unknown_type"),
    ]


@pytest.mark.parametrize(
    ("changed", "path", "code"),
    [
        ({"name": 5}, "name", "wrong_type"),
        ({"steps": None}, "steps", "not_a_list"),
        ({"steps": {"0": {}}}, "steps", "not_a_list"),
        ({"config": []}, "config", "wrong_type"),
        ({"isEnabled": "true"}, "isEnabled", "wrong_type"),
        ({"runAt": "tomorrow"}, "runAt", "not_a_time"),
        ({"runAt": 5}, "runAt", "wrong_type"),
        ({"missedRuns": "some"}, "missedRuns", "wrong_type"),
        ({"concurrency": True}, "concurrency", "wrong_type"),
        ({"rateLimit": [1, 2]}, "rateLimit", "not_an_object"),
        ({"rateLimit": {"limit": "1", "perSeconds": 1}}, "rateLimit.limit", "wrong_type"),
    ],
)
def test_a_value_of_another_type_is_refused_at_its_path(changed: JSON, path: str, code: str) -> None:
    assert places({**SEED, **changed}) == [(path, code)]


@pytest.mark.parametrize(
    ("step", "path", "code"),
    [
        ({"type": "delay", "name": "d", "delayMs": "5"}, "delayMs", "wrong_type"),
        ({"type": "delay", "name": "d", "delayMs": 1.5}, "delayMs", "wrong_type"),
        ({"type": "delay", "name": "d", "delayMs": None}, "delayMs", "wrong_type"),
        ({"type": "delay", "name": "d", "delayMs": float("inf")}, "delayMs", "wrong_type"),
        ({"type": "delay", "name": "d", "delayMs": 5, "ms": 7}, "ms", "unknown"),
        ({"type": "action", "name": "a", "timeoutMs": "5"}, "timeoutMs", "wrong_type"),
        ({"type": "action", "name": "a", "retryPolicy": 3}, "retryPolicy", "not_an_object"),
        ({"type": "action", "name": "a", "retryPolicy": {"retryOn": "OSError"}}, "retryPolicy.retryOn", "wrong_type"),
        ({"type": "action", "name": "a", "retryPolicy": {"retryOn": ["x", 5]}}, "retryPolicy.retryOn.1", "wrong_type"),
        ({"type": "action", "name": "a", "retryPolicy": {"giveUpOn": 5}}, "retryPolicy.giveUpOn", "wrong_type"),
        ({"type": "condition", "name": "c", "onFalse": "stop"}, "onFalse", "wrong_type"),
        ({"type": "condition", "name": "c", "onFalse": True}, "onFalse", "wrong_type"),
        ({"type": "emit", "name": "e", "payload": []}, "payload", "wrong_type"),
        ({"type": "parallel", "name": "p", "branches": 5}, "branches", "not_a_list"),
        ({"type": "parallel", "name": "p", "branches": [5, []]}, "branches.0", "not_a_list"),
        ({"type": "parallel", "name": "p", "branches": [[5], []]}, "branches.0.0.type", "unknown_type"),
    ],
)
def test_a_fault_in_a_step_has_the_path_of_what_was_written(step: JSON, path: str, code: str) -> None:
    assert places(with_step(**step)) == [(f"steps.0.{path}", code)]


def test_every_fault_is_listed_at_once() -> None:
    value = {
        "tenantId": 1,
        "name": "f",
        "bogus": 1,
        "isEnabled": "no",
        "steps": [{"type": "loop"}, {"type": "action", "name": 2, "extra": 1, "timeoutMs": "1"}],
    }
    assert sorted(places(value)) == [
        ("bogus", "unknown"),
        ("isEnabled", "wrong_type"),
        ("steps.0.type", "unknown_type"),
        ("steps.1.extra", "unknown"),
        ("steps.1.name", "wrong_type"),
        ("steps.1.timeoutMs", "wrong_type"),
        ("tenantId", "wrong_type"),
        ("triggerType", "missing"),
    ]


def test_what_is_given_is_left_as_it_is() -> None:
    given_value = copy.deepcopy(SEED)
    from_json(given_value)
    assert given_value == SEED


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORKFLOWS)
def test_the_schema_accepts_whatever_is_written(drawn: Workflow) -> None:
    assert refusals(json_schema(), to_json(drawn)) == []


def every_place(value: Any) -> list[tuple[Any, Any]]:
    """Each container with each of its keys, all the way down."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *every_place(value[key])]]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORKFLOWS, st.data())
def test_what_is_refused_is_refused_by_the_schema_and_the_other_way_round(drawn: Workflow, data: st.DataObject) -> None:
    value = to_json(drawn)
    holder, key = data.draw(st.sampled_from(every_place(value)))
    if isinstance(holder, dict) and data.draw(st.booleans()):
        del holder[key]
    else:
        holder[key] = data.draw(VALUES)
    try:
        from_json(value)
    except InvalidFields:
        assert refusals(json_schema(), value)
    else:
        assert not refusals(json_schema(), value)


def test_the_schema_says_what_it_is() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["tenantId", "name", "triggerType", "steps"]
    assert set(schema["$defs"]) == {
        *("action", "condition", "delay", "wait", "emit", "parallel"),
        *("step", "retryPolicy", "rateLimit"),
    }
    assert schema["$defs"]["delay"]["required"] == ["type", "name", "delayMs"]
