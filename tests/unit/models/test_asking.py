"""What becomes of a prompt: what the model does not take is folded in, schemas are made to fit what providers take."""

import json
from typing import Any

import pytest

from pulse.models.port import Image, ModelFailed, Prompt
from pulse.models.wire.asking import (
    base64_of,
    closed,
    data_url,
    images_of,
    is_strict,
    path_part,
    schema_of,
    system_of,
    temperature_of,
    text_of,
)

TICKET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "priority": {"enum": ["low", "high"]},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 5},
        "owner": {"$ref": "#/$defs/person"},
    },
    "required": ["priority"],
    "$defs": {"person": {"type": "object", "description": "Who has it.", "properties": {"age": {"minimum": 18}}}},
}


def prompt(**changes: Any) -> Prompt:
    return Prompt("m", "Sort this ticket.", **changes)


def test_what_the_model_takes_is_sent_as_such() -> None:
    full = prompt(system="You sort.", temperature=0.2, schema=TICKET, images=[Image(url="https://example.com/a.png")])
    assert (system_of(full), temperature_of(full), schema_of(full)) == ("You sort.", 0.2, TICKET)
    assert len(images_of(full)) == 1
    assert text_of(full, schema_sent=True) == "Sort this ticket."


def test_what_it_does_not_take_is_folded_in_or_left_out() -> None:
    bare = prompt(system="You sort.", temperature=0.2, schema=TICKET, images=[Image(data=b"x")], takes=frozenset())
    assert (system_of(bare), temperature_of(bare), schema_of(bare), images_of(bare)) == (None, None, None, ())
    system, text, told = text_of(bare, schema_sent=False).split("\n\n")
    assert (system, text) == ("You sort.", "Sort this ticket.")
    assert json.loads(told.partition("\n")[2]) == TICKET


def test_what_is_not_said_is_not_sent() -> None:
    assert (system_of(prompt()), temperature_of(prompt()), schema_of(prompt())) == (None, None, None)
    assert system_of(prompt(system="")) is None
    assert text_of(prompt(), schema_sent=False) == "Sort this ticket."


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ModelFailed, match="no character") as caught:
        text_of(Prompt("m", "a \ud83d b"), schema_sent=True)
    assert caught.value.reason == "invalid_request"


def test_a_temperature_is_kept_within_the_providers_scale() -> None:
    assert temperature_of(prompt(temperature=1.7), most=1.0) == 1.0
    assert temperature_of(prompt(temperature=0.0), most=1.0) == 0.0


@pytest.mark.parametrize("schema", [{"type": "array"}, {"type": "string"}, {"anyOf": [{"type": "object"}]}, {}])
def test_a_schema_that_is_not_of_an_object_is_told_in_words(schema: dict[str, Any]) -> None:
    assert schema_of(prompt(schema=schema)) is None
    assert schema_of(prompt(schema=schema), of_objects=False) == schema
    assert json.dumps(schema) in text_of(prompt(schema=schema), schema_sent=False)


def test_an_image_is_an_address_or_bytes() -> None:
    assert data_url(Image(url="https://example.com/a.png")) == "https://example.com/a.png"
    assert data_url(Image(data=b"\x89PNG", media_type="image/png")) == "data:image/png;base64,iVBORw=="
    assert base64_of(Image(url="https://example.com/a.png", data=b"a"), "X") == "YQ=="


@pytest.mark.parametrize("image", [Image(), Image(url="")])
def test_an_image_that_is_neither_is_refused(image: Image) -> None:
    with pytest.raises(ModelFailed, match="neither a URL nor bytes") as caught:
        data_url(image)
    assert caught.value.reason == "invalid_request"
    with pytest.raises(ModelFailed, match="neither a URL nor bytes"):
        base64_of(image, "X")


def test_a_provider_that_fetches_nothing_wants_bytes() -> None:
    with pytest.raises(ModelFailed, match=r"Google takes images as bytes only.*fetch it first") as caught:
        base64_of(Image(url="https://example.com/a.png"), "Google")
    assert caught.value.reason == "invalid_request"


@pytest.mark.parametrize("name", ["../../admin", "a/b?c=d#e", "ü %"])
def test_a_name_is_one_part_of_a_path(name: str) -> None:
    assert not set(path_part(name)) & set("/?# ")


# ---- schemas -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "string"}, True),
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "required": [], "additionalProperties": False}, False),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, False),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": True}, False),
        ({"type": ["object", "null"], "properties": {"a": {}}}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
        ({"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {}}}]}, False),
        ({"$defs": {"a": {"type": "object"}}}, False),
        (TICKET, False),
    ],
)
def test_a_schema_is_strict_if_every_object_is_closed_and_complete(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


def test_a_schema_is_closed_and_what_is_not_checked_is_said() -> None:
    made = closed(TICKET)
    assert made == {
        "type": "object",
        "properties": {
            "priority": {"enum": ["low", "high"]},
            "tags": {
                "type": "array",
                "items": {"type": "string", "description": "(minLength: 2)"},
                "description": "(maxItems: 5)",
            },
            "owner": {"$ref": "#/$defs/person"},
        },
        "required": ["priority"],
        "$defs": {
            "person": {
                "type": "object",
                "description": "Who has it.",
                "properties": {"age": {"description": "(minimum: 18)"}},
                "additionalProperties": False,
            }
        },
        "additionalProperties": False,
    }
    assert "additionalProperties" not in TICKET
    assert closed(made) == made


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"type": "object", "properties": {"minimum": {"type": "number"}, "items": {"type": "string"}}}
    assert closed(schema) == {**schema, "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
        {"type": "array", "items": {"type": "object"}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "object"}]}}},
    ],
)
def test_a_schema_with_an_open_object_cannot_be_closed(schema: dict[str, Any]) -> None:
    assert closed(schema) is None
