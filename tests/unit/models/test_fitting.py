"""Values that fit a schema."""

import contextlib
import json
import uuid
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.models.wire.asking import closed, is_strict
from pulse.models.wire.fitting import CannotFit, Fitting

KEYWORDS = (
    *("type", "properties", "required", "items", "prefixItems", "enum", "const", "anyOf", "allOf", "$ref", "$defs"),
    *("minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "format"),
    "additionalProperties",
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    max_leaves=12,
)


def fit(schema: dict[str, Any], seed: str = "seed") -> Any:
    return Fitting(schema, seed).value()


def each(schema: dict[str, Any]) -> list[Any]:
    """What many seeds bring."""
    return [fit(schema, f"seed {n}") for n in range(60)]


def test_the_same_seed_brings_the_same_value_and_others_bring_others() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"enum": [1, 2, 3, 4]}}}
    assert fit(schema) == fit(schema)
    assert len({json.dumps(value) for value in each(schema)}) > 20


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, str),
        ({"type": "integer"}, int),
        ({"type": "number"}, float),
        ({"type": "boolean"}, bool),
        ({"type": "array"}, list),
        ({"type": "object"}, dict),
        ({"type": "null"}, type(None)),
        ({"type": ["null", "integer"]}, int),
        ({"properties": {}}, dict),
        ({"items": {}}, list),
        ({"minimum": 1}, float),
        ({}, str),
    ],
)
def test_a_type_is_kept(schema: dict[str, Any], kind: type) -> None:
    assert {type(value) for value in each(schema)} == {kind}


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**4), st.text())
def test_integers_are_within_their_bounds(low: int, span: int, seed: str) -> None:
    assert low <= fit({"type": "integer", "minimum": low, "maximum": low + span}, seed) <= low + span
    assert fit({"type": "integer", "exclusiveMinimum": low}, seed) > low
    assert fit({"type": "integer", "maximum": low}, seed) <= low


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e4), st.text())
def test_numbers_are_within_their_bounds(low: float, span: float, seed: str) -> None:
    assert low <= fit({"type": "number", "minimum": low, "maximum": low + span}, seed) <= low + span


def test_integers_are_multiples() -> None:
    assert {value % 15 for value in each({"type": "integer", "minimum": 10, "maximum": 100, "multipleOf": 15})} == {0}


@given(st.integers(0, 60), st.integers(0, 60), st.text())
def test_texts_and_arrays_have_their_lengths(least: int, more: int, seed: str) -> None:
    text = fit({"type": "string", "minLength": least, "maxLength": least + more}, seed)
    assert least <= len(text) <= least + more
    items = fit({"type": "array", "items": {"type": "integer"}, "minItems": least, "maxItems": least + more}, seed)
    assert least <= len(items) <= least + more


def test_choices_are_from_what_there_is() -> None:
    assert set(each({"enum": ["a", "b", 3, None]})) == {"a", "b", 3, None}
    assert set(each({"const": "x", "type": "string"})) == {"x"}
    assert set(each({"type": "string", "examples": ["p", "q"]})) == {"p", "q"}
    assert set(each({"type": "integer", "default": 7})) == {7}
    assert {type(value) for value in each({"anyOf": [{"type": "string"}, {"type": "integer"}]})} == {str, int}
    assert {type(value) for value in each({"oneOf": [{"type": "null"}, {"type": "boolean"}]})} == {type(None), bool}


def test_objects_have_what_is_required() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a", "b"]}
    assert set(fit(schema)) == {"a", "b"}
    assert isinstance(fit(schema)["a"], int)


def test_parts_are_merged() -> None:
    schema = {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ],
        "properties": {"c": {"type": "null"}},
    }
    found = fit(schema)
    assert (type(found["a"]), type(found["b"]), found["c"]) == (int, bool, None)


def test_references_are_followed() -> None:
    schema = {
        "$ref": "#/$defs/a~1b",
        "$defs": {"a/b": {"type": "array", "items": {"$ref": "#/$defs/c"}}, "c": {"const": 1}},
    }
    assert set(fit(schema)) == {1}


def test_a_tree_ends() -> None:
    node: dict[str, Any] = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "parent": {"$ref": "#/$defs/node"},
        },
        "required": ["name", "children"],
    }
    assert fit({"$ref": "#/$defs/node", "$defs": {"node": node}})["children"]


def test_items_are_placed_and_different() -> None:
    assert [
        type(value)
        for value in fit({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}], "items": False})
    ] == [int, type(None)]
    for value in each({"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 1, "uniqueItems": True}):
        assert len(value) == len(set(value))


def test_formats_are_kept() -> None:
    for value in each({"type": "string", "format": "date-time"}):
        assert datetime.fromisoformat(value).tzinfo is not None
    for value in each({"type": "string", "format": "uuid"}):
        assert uuid.UUID(value).version == 4
    assert all("@" in value for value in each({"type": "string", "format": "email"}))
    assert all(value.startswith("https://") for value in each({"type": "string", "format": "uri"}))
    assert all(isinstance(value, str) for value in each({"type": "string", "format": "unheard-of"}))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "pattern"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "bounds"),
        ({"type": "number", "minimum": 5, "maximum": 4}, "bounds"),
        ({"type": "integer", "minimum": 11, "maximum": 14, "multipleOf": 5}, "bounds"),
        ({"$ref": "#/$defs/missing"}, "does not have"),
        ({"$ref": "#"}, "circles"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "false"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "circles"),
        ({"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True}, "different"),
        ({"type": "array", "minItems": 10**9}, "more than 2,000 values"),
        ({"type": "string", "minLength": 10**9}, "more than 20,000 characters"),
        ({"type": "array", "minItems": 50, "items": {"type": "array", "minItems": 50}}, "more than 2,000 values"),
        ({"type": "object", "properties": 7}, "not as JSON Schema wants it"),
        ({"type": "integer", "minimum": "low"}, "not as JSON Schema wants it"),
        ({"enum": {"a": 1}}, "not as JSON Schema wants it"),
        ({"$ref": 7}, "not as JSON Schema wants it"),
    ],
)
def test_what_nothing_fits_is_said(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotFit, match=words):
        fit(schema)


@given(st.dictionaries(st.sampled_from(KEYWORDS), JSON, max_size=5))
def test_nonsense_is_refused_and_hurts_nobody(schema: dict[str, Any]) -> None:
    assert is_strict(schema) in (True, False)
    assert closed(schema) is None or isinstance(closed(schema), dict)
    with contextlib.suppress(CannotFit):
        json.dumps(fit(schema))
