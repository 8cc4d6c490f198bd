"""What `parse` refuses: whatever two readers would read differently, or that would hurt one of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.errors import InvalidJson
from pulse.core.json import MAX_DEPTH, MAX_KEYS, parse


def refused(raw: bytes) -> InvalidJson:
    with pytest.raises(InvalidJson) as caught:
        parse(raw)
    assert caught.value.__cause__ is None
    json.dumps([caught.value.message, caught.value.details], ensure_ascii=False).encode()
    return caught.value


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("around", ["%s", "[%s]", '{"a": %s}', '{"a": [1, {"b": %s}]}'])
def test_constants_that_are_not_json(name: str, around: str) -> None:
    assert name in refused((around % name).encode()).message


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":1}', b'{"a":1,"b":2,"a":3}', b'[{"x":{"a":null,"a":0}}]', b'{"a":1,"\\u0061":2}']
)
def test_a_name_that_comes_twice(raw: bytes) -> None:
    error = refused(raw)
    assert error.details["key"] == "a"
    assert "'a'" in error.message


@pytest.mark.parametrize("name", [b"\\ud800", b"\\u0000", b"x" * 5_000])
def test_a_repeated_name_is_told_harmlessly(name: bytes) -> None:
    key = refused(b'{"%s":1,"%s":2}' % (name, name)).details["key"]
    assert key.isprintable()
    assert len(key) <= 100


def test_the_same_name_in_two_objects_is_no_repetition() -> None:
    assert parse(b'[{"a":1},{"a":{"a":2}}]') == [{"a": 1}, {"a": {"a": 2}}]


HALVES = ["\\ud800", "\\udfff", "\\uDBFF", "\\uDC00", "\\udc00\\ud800", "\\ud83d\\ud83d\\ude00", "\\ud800x"]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("around", ['"%s"', '{"%s": 1}', '[0, {"a": "b%s"}]', '{"a": {"%s": []}}'])
def test_half_of_a_surrogate_pair(half: str, around: str) -> None:
    assert "surrogate" in refused((around % half).encode()).message


@pytest.mark.parametrize("around", ['"%s"', '"a%sb"', '{"%s": 1}', '{"a": ["%s"]}'])
def test_an_escaped_nul(around: str) -> None:
    assert "NUL" in refused((around % "\\u0000").encode()).message


@pytest.mark.parametrize("raw", [b'"\x00"', b"\x00", b"{}\x00", b'"\x1f"', b'"a\nb"'])
def test_raw_control_characters(raw: bytes) -> None:
    assert "position" in refused(raw).details


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        (b'"\xff"', 1),
        (b'{"a": "\xc3"}', 7),
        (b'"\xed\xa0\x80"', 1),
        (b'"\xc0\x80"', 1),
        (b"\xfe\xff\x00{\x00}", 0),
        (b'"\xf4\x90\x80\x80"', 1),
    ],
)
def test_what_is_not_utf8(raw: bytes, position: int) -> None:
    error = refused(raw)
    assert "UTF-8" in error.message
    assert error.details == {"position": position}


def nested(depth: int, opening: str, closing: str) -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


@pytest.mark.parametrize(("opening", "closing", "steps"), [("[", "]", 1), ('{"a":', "}", 1), ('[{"a":', "}]", 2)])
def test_depth(opening: str, closing: str, steps: int) -> None:
    deepest = nested(MAX_DEPTH // steps, opening, closing)
    parse(deepest)
    for one_more in (b"[%s]" % deepest, b'{"b":%s}' % deepest, deepest.replace(b"1", b"[]"), b"[0, %s]" % deepest):
        assert refused(one_more).details == {"limit": MAX_DEPTH}


@pytest.mark.parametrize("depth", [65, 500, 999, 5_000, 200_000])
def test_depth_that_hurts_a_parser(depth: int) -> None:
    assert refused(b"[" * depth + b"]" * depth).details == {"limit": MAX_DEPTH}
    refused(b"[" * depth)
    refused(b'{"a":' * depth)


def test_brackets_in_strings_and_beside_each_other_are_not_depth() -> None:
    parse(json.dumps(["[{" * 1_000]).encode())
    parse(b"[" + b",".join([b"[]"] * 1_000) + b"]")


def named(count: int) -> bytes:
    return json.dumps({f"k{n}": n for n in range(count)}).encode()


def test_names_are_counted() -> None:
    assert len(parse(named(MAX_KEYS))) == MAX_KEYS
    assert refused(named(MAX_KEYS + 1)).details == {"limit": MAX_KEYS}


def test_names_are_counted_over_all_objects() -> None:
    many = b"[" + b",".join([b'{"a":1}'] * MAX_KEYS)
    parse(many + b"]")
    assert refused(many + b',{"a":1}]').details == {"limit": MAX_KEYS}
    parse(many + b"]")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1E+400", "1.0e309", "1.8e308", "9" * 400, "2" + "0" * 308])
@pytest.mark.parametrize("around", ["%s", '{"a": [%s, 1]}'])
def test_numbers_that_are_infinite_as_doubles(number: str, around: str) -> None:
    assert "too large for a double" in refused((around % number).encode()).message


def test_integers_with_very_many_digits() -> None:
    assert "digits" in refused(b"[" + b"1" * 5_000 + b"]").message
    assert "digits" in refused(b"-" + b"1" * 5_000).message


def test_the_largest_doubles_are_numbers() -> None:
    largest = int(1.7976931348623157e308)
    assert parse(str(largest).encode()) == largest
    assert parse(str(-largest).encode()) == -largest
    assert parse(b"1.7976931348623157e308") == float(largest)
    assert parse(b"1e-999") == 0
    assert parse(b'"' + b"9" * 5_000 + b'"') == "9" * 5_000


@pytest.mark.parametrize(
    ("raw", "position", "line", "column"),
    [
        (b"", 0, 1, 1),
        (b"  ", 2, 1, 3),
        (b'{"a": }', 6, 1, 7),
        (b'{\n "a": 1,\n "b" 2}', 16, 3, 6),
        ('{"ä": }'.encode(), 6, 1, 7),
        (b"{} {}", 3, 1, 4),
        (b"{'a': 1}", 1, 1, 2),
        (b"\xef\xbb\xbf{}", 0, 1, 1),
    ],
)
def test_a_fault_of_syntax_is_told_with_its_place(raw: bytes, position: int, line: int, column: int) -> None:
    assert refused(raw).details == {"position": position, "line": line, "column": column}


@pytest.mark.parametrize(
    "raw", [b"01", b"+1", b".5", b"1.", b"0x1", b"1_0", b"tru", b"nul", b"'a'", b'"\\x"', b"[1 2]"]
)
def test_what_only_looks_like_json(raw: bytes) -> None:
    refused(raw)


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0dD89 1eE+-.ntf\n', max_size=60).map(str.encode))
def test_anything_is_either_parsed_or_refused(raw: bytes) -> None:
    try:
        value = parse(raw)
    except InvalidJson as error:
        assert error.message  # noqa: PT017 - both ways are right, a third is not
    else:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
