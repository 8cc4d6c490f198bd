"""Templates with values in them, as workflows render theirs in the sandbox (platform.md 12, Templates).

Strings stand as they are, objects and arrays as JSON, missing values as nothing; `{{message.x}}` equals `{{x}}`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulse.core.templates import cut

_MISSING = object()


@dataclass(frozen=True)
class Rendered:
    """The text, and the names that there was no value for, in order."""

    text: str
    missing: tuple[str, ...] = ()


def variables_of(*texts: str | None) -> tuple[str, ...]:
    """The names in the placeholders of these texts, each once, in the order in which they first stand there."""
    names = [part["name"] for text in texts for part in cut(text or "") if isinstance(part, dict)]
    return tuple(dict.fromkeys(names))


def render(text: str, values: Mapping[str, Any]) -> Rendered:
    """The text with the values in it. A value that stands under the whole name goes before one along the path."""
    pieces: list[str] = []
    missing: list[str] = []
    for part in cut(text):
        if isinstance(part, str):
            pieces.append(part)
            continue
        value = _value(part["name"], part["path"], values)
        if value is _MISSING or value is None:
            missing.append(part["name"])
        else:
            pieces.append(_written(value))
    return Rendered("".join(pieces), tuple(dict.fromkeys(missing)))


def _value(name: str, path: Sequence[str], values: Mapping[str, Any]) -> Any:
    if name in values:
        return values[name]
    found = _along(path, values)
    if found is _MISSING and path[0] == "message" and "message" not in values:
        return dict(values) if len(path) == 1 else _value(".".join(path[1:]), path[1:], values)
    return found


def _along(path: Sequence[str], values: Any) -> Any:
    value: Any = values
    for step in path:
        value = _one_step(value, step)
    return value


def _one_step(value: Any, step: str) -> Any:
    """What JavaScript finds there among a value's own properties."""
    if isinstance(value, Mapping):
        return value.get(step, _MISSING)
    if isinstance(value, str):
        return len(value.encode("utf-16-le", "surrogatepass")) // 2 if step == "length" else _MISSING
    if not isinstance(value, list):
        return _MISSING
    if step == "length":
        return len(value)
    is_index = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0") and len(step) < 10
    return value[int(step)] if is_index and int(step) < len(value) else _MISSING


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        # JavaScript knows one kind of number.
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
