"""What becomes of a prompt before it is written in a provider's format: what the model does not take is folded in.

Schemas: OpenAI's strict mode and Anthropic's output format take a part of JSON Schema only, in which every object is
closed. `is_strict` and `closed` say whether, and how, a schema comes within it.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pulse.models.port import Image, ModelFailed, Prompt

_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")
# What Anthropic's output format refuses; the model is told all the same, in the description.
_ONLY_SAID = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
)


def system_of(prompt: Prompt) -> str | None:
    """The system prompt, where the model takes one."""
    return prompt.system if "system" in prompt.takes and prompt.system else None


def schema_of(prompt: Prompt, *, of_objects: bool = True) -> Mapping[str, Any] | None:
    """The schema of the answer, where the model takes one; `of_objects`: the provider takes those of objects only."""
    if prompt.schema is None or "schema" not in prompt.takes:
        return None
    return prompt.schema if not of_objects or prompt.schema.get("type") == "object" else None


def images_of(prompt: Prompt) -> Sequence[Image]:
    return prompt.images if "vision" in prompt.takes else ()


def temperature_of(prompt: Prompt, most: float = 2.0) -> float | None:
    """The temperature, where the model takes one, and no more than the provider's scale has."""
    if prompt.temperature is None or "temperature" not in prompt.takes:
        return None
    return min(prompt.temperature, most)


def text_of(prompt: Prompt, *, schema_sent: bool) -> str:
    """The text, after a system prompt that the model does not take, before a schema that is not sent as such.

    Raises ModelFailed (`invalid_request`) where it is no Unicode text.
    """
    parts = [prompt.system] if prompt.system and "system" not in prompt.takes else []
    parts.append(prompt.text)
    if prompt.schema is not None and not schema_sent:
        schema = json.dumps(prompt.schema, ensure_ascii=False)
        parts.append(f"Answer with JSON that fits this JSON Schema, and with nothing else:\n{schema}")
    text = "\n\n".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError:
        words = "The prompt has half of a surrogate pair (\\ud800-\\udfff alone), which is no character."
        raise ModelFailed("invalid_request", words) from None
    return text


def without_nones(**fields: Any) -> dict[str, Any]:
    """A payload without what is not said."""
    return {name: value for name, value in fields.items() if value is not None}


# ---- images ------------------------------------------------------------------------------------------------------


def data_url(image: Image) -> str:
    """The address of a picture; one of bytes becomes a `data:` URL."""
    if image.data is None:
        return address_of(image)
    return f"data:{image.media_type};base64,{base64_of(image, 'The provider')}"


def address_of(image: Image) -> str:
    if not image.url:
        raise ModelFailed("invalid_request", "An image has neither a URL nor bytes: give one of them.")
    return image.url


def base64_of(image: Image, provider: str) -> str:
    """The bytes of a picture in base64. Raises ModelFailed where there is only a URL."""
    return base64.b64encode(bytes_of(image, provider)).decode()


def bytes_of(image: Image, provider: str) -> bytes:
    if image.data is None:
        words = f"{provider} takes images as bytes only, and this one is a URL: fetch it first."
        raise ModelFailed("invalid_request", words if image.url else "An image has neither a URL nor bytes.")
    return image.data


def path_part(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="")


# ---- schemas -----------------------------------------------------------------------------------------------------


def is_strict(schema: Any) -> bool:
    """Whether every object of the schema is closed and requires all it has, as OpenAI's strict mode wants it."""
    if not isinstance(schema, Mapping):
        return True
    if _is_object(schema):
        required = {name for name in _list(schema.get("required")) if isinstance(name, str)}
        if schema.get("additionalProperties") is not False or required != set(_map(schema.get("properties"))):
            return False
    return all(is_strict(inner) for inner in _inner(schema))


def closed(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every object closed, and what Anthropic does not check moved into descriptions.

    None where an object has to stay open: one without properties, or whose other properties are described.
    """
    if any(_is_open(inner) for inner in _all(schema)):
        return None
    made: dict[str, Any] = _closed(schema)
    return made


def _closed(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {name: inner for name, inner in value.items() if name not in _ONLY_SAID}
    for name, inner in kept.items():
        if name in _MAPS and isinstance(inner, Mapping):
            kept[name] = {key: _closed(part) for key, part in inner.items()}
        elif name in _LISTS and isinstance(inner, list):
            kept[name] = [_closed(part) for part in inner]
        elif name == "items":
            kept[name] = _closed(inner)
    if said := [f"{name}: {json.dumps(value[name])}" for name in _ONLY_SAID if name in value]:
        kept["description"] = " ".join(filter(None, (kept.get("description"), f"({', '.join(said)})")))
    if _is_object(value):
        kept["additionalProperties"] = False
    return kept


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or "properties" in schema or (isinstance(kind, list) and "object" in kind)


def _is_open(schema: Mapping[str, Any]) -> bool:
    return _is_object(schema) and (
        not schema.get("properties") or isinstance(schema.get("additionalProperties"), Mapping)
    )


def _all(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for inner in _inner(schema):
        yield from _all(inner)


def _inner(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas directly inside."""
    found = [schema.get("items"), schema.get("additionalProperties")]
    for name in _LISTS:
        found += _list(schema.get(name))
    for name in _MAPS:
        found += _map(schema.get(name)).values()
    yield from (inner for inner in found if isinstance(inner, Mapping))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
