"""JSON Schema (2020-12), the part of it that describes answers: checked when it is saved, applied to responses.

Taken are `type`, `enum`, `const`; `properties`, `required`, `additionalProperties`, `minProperties`, `maxProperties`;
`items`, `prefixItems`, `contains`, `minItems`, `maxItems`, `uniqueItems`; `minLength`, `maxLength`, `pattern` (see
parsing.py); `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf`; `allOf`, `anyOf`, `oneOf`,
`not`; and `$ref` to `#/$defs/…` (or `#/definitions/…`, or `#`). Words that describe only are passed over: `title`,
`description`, `default`, `examples`, `format`, `deprecated`, `$schema`, `$id`, `$comment`. Any other keyword is a
fault, since a rule that is not applied would let everything pass.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulse.core.errors import Fault
from pulse.prompts.templates.assertions.automaton import Pattern
from pulse.prompts.templates.assertions.parsing import InvalidPattern

MAX_DEPTH = 32
MAX_FAULTS = 20
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SAID_ONLY = frozenset(
    ("title", "description", "default", "examples", "format", "deprecated", "$schema", "$id", "$comment")
)
_COUNTS = (
    *("minProperties", "maxProperties", "minItems", "maxItems"),
    *("minLength", "maxLength"),
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "contains", "not")
_NAMED = ("properties", "$defs", "definitions")
_OTHERS = ("type", "enum", "const", "required", "uniqueItems", "pattern", "$ref")
_KNOWN = frozenset((*_SAID_ONLY, *_COUNTS, *_BOUNDS, *_LISTS, *_SINGLE, *_NAMED, *_OTHERS))


def schema_faults(schema: Any, path: str = "schema") -> list[Fault]:
    """What is wrong with a schema, at most MAX_FAULTS of it."""
    found = _SchemaReader(schema).faults(schema, path, 0)
    return [fault for fault, _ in zip(found, range(MAX_FAULTS), strict=False)]


class _SchemaReader:
    """Reads a schema for its faults."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def faults(self, schema: Any, path: str, depth: int) -> Iterator[Fault]:
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            yield Fault(path, "not_a_schema", "A schema is an object, or true or false.")
            return
        if depth > MAX_DEPTH:
            yield Fault(path, "too_deep", f"A schema is nested at most {MAX_DEPTH} levels deep.")
            return
        for key in sorted(schema.keys() - _KNOWN):
            yield Fault(f"{path}.{key}", "unknown_keyword", f"The keyword {key!r} is not applied here: leave it out.")
        yield from self._value_faults(schema, path)
        for where, inner in _inner_schemas(schema, path):
            yield from self.faults(inner, where, depth + 1)

    def _value_faults(self, schema: Mapping[str, Any], path: str) -> Iterator[Fault]:
        for key, words, good in _SHAPES:
            if key in schema and not good(schema[key]):
                yield Fault(f"{path}.{key}", "invalid_keyword", f"{key} is {words}.")
        if isinstance(schema.get("pattern"), str):
            yield from _pattern_faults(schema["pattern"], f"{path}.pattern")
        reference = schema.get("$ref")
        if isinstance(reference, str) and referred(self._root, reference) is None:
            yield Fault(f"{path}.$ref", "unknown_reference", f"There is nothing at {reference!r} in this schema.")


def _pattern_faults(pattern: str, path: str) -> Iterator[Fault]:
    try:
        Pattern(pattern)
    except InvalidPattern as error:
        yield Fault(path, error.code, error.message)


def _inner_schemas(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key in _SINGLE:
        if key in schema:
            yield f"{path}.{key}", schema[key]
    for key in _LISTS:
        parts = schema.get(key)
        if isinstance(parts, list):
            yield from ((f"{path}.{key}.{at}", part) for at, part in enumerate(parts))
    for key in _NAMED:
        parts = schema.get(key)
        if isinstance(parts, Mapping):
            yield from ((f"{path}.{key}.{name}", part) for name, part in parts.items())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(name in TYPES for name in names)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


# A keyword, what its value is, and whether one is that.
_SHAPES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("type", f"one or several of {', '.join(TYPES)}", _is_type),
    ("enum", "a list of values", lambda value: isinstance(value, list) and bool(value)),
    ("required", "a list of names", _are_names),
    ("uniqueItems", "true or false", lambda value: isinstance(value, bool)),
    ("pattern", "a regular expression, as text", lambda value: isinstance(value, str)),
    ("$ref", "text such as #/$defs/name", lambda value: isinstance(value, str)),
    *((key, "a whole number from 0", _is_count) for key in _COUNTS),
    *((key, "a number", is_number) for key in _BOUNDS[:-1]),
    ("multipleOf", "a number above 0", lambda value: is_number(value) and value > 0),
    *((key, "a list of schemas", lambda value: isinstance(value, list) and bool(value)) for key in _LISTS),
    *((key, "an object of schemas", lambda value: isinstance(value, Mapping)) for key in _NAMED),
)


def referred(root: Any, reference: str) -> Any:
    """What a reference names, or None."""
    if reference == "#":
        return root
    start, _, name = reference.rpartition("/")
    group = {"#/$defs": "$defs", "#/definitions": "definitions"}.get(start)
    parts = root.get(group) if isinstance(root, Mapping) and group else None
    return parts.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(parts, Mapping) else None
