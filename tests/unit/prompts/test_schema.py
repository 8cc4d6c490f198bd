"""JSON Schema: every keyword that is taken, those that are not refused, and the places of what does not fit."""

import json
from typing import Any

import pytest

from pulse.prompts.templates.assertions import schema as module
from pulse.prompts.templates.assertions.automaton import TooMuchWork
from pulse.prompts.templates.assertions.keywords import MAX_FAULTS, schema_faults
from pulse.prompts.templates.assertions.schema import TooManyChecks, disagreements

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 3, "uniqueItems": True},
        "parent": {"$ref": "#"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "string", "pattern": "^[a-z]+$"}},
}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, -1, 1.0], [1.5, "1", True, None]),
        ({"type": "number"}, [1, 1.5], ["1", False]),
        ({"type": ["string", "null"]}, ["", None], [0, []]),
        ({"type": "boolean"}, [True, False], [0, "true"]),
        ({"type": "object"}, [{}], [[]]),
        ({"enum": [1, "a", None, {"b": [1]}]}, [1, 1.0, "a", None, {"b": [1.0]}], [True, "b", {"b": [2]}]),
        ({"const": 0}, [0, 0.0], [False, None]),
        ({"minLength": 2, "maxLength": 3}, ["ab", "😀😀😀", 5], ["a", "abcd"]),
        ({"pattern": "b+"}, ["abbc", 1], ["ac"]),
        ({"minimum": 1, "exclusiveMaximum": 3}, [1, 2.9], [0.9, 3]),
        ({"exclusiveMinimum": 1, "maximum": 3}, [1.1, 3], [1, 3.1]),
        ({"multipleOf": 0.1}, [0.3, 1, 0], [0.35]),
        ({"minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"uniqueItems": True}, [[1, "1", True], [[1], [2]]], [[1, 1.0], [{"a": 1}, {"a": 1}]]),
        ({"items": {"type": "integer"}}, [[], [1, 2]], [[1, "a"]]),
        ({"prefixItems": [{"type": "string"}], "items": False}, [[], ["a"]], [["a", 1], [1]]),
        ({"contains": {"const": 1}}, [[2, 1]], [[], [2]]),
        ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
        ({"required": ["a"]}, [{"a": None}, 5], [{}]),
        ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "x"}]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 5], [4]),
        ({"oneOf": [{"minimum": 5}, {"maximum": 7}]}, [4, 8], [6]),
        ({"not": {"type": "null"}}, [0], [None]),
        (True, [None, 1], []),
        (False, [], [None, 1]),
        ({"properties": {"a": {"properties": {"b": False}}}}, [{"a": {}}], [{"a": {"b": 1}}]),
        ({"$ref": "#/definitions/x~1y", "definitions": {"x/y": {"type": "string"}}}, ["a"], [1]),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict | bool) else "",
)
def test_keywords(schema: Any, good: list[Any], bad: list[Any]) -> None:
    assert schema_faults(schema) == []
    assert [value for value in good if disagreements(schema, value)] == []
    assert [value for value in bad if not disagreements(schema, value)] == []


def test_every_disagreement_is_told_with_its_place() -> None:
    value = {"name": "", "age": -1, "tags": ["a", "B", "a", 4], "parent": {"x": 1}}
    assert disagreements(PERSON, value) == [
        "name: it has 0 characters, fewer than 1",
        "age: it is less than 0",
        "tags: it has 4 items, more than 3",
        "tags: an item comes twice",
        "tags[1]: it does not match the pattern",
        "tags[3]: it is integer, not string",
        "parent.name: it is missing",
        "parent.x: there is no such property",
    ]
    assert disagreements(PERSON, {"name": "Ada", "parent": {"name": "Lord B.", "tags": ["poet"]}}) == []
    assert disagreements(PERSON, []) == ["the response: it is array, not object"]
    assert len(disagreements({"items": False}, [0] * 100)) == MAX_FAULTS


@pytest.mark.parametrize(
    ("schema", "path", "code"),
    [
        (5, "schema", "not_a_schema"),
        ({"propertes": {}}, "schema.propertes", "unknown_keyword"),
        ({"if": {}}, "schema.if", "unknown_keyword"),
        ({"type": "text"}, "schema.type", "invalid_keyword"),
        ({"type": []}, "schema.type", "invalid_keyword"),
        ({"enum": []}, "schema.enum", "invalid_keyword"),
        ({"required": "a"}, "schema.required", "invalid_keyword"),
        ({"minLength": -1}, "schema.minLength", "invalid_keyword"),
        ({"maximum": "1"}, "schema.maximum", "invalid_keyword"),
        ({"multipleOf": 0}, "schema.multipleOf", "invalid_keyword"),
        ({"anyOf": []}, "schema.anyOf", "invalid_keyword"),
        ({"properties": []}, "schema.properties", "invalid_keyword"),
        ({"pattern": "(a"}, "schema.pattern", "invalid_pattern"),
        ({"pattern": "(?=a)"}, "schema.pattern", "invalid_pattern"),
        ({"properties": {"a": {"items": {"type": 1}}}}, "schema.properties.a.items.type", "invalid_keyword"),
        ({"oneOf": [True, {"x": 1}]}, "schema.oneOf.1.x", "unknown_keyword"),
        ({"$ref": "#/$defs/none"}, "schema.$ref", "unknown_reference"),
        ({"$ref": "https://example.com/s.json"}, "schema.$ref", "unknown_reference"),
    ],
)
def test_faults_of_a_schema_have_their_places(schema: Any, path: str, code: str) -> None:
    assert [(fault.path, fault.code) for fault in schema_faults(schema)] == [(path, code)]


def test_a_deep_schema_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(40):
        schema = {"items": schema}
    assert [fault.code for fault in schema_faults(schema)] == ["too_deep"]


def test_a_schema_that_refers_to_itself_ends() -> None:
    around = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}}
    assert schema_faults(around) == []
    assert disagreements(around, 1) != []
    assert disagreements({"$ref": "#"}, 1) == ["the response: the schema refers to itself here"]
    tree = {"properties": {"next": {"$ref": "#"}}, "required": ["value"]}
    assert disagreements(tree, {"value": 1, "next": {"value": 2, "next": {}}}) == ["next.next.value: it is missing"]


def test_checking_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooMuchWork):
        disagreements({"items": {"pattern": "a.{900}b"}}, ["a" * 950] * 500)
    monkeypatch.setattr(module, "MAX_CHECKS", 100)
    with pytest.raises(TooManyChecks):
        disagreements({"items": {"type": "integer"}}, list(range(200)))
