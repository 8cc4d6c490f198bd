"""No variable's value in what is told of a test run's effects, by the rule of the sandbox's own (redaction.js).

Values leave the sandbox there: a call may need them. A value under 6 characters counts only where it is the whole text.
"""

import json
from collections.abc import Iterable
from typing import Any

HIDDEN = "***"
SHORT = 6
# A value may stand in JSON that stands in a text: each time, it is escaped once more.
LEVELS = 3


class Redaction:
    """Hides these values."""

    def __init__(self, values: Iterable[str]) -> None:
        known = list(values)
        by_length = sorted((value for value in known if len(value) >= SHORT), key=len, reverse=True)
        self._long = [form for value in by_length for form in _forms(value)]
        self._short = {value for value in known if len(value) < SHORT}

    def clean(self, value: Any) -> Any:
        """The value as it may be told."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return HIDDEN if str(value).removesuffix(".0") in self._long else value
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        if isinstance(value, dict):
            return {self._text(name): self.clean(item) for name, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        if text in self._short:
            return HIDDEN
        for form in self._long:
            text = text.replace(form, HIDDEN)
        return text


def _forms(value: str) -> list[str]:
    forms = [value]
    while len(forms) < LEVELS:
        forms.append(json.dumps(forms[-1], ensure_ascii=False)[1:-1])
    return list(dict.fromkeys(reversed(forms)))
