"""Which signals concern whom: filters, paths, and what a wait asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.engine.rules.matcher import filters_fit, key_at, resolved, value_at, wait_fits
from tests.unit.engine.drawn import VALUES
from tests.unit.engine.made import trigger

PAYLOAD: dict[str, Any] = {
    "order": {"id": 7, "lines": [{"sku": "a"}, {"sku": "b"}]},
    "flag": True,
    "none": None,
    "": {"empty": 1},
}
SIGNAL = trigger(resource_type="order", resource_id="o-1", environment="production", payload=PAYLOAD)


@pytest.mark.parametrize(
    ("environment", "resource_type", "fits"),
    [
        (None, None, True),
        ("production", None, True),
        (None, "order", True),
        ("production", "order", True),
        ("staging", None, False),
        ("production", "invoice", False),
        ("", None, False),
    ],
)
def test_a_filter_lets_through_what_is_equal_and_everything_where_it_is_unset(
    environment: str | None, resource_type: str | None, fits: bool
) -> None:
    assert filters_fit(SIGNAL, environment, resource_type) is fits


def test_a_filter_keeps_out_a_signal_that_does_not_say() -> None:
    assert not filters_fit(trigger(), "production", None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("resource_id", "o-1"),
        ("tenant_id", "acme"),
        ("type", "go"),
        ("payload.order.id", 7),
        ("payload.order.lines.1.sku", "b"),
        ("payload.order.lines[1].sku", "b"),
        ("payload", PAYLOAD),
        ("payload.flag", True),
        ("payload.none", None),
        ("payload.order.missing", None),
        ("payload.order.id.deeper", None),
        ("payload.order.lines.2", None),
        ("payload.order.lines.-1", None),
        ("payload.order.lines.²", None),
        ("payload.order.lines.first", None),
        ("resource_id.deeper", None),
        ("created_at", None),
        ("missing", None),
        ("", None),
        ("context.quote.id", 3),
        ("context.other", None),
    ],
)
def test_a_path_leads_into_the_signal_or_the_context(path: str, value: object) -> None:
    assert value_at(SIGNAL, path, {"quote": {"id": 3}}) == value


def test_without_a_context_its_paths_lead_nowhere() -> None:
    assert value_at(SIGNAL, "context.quote.id") is None


def test_texts_that_begin_with_a_dollar_and_a_dot_are_paths_wherever_they_stand() -> None:
    template = {"id": "$.payload.order.id", "lines": ["$.context.quote", "x"], "price": "$5", "$.key": {"n": 1}}
    assert resolved(template, SIGNAL, {"quote": {"id": 3}}) == {
        "id": 7,
        "lines": [{"id": 3}, "x"],
        "price": "$5",
        "$.key": {"n": 1},
    }


def test_a_path_that_leads_nowhere_is_none() -> None:
    assert resolved({"a": "$.payload.nothing"}, SIGNAL, {}) == {"a": None}


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"resource_id": "o-1"}, True),
        ({"resource_id": "o-2"}, False),
        ({"resource_id": "o-1", "payload.order.id": 7}, True),
        ({"resource_id": "o-1", "payload.order.id": 8}, False),
        ({"payload.order.id": 7.0}, True),
        ({"payload.order.id": "7"}, False),
        ({"payload.missing": None}, True),
        ({"payload.flag": None}, False),
        ({"payload.order.lines": [{"sku": "a"}, {"sku": "b"}]}, True),
        ({"payload.order.lines": [{"sku": "b"}, {"sku": "a"}]}, False),
        ({"payload.order.lines": [{"sku": "a"}]}, False),
    ],
)
def test_a_wait_fits_where_every_path_has_its_value(match: dict[str, Any], fits: bool) -> None:
    assert wait_fits(SIGNAL, match) is fits


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (True, 1),
        (1, True),
        (False, 0),
        (0.0, False),
        ([True], [1]),
        ({"a": 0}, {"a": False}),
        ({"a": [{"b": True}]}, {"a": [{"b": 1}]}),
        (None, False),
        ([], {}),
        ("", None),
    ],
)
def test_values_are_equal_as_they_are_in_json(seen: object, wanted: object) -> None:
    assert not wait_fits(trigger(payload={"value": seen}), {"payload.value": wanted})
    assert wait_fits(trigger(payload={"value": seen}), {"payload.value": seen})


@given(VALUES)
def test_every_value_is_equal_to_itself(value: object) -> None:
    assert wait_fits(trigger(payload={"value": value}), {"payload.value": value})


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_the_key_of_a_value_does_not_depend_on_the_order_of_names(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))
    assert key_at(trigger(payload={"v": value}), "payload.v") == key_at(trigger(payload={"v": turned}), "payload.v")


def test_different_values_have_different_keys_and_no_value_has_one_too() -> None:
    values = [None, True, 1, "1", "true", "", [], {}, [1], {"a": 1}]
    keys = [key_at(trigger(payload={"v": value}), "payload.v") for value in values]
    assert len(set(keys)) == len(values)
    assert key_at(trigger(), "payload.v") == key_at(trigger(), "resource_id") == "null"
