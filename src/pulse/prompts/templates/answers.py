"""Reading what models answer, and giving them text that is not theirs to obey.

A response is the work of a stranger: it is quoted between marks that it cannot contain, and nothing in it is trusted.
"""

import hashlib
import json
from typing import Any

from pulse.core.errors import InvalidJson
from pulse.core.json import parse


def quoted(text: str) -> str:
    """The text between two marks, made from a digest of it, so that no text can contain its own."""
    mark = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    return f"<text {mark}>\n{text}\n</text {mark}>"


def json_in(text: str) -> Any:
    """The JSON value that a response is, with or without a fence of Markdown around it. Raises InvalidJson."""
    return parse(_unfenced(text).encode(errors="surrogatepass"))


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a response is, or that stands in it as the only one from brace to brace; None otherwise."""
    for candidate in (_unfenced(text), text[text.find("{") : text.rfind("}") + 1]):
        try:
            found = parse(candidate.encode(errors="surrogatepass"))
        except InvalidJson:
            continue
        if isinstance(found, dict):
            return found
    return None


def _unfenced(text: str) -> str:
    bare = text.strip()
    if not bare.startswith("```") or not bare.endswith("```") or "\n" not in bare:
        return bare
    return bare[bare.index("\n") + 1 : -3].strip()


def as_unicode(text: str) -> str:
    """The text, halves of surrogate pairs (which are no characters) replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def written(value: Any) -> str:
    """A value as compact JSON in ASCII: whatever a model says, a database can keep it."""
    return json.dumps(value, separators=(",", ":"))
