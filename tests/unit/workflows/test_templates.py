"""Templates are cut once, into text and placeholders with their paths; an argument keeps the type of a single value."""

import itertools
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulse.core.templates import argument, cut, single_placeholder


def hole(name: str, *path: str) -> dict[str, Any]:
    return {"name": name, "path": list(path)}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("{{user.id}}", [hole("user.id", "user", "id")]),
        ("Hello {{ user.name }}!", ["Hello ", hole("user.name", "user", "name"), "!"]),
        ("{{a}}{{b}}", [hole("a", "a"), hole("b", "b")]),
        ("{{items[0].name}}", [hole("items[0].name", "items", "0", "name")]),
        ("{{items.0.name}}", [hole("items.0.name", "items", "0", "name")]),
        ("{{\n  spread\n}}", [hole("spread", "spread")]),
        ("{{{a}}}", ["{", hole("a", "a"), "}"]),
        ("{ {a} }", ["{ {a} }"]),
        ("{{a", ["{{a"]),
        ("a}}", ["a}}"]),
        ("{{}}", ["{{}}"]),
        ("a{{ }}b", ["a{{ }}b"]),
        ("{{a{b}}", ["{{a{b}}"]),
        ("{{#if x}}", [hole("#if x", "#if x")]),
        ("{{message.content}}", [hole("message.content", "message", "content")]),
    ],
)
def test_templates_are_cut(text: str, parts: list[Any]) -> None:
    assert cut(text) == parts


def test_one_placeholder_alone_is_its_path() -> None:
    assert single_placeholder(" {{a}}") is None
    assert single_placeholder("{{a}}{{b}}") is None
    assert single_placeholder("a") is None
    assert single_placeholder("{{ a.b[1] }}") == ["a", "b", "1"]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("{{user.id}}", {"path": ["user", "id"]}),
        ("no. {{user.id}}", {"parts": ["no. ", hole("user.id", "user", "id")]}),
        ("{{a}}{{b}}", {"parts": [hole("a", "a"), hole("b", "b")]}),
        ("plain", {"literal": "plain"}),
        ("", {"literal": ""}),
        ("{{", {"literal": "{{"}),
        (3, {"literal": 3}),
        (2.5, {"literal": 2.5}),
        (False, {"literal": False}),
        (None, {"literal": None}),
        ([1, "{{a}}"], {"literal": [1, "{{a}}"]}),
        ({"a": "{{a}}"}, {"literal": {"a": "{{a}}"}}),
    ],
)
def test_an_argument_has_one_of_three_forms(value: Any, form: dict[str, Any]) -> None:
    assert argument("order", value) == {"name": "order", **form}


PIECES = st.lists(
    st.sampled_from(["{{", "}}", "{", "}", " ", "\n", "a", "a.b", "[0]", ".", "é", "{{a}}", "{{ x.y[2] }}"]),
    max_size=12,
).map("".join)


@given(st.text() | PIECES)
@example("{{ }}")
@example("{{a.}} {{.a}} {{[0]}}")
def test_text_and_placeholders_put_together_are_the_template(text: str) -> None:
    parts = cut(text)
    # What a placeholder was cut from, with the blanks that may stand around its name.
    pattern = "".join(
        re.escape(part) if isinstance(part, str) else r"\{\{\s*" + re.escape(part["name"]) + r"\s*\}\}"
        for part in parts
    )
    assert re.fullmatch(pattern, text) is not None
    assert all(part != "" for part in parts)
    for one, other in itertools.pairwise(parts):
        assert not (isinstance(one, str) and isinstance(other, str)), "text that belongs together is one part"
    assert all(part["path"] for part in parts if not isinstance(part, str))


@given(st.text() | PIECES)
def test_an_argument_never_raises_and_keeps_plain_text(text: str) -> None:
    bound = argument("x", text)
    assert len(bound) == 2
    if "literal" in bound:
        assert bound["literal"] == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("filling", [" ", "a ", "{", "{{ ", " {"])
def test_a_hostile_template_is_cut_in_no_time(filling: str) -> None:
    assert cut("{{" + filling * 20_000) == ["{{" + filling * 20_000]
