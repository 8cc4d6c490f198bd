"""Arguments as they may be kept and shown: without those that are secret by what they are."""

import re
from collections.abc import Sequence
from typing import Any

from pulse.core.redaction import HIDDEN

# Names of headers and fields whose values prove who asks.
_TELLING = re.compile(r"auth|cookie|key|token|secret|password|signature", re.IGNORECASE)


def hidden(arguments: Sequence[Any], secrets: Sequence[str]) -> list[Any]:
    """The arguments with `secrets` masked: places such as `0`, or `0.headers`, whose telling names alone are masked."""
    shown = list(arguments)
    for place in secrets:
        first, *rest = place.split(".")
        at = int(first)
        if at < len(shown):
            shown[at] = _masked(shown[at], rest)
    return shown


def _masked(value: Any, path: Sequence[str]) -> Any:
    if path:
        if not isinstance(value, dict) or path[0] not in value:
            return value
        return {**value, path[0]: _masked(value[path[0]], path[1:])}
    if isinstance(value, dict):
        return {name: HIDDEN if _TELLING.search(name) else each for name, each in value.items()}
    return value if value is None else HIDDEN
