"""What scripts may call: plain JavaScript of the runtime, and effects. `pulse scripts` prints this list.

A test holds the names equal to those of the runtime and, once there are effects, to `effects/`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ScriptFunction:
    """A name that scripts can use: how it is called, and what it does, in a sentence or two."""

    name: str
    signature: str
    summary: str
    kind: Literal["plain", "effect"] = "plain"


FUNCTIONS = (
    ScriptFunction("print", "print(...values)", "Adds the values to the execution log. console.log does the same."),
    ScriptFunction(
        "evaluateCondition",
        "evaluateCondition(tree, data?)",
        "Whether a condition tree (either documented shape) holds for data, or for the message where data is left out.",
    ),
    ScriptFunction("URL", "new URL(url, base?)", "Reads an address as the WHATWG URL standard says."),
    ScriptFunction("URLSearchParams", "new URLSearchParams(init?)", "Reads and writes the query of an address."),
    ScriptFunction("TextEncoder", "new TextEncoder()", "Text to bytes in UTF-8."),
    ScriptFunction("TextDecoder", "new TextDecoder('utf-8')", "Bytes in UTF-8 to text."),
    ScriptFunction("atob", "atob(text)", "Decodes base64."),
    ScriptFunction("btoa", "btoa(text)", "Encodes as base64."),
    ScriptFunction("structuredClone", "structuredClone(value)", "A deep copy."),
)


def effect_names() -> list[str]:
    """The functions that the sandbox asks its parent to execute."""
    return [function.name for function in FUNCTIONS if function.kind == "effect"]
