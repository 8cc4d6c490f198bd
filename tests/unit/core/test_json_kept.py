"""What `parse` keeps: everything within the limits, as it was; and `one_line` keeps it too."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.errors import InvalidJson
from pulse.core.json import one_line, parse

characters = st.characters(exclude_characters="\0", codec="utf-8")
texts = st.text(characters, max_size=20)
numbers = st.integers(-(2**1023), 2**1023) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
spaces = st.text(" \t\r\n", max_size=3)


@given(values, st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
def test_what_json_writes_is_read_as_it_was(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False).encode()
    read = parse(raw)
    assert read == value
    assert json.dumps(read) == json.dumps(value)


@given(values, st.sampled_from(["\n", "\r\n", "\t", "\r", " \n\t"]))
def test_one_line_keeps_the_value_and_has_no_line_breaks(value: Any, indent: str) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    flat = one_line(raw)
    assert parse(flat) == parse(raw)
    assert not set(b"\r\n\t") & set(flat)
    assert len(flat) == len(raw)


@given(texts)
def test_escapes_that_only_look_suspicious_are_kept(text: str) -> None:
    for suspicious in (r"\u0000", r"\ud800", "\\", "\U0001f600", "\x7f"):
        assert parse(json.dumps(text + suspicious + text).encode()) == text + suspicious + text


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse(b'{"\\ud83d\\ude00": "\\uD83D\\uDE00"}') == {"\U0001f600": "\U0001f600"}


def test_integers_keep_all_their_digits() -> None:
    assert parse(b"9007199254740993") == 9007199254740993


def test_limits_may_be_set() -> None:
    assert parse(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(InvalidJson, match="more than 1 levels"):
        parse(b"[[1]]", max_depth=1)
    with pytest.raises(InvalidJson, match="more than 1 names"):
        parse(b'{"a":{"b":1}}', max_keys=1)


def test_names_of_pythons_own_are_plain_names() -> None:
    raw = b'{"__proto__": {"__class__": 1}, "constructor": null, "": 0}'
    assert parse(raw) == {"__proto__": {"__class__": 1}, "constructor": None, "": 0}


def test_order_of_names_is_kept() -> None:
    assert list(parse(b'{"b":1,"a":2,"c":3}')) == ["b", "a", "c"]
