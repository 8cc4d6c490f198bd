"""The operations of the API, read from its OpenAPI document as it is when the tests run, with a valid body for each.

Ids and names in paths and bodies are *places*: `<workflow>` stands for the id of whichever organization is meant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.integration.console.matrix.tables import BODIES, BY_NAME, NO_IDS, PARAMETERS, QUERIES

Json = dict[str, Any]
METHODS = {"get", "post", "put", "patch", "delete"}
PLACE = re.compile(r"<[a-z_]+>")


@dataclass(frozen=True, eq=False)
class Operation:
    """One method of one path. `parts` says by name what stands in the path; `query` and `body` may hold places."""

    method: str
    path: str
    permission: str
    parts: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    body: Any
    schema: Json | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of ids in the path, the last one being what the operation is about."""
        return tuple(place.strip("<>") for _, place in self.parts if PLACE.fullmatch(place))


def operations(document: Json) -> list[Operation]:
    """All of them, in order. Raises AssertionError, with what to do, for one that the tables do not know."""
    schemas = document["components"]["schemas"]
    return [
        _operation(method.upper(), path, methods[method], schemas)
        for path, methods in sorted(document["paths"].items())
        for method in sorted(METHODS & methods.keys())
    ]


def _operation(method: str, path: str, described: Json, schemas: Json) -> Operation:
    names = re.findall(r"{([a-z_]+)}", path)
    unknown = [name for name in names if name not in PARAMETERS and (path, name) not in PARAMETERS]
    assert not unknown, f"{path}: say in matrix/tables.py (PARAMETERS) what {unknown} stands for"
    parts = tuple((name, PARAMETERS.get((path, name)) or PARAMETERS[name]) for name in names)
    schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    body = None if schema is None else body_of(f"{method} {path}", schema, schemas)
    query = tuple(QUERIES.get(path, {}).items()) if method == "GET" else ()
    return Operation(method, path, described["x-permission"], parts, query, body, schema)


def body_of(operation: str, schema: Json, schemas: Json) -> Any:
    """A valid body: what the schema needs, the ids that it may hold, and what the table says besides."""
    built = _value("", schema, schemas)
    return {**built, **BODIES.get(operation, {})}


def _value(name: str, schema: Json, schemas: Json) -> Any:
    if name in BY_NAME:
        return BY_NAME[name]
    if "$ref" in schema:
        return _value(name, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return _value(name, schema["anyOf"][0], schemas)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        needed, known = set(schema.get("required", ())), schema.get("properties", {})
        return {each: _value(each, known[each], schemas) for each in known if each in needed or _is_id(each)}
    if kind == "array":
        return [_value("", schema["items"], schemas)] if schema.get("minItems") else []
    return {"string": "<name>", "integer": int(schema.get("minimum", 1)), "number": 1, "boolean": False}[kind]


def _is_id(name: str) -> bool:
    return (name.endswith(("Id", "Ids")) or name in BY_NAME) and name not in NO_IDS


def unknown_ids(document: Json) -> list[str]:
    """The fields of bodies that look like ids, and of which the tables do not say whose they are."""
    schemas = document["components"]["schemas"].items()
    fields = [(name, field) for name, schema in schemas for field in schema.get("properties", {})]
    known = BY_NAME.keys() | NO_IDS
    return [f"{name}.{field}" for name, field in fields if field.endswith(("Id", "Ids")) and field not in known]


def places(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where in a body there is a place, and of which kind."""
    if isinstance(value, str) and PLACE.fullmatch(value):
        yield path, value.strip("<>")
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, f"{path}.{name}".lstrip("."))
    if isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, f"{path}.{at}".lstrip("."))
