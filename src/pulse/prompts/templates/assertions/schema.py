"""Applies a schema to a value: what `keywords.py` takes, and every place where the value is not so."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from pulse.core.errors import InvalidInput
from pulse.prompts.templates.assertions.automaton import Effort, Pattern
from pulse.prompts.templates.assertions.keywords import MAX_FAULTS, is_number, referred

MAX_CHECKS = 100_000
NONE: frozenset[int] = frozenset()


class TooManyChecks(InvalidInput):
    """Checking this response against its schema takes too long: make the schema or the response smaller."""

    code = "schema_too_costly"


def disagreements(schema: Any, value: Any) -> list[str]:
    """Where a value is not as the schema says, in words, at most MAX_FAULTS of it; the schema has no faults.

    Raises TooManyChecks, TooMuchWork.
    """
    found = _Checker(schema).check(schema, value, "")
    return [words for words, _ in zip(found, range(MAX_FAULTS), strict=False)]


class _Checker:
    """Applies a schema to a value."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = MAX_CHECKS
        self._effort = Effort()
        self._patterns: dict[str, Pattern] = {}

    def check(self, schema: Any, value: Any, path: str, followed: frozenset[int] = NONE) -> Iterator[str]:
        """`followed`: the schemas whose references have led here, with this same value."""
        self._left -= 1
        if self._left < 0:
            raise TooManyChecks
        if isinstance(schema, bool):
            if not schema:
                yield _said(path, "nothing is allowed here")
            return
        yield from self._follow(schema, value, path, followed)
        yield from _own_faults(schema, value, path)
        if "pattern" in schema and isinstance(value, str) and not self._matches(schema["pattern"], value):
            yield _said(path, "it does not match the pattern")
        yield from self._combined(schema, value, path, followed)
        if isinstance(value, dict):
            yield from self._object(schema, value, path)
        elif isinstance(value, list):
            yield from self._array(schema, value, path)

    def _follow(self, schema: Mapping[str, Any], value: Any, path: str, followed: frozenset[int]) -> Iterator[str]:
        if "$ref" not in schema:
            return
        if id(schema) in followed:
            yield _said(path, "the schema refers to itself here")
            return
        yield from self.check(referred(self._root, schema["$ref"]), value, path, followed | {id(schema)})

    def _matches(self, pattern: str, text: str) -> bool:
        if pattern not in self._patterns:
            self._patterns[pattern] = Pattern(pattern)
        return self._patterns[pattern].is_in(text, self._effort)

    def _fits(self, schema: Any, value: Any, followed: frozenset[int] = NONE) -> bool:
        return next(self.check(schema, value, "", followed), None) is None

    def _combined(self, schema: Mapping[str, Any], value: Any, path: str, followed: frozenset[int]) -> Iterator[str]:
        for part in schema.get("allOf", ()):
            yield from self.check(part, value, path, followed)
        if "anyOf" in schema and not any(self._fits(part, value, followed) for part in schema["anyOf"]):
            yield _said(path, "none of the alternatives (anyOf) fits")
        if "oneOf" in schema:
            fitting = sum(self._fits(part, value, followed) for part in schema["oneOf"])
            if fitting != 1:
                yield _said(path, f"{fitting} of the alternatives (oneOf) fit, not one")
        if "not" in schema and self._fits(schema["not"], value, followed):
            yield _said(path, "it is what it must not be (not)")

    def _object(self, schema: Mapping[str, Any], value: dict[str, Any], path: str) -> Iterator[str]:
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield _said(f"{path}.{name}", "it is missing")
        for name, item in value.items():
            if name in known:
                yield from self.check(known[name], item, f"{path}.{name}")
            elif schema.get("additionalProperties", True) is False:
                yield _said(f"{path}.{name}", "there is no such property")
            elif "additionalProperties" in schema:
                yield from self.check(schema["additionalProperties"], item, f"{path}.{name}")

    def _array(self, schema: Mapping[str, Any], value: list[Any], path: str) -> Iterator[str]:
        first = schema.get("prefixItems", [])
        for at, item in enumerate(value):
            if at < len(first):
                yield from self.check(first[at], item, f"{path}[{at}]")
            elif "items" in schema:
                yield from self.check(schema["items"], item, f"{path}[{at}]")
        if "contains" in schema and not any(self._fits(schema["contains"], item) for item in value):
            yield _said(path, "no item is what one must be (contains)")


def _own_faults(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    """What the keywords say that look at the value alone."""
    if "type" in schema and not _has_type(schema["type"], value):
        wanted = schema["type"] if isinstance(schema["type"], str) else " or ".join(schema["type"])
        yield _said(path, f"it is {_type_of(value)}, not {wanted}")
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield _said(path, "it is none of the values allowed")
    if "const" in schema and not _same(value, schema["const"]):
        yield _said(path, "it is not the one value allowed")
    if isinstance(value, str):
        yield from _counted(schema, len(value), path, ("minLength", "maxLength"), "characters")
    elif isinstance(value, list):
        yield from _counted(schema, len(value), path, ("minItems", "maxItems"), "items")
        if schema.get("uniqueItems") and len({_frozen(item) for item in value}) < len(value):
            yield _said(path, "an item comes twice")
    elif isinstance(value, dict):
        yield from _counted(schema, len(value), path, ("minProperties", "maxProperties"), "properties")
    elif is_number(value):
        yield from _bounded(schema, value, path)


def _counted(schema: Mapping[str, Any], count: int, path: str, keys: tuple[str, str], noun: str) -> Iterator[str]:
    least, most = (schema.get(key) for key in keys)
    if least is not None and count < least:
        yield _said(path, f"it has {count} {noun}, fewer than {least}")
    if most is not None and count > most:
        yield _said(path, f"it has {count} {noun}, more than {most}")


def _bounded(schema: Mapping[str, Any], value: float, path: str) -> Iterator[str]:
    if "minimum" in schema and value < schema["minimum"]:
        yield _said(path, f"it is less than {schema['minimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        yield _said(path, f"it is more than {schema['maximum']}")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield _said(path, f"it is not more than {schema['exclusiveMinimum']}")
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield _said(path, f"it is not less than {schema['exclusiveMaximum']}")
    # As people write them: 0.3 is a multiple of 0.1.
    if "multipleOf" in schema and Fraction(str(value)) % Fraction(str(schema["multipleOf"])):
        yield _said(path, f"it is no multiple of {schema['multipleOf']}")


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "boolean"),
        (str, "string"),
        (dict, "object"),
        (list, "array"),
        (int, "integer"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "number")


def _has_type(wanted: str | list[str], value: Any) -> bool:
    names = {_type_of(value)}
    if "integer" in names or (isinstance(value, float) and value.is_integer()):
        names = {"integer", "number"}
    return not names.isdisjoint([wanted] if isinstance(wanted, str) else wanted)


def _frozen(value: Any) -> Any:
    """The value as something that can be compared and hashed, as JSON sees it: 1 is 1.0, and neither is true."""
    if isinstance(value, dict):
        return "object", frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(_frozen(item) for item in value)
    return isinstance(value, bool), value


def _same(one: Any, other: Any) -> bool:
    return bool(_frozen(one) == _frozen(other))


def _said(path: str, words: str) -> str:
    return f"{path.lstrip('.') or 'the response'}: {words}"
