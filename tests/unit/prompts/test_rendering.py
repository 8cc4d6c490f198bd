"""Templates with values: every type as workflows write it, missing ones told, names before paths."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.prompts.templates.rendering import Rendered, render, variables_of

VALUES: dict[str, Any] = {
    "name": "Zoë",
    "customer": {"name": "Ada", "tags": ["a", "b"], "address": {"city": "Ürümqi"}},
    "count": 3,
    "ratio": 2.5,
    "whole": 2.0,
    "big": 1e21,
    "yes": True,
    "nothing": None,
    "empty": "",
    "flat.name": "under its whole name",
    "flat": {"name": "along the path"},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hello {{name}}!", "Hello Zoë!"),
        ("{{ name }}{{name}}", "ZoëZoë"),
        ("{{customer.name}} in {{customer.address.city}}", "Ada in Ürümqi"),
        ("{{customer.tags[1]}}{{customer.tags.0}}", "ba"),
        ("{{customer.tags}}", '["a","b"]'),
        ("{{customer.address}}", '{"city":"Ürümqi"}'),
        ("{{customer.tags.length}} {{name.length}}", "2 3"),
        ("{{count}} {{ratio}} {{whole}} {{yes}}", "3 2.5 2 true"),
        ("{{message.name}} {{message.customer.name}}", "Zoë Ada"),
        ("{{flat.name}}", "under its whole name"),
        ("[{{empty}}]", "[]"),
        ("{ {{{name}}} }", "{ {Zoë} }"),
        ("{{#if name}}", ""),
        ("{{}} {{ }}", "{{}} {{ }}"),
    ],
)
def test_values_are_written_as_workflows_write_them(template: str, text: str) -> None:
    assert render(template, VALUES).text == text


@pytest.mark.parametrize(
    "name", ["none", "nothing", "customer.none", "customer.tags.2", "customer.tags.01", "name.none", "count.x", "a..b"]
)
def test_a_missing_value_is_nothing_and_is_told(name: str) -> None:
    assert render(f"[{{{{{name}}}}}]", VALUES) == Rendered("[]", (name,))


def test_each_missing_name_is_told_once_in_order() -> None:
    assert render("{{b}} {{a}} {{b}} {{name}}", VALUES).missing == ("b", "a")


def test_a_message_of_its_own_wins() -> None:
    assert render("{{message.name}}", {"message": {"name": "own"}, "name": "other"}).text == "own"
    assert render("{{message}}", {"name": "x"}).text == '{"name":"x"}'


def test_variables_are_named_once_in_the_order_of_the_texts() -> None:
    assert variables_of(None, "{{b}} {{a.b[0]}}", "{{a.b[0]}} {{ c }}") == ("b", "a.b[0]", "c")
    assert variables_of("no {placeholders}", "") == ()


@given(st.text(alphabet="{} ab.[]0é\n", max_size=60), st.dictionaries(st.sampled_from("ab"), st.text(max_size=3)))
def test_any_text_renders(template: str, values: dict[str, str]) -> None:
    rendered = render(template, values)
    assert set(rendered.missing) <= set(variables_of(template))
    assert render(template, dict.fromkeys(variables_of(template), "x")).missing == ()
