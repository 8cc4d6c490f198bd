"""Strict JSON for what comes from outside: what Python and V8 would read differently is refused.

RFC 8259 leaves duplicate names, lone surrogates and huge numbers to the reader. A message is stored as bytes and read
by several readers, so each of these is refused at the door, as are NUL characters (PostgreSQL cannot store them) and
documents deep or wide enough to hurt a parser.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from pulse.core.errors import InvalidJson

MAX_DEPTH = 64
MAX_KEYS = 10_000
_SUSPICIOUS_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# An integer of fewer digits than the largest double has is always finite to a reader that has doubles only.
_LONG_INTEGER = b"0" * 309
_DIGITS_TO_ZERO = bytes(48 if chr(byte).isdecimal() and byte < 128 else 32 for byte in range(256))


def parse(raw: bytes, *, max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS) -> Any:
    """The value of a JSON text in UTF-8.

    Raises InvalidJson with `details`: `position` (offset in characters), `line`, `column` for a fault of syntax;
    `key` for a duplicate name. At most `max_depth` nested containers and `max_keys` names in all.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"The body is not UTF-8: byte {error.start} is out of place.",
            position=error.start,
        ) from None
    value = _decode(text, _Objects(max_keys))
    if raw.count(b"{") + raw.count(b"[") > max_depth and _deeper_than(value, max_depth):
        raise InvalidJson(f"The JSON is nested more than {max_depth} levels deep.", limit=max_depth)
    if _SUSPICIOUS_ESCAPE.search(raw):
        _check_strings(value)
    if len(raw) >= len(_LONG_INTEGER) and _LONG_INTEGER in raw.translate(_DIGITS_TO_ZERO):
        _check_integers(value)
    return value


def one_line(raw: bytes) -> bytes:
    """The same JSON text without line breaks: in valid JSON they stand between tokens only."""
    return raw.translate(_BREAKS_TO_SPACES)


_BREAKS_TO_SPACES = bytes.maketrans(b"\r\n\t", b"   ")


class _Objects:
    """Builds objects, counts their names and refuses a name that comes twice."""

    def __init__(self, max_keys: int) -> None:
        self._left = max_keys
        self._max = max_keys

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            key = _first_repeated(pairs)
            raise InvalidJson(
                f"The name {key[:100]!r} stands twice in one JSON object.",
                key=repr(key[:100])[1:-1],
            )
        self._left -= len(pairs)
        if self._left < 0:
            raise InvalidJson(f"The JSON has more than {self._max} names.", limit=self._max)
        return value


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no name is repeated")


def _decode(text: str, objects: _Objects) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=objects,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidJson(
            f"The body is not valid JSON: {error.msg} at {where}.",
            position=error.pos,
            line=error.lineno,
            column=error.colno,
        ) from None
    except RecursionError:
        raise InvalidJson(f"The JSON is nested more than {MAX_DEPTH} levels deep.", limit=MAX_DEPTH) from None
    except ValueError:
        raise InvalidJson("The JSON has a number with too many digits.") from None


def _refuse_constant(name: str) -> Any:
    raise InvalidJson(f"{name} is not JSON: use null, or a number.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJson(f"The number {text[:40]} is too large for a double.")
    return number


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _everything(value: Any) -> Iterator[Any]:
    """The value, all values in it, and all names."""
    pending = [value]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, dict):
            pending.extend(item)
        pending.extend(_children(item))


def _check_strings(value: Any) -> None:
    for item in _everything(value):
        if isinstance(item, str):
            _check_string(item)


def _check_integers(value: Any) -> None:
    for item in _everything(value):
        if isinstance(item, int):
            _check_integer(item)


def _check_integer(number: int) -> None:
    try:
        float(number)
    except OverflowError:
        raise InvalidJson(f"The number {str(number)[:40]} is too large for a double.") from None


def _check_string(text: str) -> None:
    if "\0" in text:
        raise InvalidJson("A string has a NUL character (\\u0000), which cannot be stored.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidJson(
            "A string has half of a surrogate pair (\\ud800-\\udfff alone), which is no character."
        ) from None
