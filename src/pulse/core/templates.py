"""Templates: text with `{{path.to.value}}` placeholders, cut once and rendered where the values are.

`{{{` and helpers mean nothing special; what stands between the braces is a path, with array indexes as `a[0]` or `a.0`
(platform.md 12).
"""

import re
from typing import Any

from pulse.core.conditions import dotted

# Takes no blanks apart: with `\s*` at both ends an unclosed "{{" costs the cube of the number of blanks after it.
_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")


def cut(text: str) -> list[str | dict[str, Any]]:
    """The template's parts in order: text as it is, and `{name, path}` for each placeholder."""
    parts: list[str | dict[str, Any]] = []
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        name = found[1].strip()
        if not name:
            continue
        if found.start() > end:
            parts.append(text[end : found.start()])
        parts.append({"name": name, "path": dotted(name)})
        end = found.end()
    if end < len(text):
        parts.append(text[end:])
    return parts


def single_placeholder(text: str) -> list[str] | None:
    """The path, where the whole text is one placeholder; None otherwise."""
    parts = cut(text)
    if len(parts) == 1 and isinstance(parts[0], dict):
        path: list[str] = parts[0]["path"]
        return path
    return None


def argument(name: str, value: Any) -> dict[str, Any]:
    """An argument as it is bound: `{name, path}` keeps the type, `{name, parts}` is text, `{name, literal}` itself."""
    if not isinstance(value, str):
        return {"name": name, "literal": value}
    path = single_placeholder(value)
    if path is not None:
        return {"name": name, "path": path}
    parts = cut(value)
    if any(isinstance(part, dict) for part in parts):
        return {"name": name, "parts": parts}
    return {"name": name, "literal": value}
