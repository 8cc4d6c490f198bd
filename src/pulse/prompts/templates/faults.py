"""What is wrong with a template, or with a set of values, that somebody sends: every fault, at its path."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pulse.core.errors import Fault
from pulse.prompts.faults import MAX_DESCRIPTION, MAX_NAME, storable, text_faults
from pulse.prompts.templates.records import TemplateDraft
from pulse.prompts.templates.rendering import variables_of

MAX_TEXT = 200_000
MAX_VARIABLES = 200
MAX_VALUES = 262_144
MAX_DEPTH = 32


def template_faults(draft: TemplateDraft) -> list[Fault]:
    """The faults of a template, but for those of the model it names."""
    faults = [
        *text_faults("name", draft.name, MAX_NAME),
        *text_faults("description", draft.description, MAX_DESCRIPTION, optional=True),
        *text_faults("text", draft.text, MAX_TEXT),
        *text_faults("system", draft.system, MAX_TEXT, optional=True),
    ]
    if len(variables_of(draft.system, draft.text)) > MAX_VARIABLES:
        faults.append(Fault("text", "too_many", f"A template has at most {MAX_VARIABLES} different placeholders."))
    return faults


def set_faults(name: str, values: Mapping[str, Any]) -> list[Fault]:
    """The faults of a set of values: a JSON object of limited size."""
    return [*text_faults("name", name, MAX_NAME), *_value_faults("values", values)]


def _value_faults(path: str, values: Mapping[str, Any]) -> Iterator[Fault]:
    fault = _first_fault(path, values, 0)
    if fault is not None:
        yield fault
    elif len(json.dumps(values, ensure_ascii=False)) > MAX_VALUES:
        yield Fault(path, "too_large", f"A set of values has at most {MAX_VALUES:,} characters of JSON.")


def _first_fault(path: str, value: Any, depth: int) -> Fault | None:
    if depth > MAX_DEPTH:
        return Fault(path, "too_deep", f"Values may be nested at most {MAX_DEPTH} levels deep.")
    if isinstance(value, Mapping):
        inside = [(f"{path}.{key}", key, item) for key, item in value.items()]
        bad = next((where for where, key, _ in inside if not isinstance(key, str) or not storable(key)), None)
        if bad is not None:
            return Fault(path, "invalid_name", "A name here is Unicode text without NUL characters.")
        return next(filter(None, (_first_fault(where, item, depth + 1) for where, _, item in inside)), None)
    if isinstance(value, list):
        places = enumerate(value)
        return next(filter(None, (_first_fault(f"{path}.{at}", item, depth + 1) for at, item in places)), None)
    return None if _is_plain(value) else Fault(path, "not_json", "This is a JSON value; text has no NUL characters.")


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)
