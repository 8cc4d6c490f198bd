"""The quick way to read a message finds exactly what the careful way finds, and batches are cut up without a loss."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.core.errors import InvalidFields, InvalidJson, PulseError
from pulse.core.json import parse
from pulse.receiver.bodies import parse_quickly
from pulse.receiver.receiver import addressing, split_batch, unwrap

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
PIECES = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"\0", b"\x7f"),
        *(b'"a"', b'"b"', b'"', b'"\\u0000"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\/"', b'"\xc3\xa9"'),
        *(b"1", b"-0", b"01", b"1.0", b"1e999", b"1E5", b"NaN", b"-Infinity", b"true", b"null", b"9" * 400),
        *(b'{"a":1,"a":2}', b"[" * 70, b"18446744073709551616", b"9007199254740993", b"0.1e-7", b"1e400"),
    ]
)


def outcome(read: Any, raw: bytes) -> Any:
    """What is read, in a form in which 1, 1.0 and true differ; or that it is refused."""
    try:
        return repr(read(raw))
    except InvalidJson:
        return InvalidJson


@given(st.lists(PIECES, max_size=12).map(b"".join))
@settings(deadline=None, max_examples=400)
def test_both_ways_agree_on_anything(raw: bytes) -> None:
    assert outcome(parse_quickly, raw) == outcome(parse, raw)


@given(values, st.booleans(), st.sampled_from([None, (",", ":")]))
@settings(deadline=None, max_examples=200)
def test_both_ways_agree_on_json(value: Any, ascii_only: bool, separators: tuple[str, str] | None) -> None:
    try:
        raw = json.dumps({"v": value}, ensure_ascii=ascii_only, separators=separators).encode()
    except UnicodeEncodeError:
        return
    assert outcome(parse_quickly, raw) == outcome(parse, raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"\xff"}',
        b'{"a":1,"a":1}',
        b'{"n":1e999}',
        b'{"n":' + b"9" * 400 + b"}",
        b"[" * 65 + b"]" * 65,
        b'{"a":"\x00"}',
        b"\xff",
        b"",
    ],
)
def test_both_ways_refuse(raw: bytes) -> None:
    for read in (parse, parse_quickly):
        with pytest.raises(InvalidJson):
            read(raw)


items = st.lists(st.dictionaries(st.text(max_size=3), scalars, max_size=3), min_size=1, max_size=6)


@given(items, st.sampled_from(["", " ", "\n\t "]))
@settings(deadline=None, max_examples=150)
def test_an_array_is_cut_where_it_was_joined(messages: list[Any], space: str) -> None:
    texts = [json.dumps(message, ensure_ascii=True).encode() for message in messages]
    gap = space.encode()
    assert split_batch(gap + b"[" + gap + (gap + b"," + gap).join(texts) + gap + b"]" + gap) == texts
    assert split_batch(b"\n".join(texts), lines=True) == texts


@given(
    st.lists(
        st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"a"', b":", b"1", b" ", b'"\\ud800"', b"NaN"]), max_size=9
    )
)
@settings(deadline=None, max_examples=300)
def test_what_is_no_array_is_refused_and_breaks_nothing(pieces: list[bytes]) -> None:
    """Whatever is taken for an array is one for Python too, and has the same items."""
    text = b"[" + b"".join(pieces)
    try:
        found = split_batch(text)
    except PulseError:
        return
    assert [repr(json.loads(item)) for item in found] == [repr(item) for item in json.loads(text)]


def test_what_is_wrong_within_an_item_stays_in_it() -> None:
    assert split_batch(b'[1, "\\ud800" ,{"a":NaN},{"a":1,"a":2}]') == [
        b"1",
        b'"\\ud800"',
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
    ]


@pytest.mark.parametrize(
    "text", [b"[1,]", b"[,1]", b"[1 2]", b'["\\ud800",]', b'["\\ud800"]]', b'["\\ud800"', b"[", b"[]x"]
)
def test_broken_arrays(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        split_batch(text)


def test_wrapping_is_taken_off() -> None:
    value, raw, keys = unwrap(b'{"partitionKey": "p", "message": {"n":1.0}, "idempotencyKey": "k"}')
    assert (value, raw, keys) == ({"n": 1.0}, b'{"n":1.0}', addressing("k", "p"))
    value, raw, keys = unwrap(b'{"message": {"n": 1}, "type": "t"}')
    assert (raw, keys) == (b'{"message": {"n": 1}, "type": "t"}', addressing(None, None))


@pytest.mark.parametrize("key", ["", " " * 256, "a\nb", "\u202e", "\x7f", 7, [], True])
def test_a_key_is_printable_text(key: Any) -> None:
    for keys in ((key, None), (None, key)):
        with pytest.raises(InvalidFields):
            addressing(*keys)
