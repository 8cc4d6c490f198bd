"""A value that fits a JSON Schema, the same for the same seed. It is what `mock` answers with.

It knows what schemas of answers are made of: types, `properties`, `required`, `items`, `prefixItems`, `enum`, `const`,
bounds of numbers, strings and arrays, common formats, `anyOf`, `oneOf`, `allOf`, and references within the schema.
"""

import hashlib
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

MAX_DEPTH = 12
MAX_VALUES = 2_000
MAX_CHARS = 20_000
NAMES = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper")


class CannotFit(ValueError):
    """No value can be made for that schema."""


class Fitting:
    """Makes values for one schema; `seed` decides between what fits."""

    def __init__(self, schema: Mapping[str, Any], seed: str) -> None:
        self._root = schema
        self._seed = seed
        self._left = MAX_VALUES

    def value(self) -> Any:
        """A value. Raises CannotFit."""
        try:
            return self._made(self._root, "$", 0)
        except (TypeError, AttributeError, ArithmeticError, LookupError):
            raise CannotFit("The schema is not as JSON Schema wants it.") from None

    def _made(self, schema: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CannotFit(f"The schema goes round in circles, or is nested more than {MAX_DEPTH} levels deep.")
        self._left -= 1
        if self._left < 0:
            raise CannotFit(f"The schema asks for more than {MAX_VALUES:,} values.")
        if schema is False:
            raise CannotFit(f"Nothing fits the schema at {path}: it is false.")
        schema = self._resolved(schema if isinstance(schema, Mapping) else {}, path, depth)
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        for name in ("enum", "examples"):
            if schema.get(name):
                return self._chosen(schema[name], path)
        return self._of_type(schema, path, depth)

    def _of_type(self, schema: Mapping[str, Any], path: str, depth: int) -> Any:
        match _type_of(schema):
            case "object":
                return self._object(schema, path, depth)
            case "array":
                return self._array(schema, path, depth)
            case "number" | "integer" as kind:
                return self._number(schema, path, whole=kind == "integer")
            case "boolean":
                return self._digest(path) % 2 == 0
            case "null":
                return None
            case _:
                return self._string(schema, path)

    def _resolved(self, schema: Mapping[str, Any], path: str, depth: int) -> Mapping[str, Any]:
        """The schema with what it refers to, and with one of its alternatives."""
        if depth > MAX_DEPTH:
            raise CannotFit("The references of the schema go round in circles.")
        parts = []
        if "$ref" in schema:
            parts.append(self._referred(schema["$ref"]))
        parts += schema.get("allOf", ())
        parts += [self._chosen(schema[name], path) for name in ("anyOf", "oneOf") if schema.get(name)]
        if not parts:
            return schema
        own = {name: value for name, value in schema.items() if name not in ("$ref", "allOf", "anyOf", "oneOf")}
        for part in parts:
            own = _merged(own, self._resolved(part, path, depth + 1))
        return own

    def _referred(self, reference: str) -> Mapping[str, Any]:
        """What `#/$defs/name` stands for (RFC 6901)."""
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise CannotFit(f"The schema refers to {reference!r}, which it does not have.")
            found = found[name]
        return found if isinstance(found, Mapping) else {}

    def _object(self, schema: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = [name for name in schema.get("required", ()) if name not in properties]
        wanted = {**properties, **dict.fromkeys(required, schema.get("additionalProperties", {}))}
        # An optional property that refers back to its owner is left out below the first levels.
        kept = {n: part for n, part in wanted.items() if n in schema.get("required", ()) or depth < MAX_DEPTH // 3}
        return {name: self._made(part, f"{path}.{name}", depth + 1) for name, part in kept.items()}

    def _array(self, schema: Mapping[str, Any], path: str, depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", ())
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        if least > MAX_VALUES:
            raise CannotFit(f"The schema asks for more than {MAX_VALUES:,} values.")
        wanted = max(least, 0 if depth >= MAX_DEPTH // 3 else 1 + self._digest(path) % 3, len(prefix))
        if schema.get("items") is False:
            wanted = len(prefix)
        parts = [*prefix, *[schema.get("items", {})] * wanted][: int(min(wanted, most))]
        made = [self._made(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(parts)]
        return made if not schema.get("uniqueItems") else _distinct(made, least, path)

    def _number(self, schema: Mapping[str, Any], path: str, *, whole: bool) -> float:
        low, high = _bounds(schema, whole=whole)
        step = schema.get("multipleOf") or (1 if whole else None)
        if step:
            first, last = math.ceil(low / step), math.floor(high / step)
            if first > last:
                raise CannotFit(f"No number fits the bounds at {path}.")
            number = (first + self._digest(path) % (last - first + 1)) * step
            return int(number) if whole else number
        if low > high:
            raise CannotFit(f"No number fits the bounds at {path}.")
        return round(low + (high - low) * (1 + self._digest(path) % 98) / 100, 6)

    def _string(self, schema: Mapping[str, Any], path: str) -> str:
        if "pattern" in schema:
            raise CannotFit(f"No text is made for the pattern at {path}: give an example, or an enum.")
        if (made := self._formatted(schema.get("format"), path)) is not None:
            return made
        word: str = self._chosen(NAMES, path)
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if least > MAX_CHARS:
            raise CannotFit(f"The schema asks for a text of more than {MAX_CHARS:,} characters.")
        text = word if len(word) >= least else (word * (least // len(word) + 1))[:least]
        return text if most is None else text[:most]

    def _formatted(self, kind: str | None, path: str) -> str | None:
        number, word = self._digest(path), self._chosen(NAMES, path)
        day = f"2026-{1 + number % 12:02}-{1 + number % 28:02}"
        time = f"{number % 24:02}:{number % 60:02}:00Z"
        made = {
            "date-time": f"{day}T{time}",
            "date": day,
            "time": time,
            "duration": f"PT{1 + number % 59}M",
            "email": f"{word}@example.com",
            "hostname": f"{word}.example.com",
            "ipv4": f"192.0.2.{number % 255}",
            "ipv6": f"2001:db8::{number % 9999}",
            "uri": f"https://example.com/{word}",
            "url": f"https://example.com/{word}",
            "uuid": str(uuid.UUID(int=number % (1 << 128), version=4)),
        }
        return made.get(kind or "")

    def _chosen(self, choices: Sequence[Any], path: str) -> Any:
        return choices[self._digest(path) % len(choices)]

    def _digest(self, path: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self._seed}\n{path}".encode(errors="surrogatepass")).digest(), "big")


def _type_of(schema: Mapping[str, Any]) -> str:
    """The type that is asked for; of several the first that says something; without one, what the keywords imply."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next((one for one in kind if one != "null"), "null"))
    if kind is not None:
        return str(kind)
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _distinct(values: list[Any], least: int, path: str) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if value not in kept:
            kept.append(value)
    if len(kept) < least:
        raise CannotFit(f"Not as many different items are made as {path} wants.")
    return kept


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**one, **other}
    for name, both in (("properties", dict), ("required", list)):
        if name in one and name in other:
            merged[name] = {**one[name], **other[name]} if both is dict else [*one[name], *other[name]]
    return merged


def _bounds(schema: Mapping[str, Any], *, whole: bool) -> tuple[float, float]:
    """The least and the most, a hundred apart where one is open."""
    gap = 1 if whole else 1e-6
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    if "exclusiveMinimum" in schema:
        lows.append(schema["exclusiveMinimum"] + gap)
    if "exclusiveMaximum" in schema:
        highs.append(schema["exclusiveMaximum"] - gap)
    if lows:
        return max(lows), min(highs, default=max(lows) + 100)
    return (min(highs) - 100 if highs and min(highs) < 0 else 0), min(highs, default=100)
