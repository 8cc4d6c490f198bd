"""As much of JSON Schema (draft 2020-12) as the published schema uses. `5.0` is no integer here, as in `from_json`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
DESCRIBES = {"$schema", "$defs", "title", "description"}


def refusals(schema: dict[str, Any], value: object) -> list[str]:
    """Why the schema refuses the value, each with its path; an empty list where it accepts it."""
    return list(_refusals(schema, schema, value, ""))


def _refusals(root: dict[str, Any], schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    for keyword, said in schema.items():
        match keyword:
            case "$ref":
                yield from _refusals(root, _pointed(root, said), value, path)
            case "type":
                if not _is_of(value, said):
                    yield f"{path}: no {said}"
            case "const" | "enum":
                if not any(_same(value, each) for each in ([said] if keyword == "const" else said)):
                    yield f"{path}: not {said}"
            case "anyOf" | "oneOf":
                fitting = sum(not any(_refusals(root, each, value, path)) for each in said)
                if fitting == 0 or (keyword == "oneOf" and fitting > 1):
                    yield f"{path}: fits {fitting} of {keyword}"
            case "required" | "properties" | "additionalProperties":
                if isinstance(value, dict):
                    yield from _of_object(root, schema, keyword, value, path)
            case "items":
                for index, each in enumerate(value if isinstance(value, list) else ()):
                    yield from _refusals(root, said, each, f"{path}.{index}")
            case "format":
                if isinstance(value, str) and not _is_moment(value):
                    yield f"{path}: no {said}"
            case _:
                assert keyword in DESCRIBES, f"this reader does not know {keyword}"


def _of_object(
    root: dict[str, Any], schema: dict[str, Any], keyword: str, value: dict[str, Any], path: str
) -> Iterator[str]:
    known = schema.get("properties", {})
    match keyword:
        case "required":
            yield from (f"{path}.{name}: missing" for name in schema["required"] if name not in value)
        case "properties":
            for name in value.keys() & known.keys():
                yield from _refusals(root, known[name], value[name], f"{path}.{name}")
        case _:
            assert schema["additionalProperties"] is False
            yield from (f"{path}.{name}: unknown" for name in value.keys() - known.keys())


def _pointed(root: dict[str, Any], reference: str) -> dict[str, Any]:
    here: Any = root
    for name in reference.removeprefix("#/").split("/"):
        here = here[name]
    assert isinstance(here, dict)
    return here


def _is_of(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _same(value: object, wanted: object) -> bool:
    return type(value) is type(wanted) and value == wanted


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False
