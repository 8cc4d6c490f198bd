"""Which signals concern whom: pure functions of a signal and what a workflow or a wait asks for."""

import json
from collections.abc import Mapping
from typing import Any

from pulse.core.conditions import dotted
from pulse.engine.records import TriggerEnvelope

FIELDS = ("tenant_id", "source", "type", "resource_type", "resource_id", "environment", "id")


def filters_fit(trigger: TriggerEnvelope, environment: str | None, resource_type: str | None) -> bool:
    """Whether a workflow's filters let the signal through; a filter that is None lets everything through."""
    return environment in (None, trigger.environment) and resource_type in (None, trigger.resource_type)


def value_at(trigger: TriggerEnvelope, path: str, context: Mapping[str, Any] | None = None) -> Any:
    """The value at a path of the signal (`resource_id`, `payload.order.id`), or of the `context`; None if none."""
    first, *rest = dotted(path)
    if first in FIELDS and not rest:
        return getattr(trigger, first)
    here: Any = {"payload": trigger.payload, "context": context or {}}.get(first)
    for name in rest:
        here = _inside(here, name)
    return here


def _inside(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    return None


def resolved(template: Any, trigger: TriggerEnvelope, context: Mapping[str, Any]) -> Any:
    """The template with every text that begins with `$.` replaced by the value at that path."""
    if isinstance(template, str) and template.startswith("$."):
        return value_at(trigger, template[2:], context)
    if isinstance(template, Mapping):
        return {key: resolved(value, trigger, context) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [resolved(value, trigger, context) for value in template]
    return template


def wait_fits(trigger: TriggerEnvelope, match: Mapping[str, Any]) -> bool:
    """Whether the signal has, at every path of a wait's `match`, the value that is wanted."""
    return all(_same(value_at(trigger, path), wanted) for path, wanted in match.items())


def _same(seen: Any, wanted: Any) -> bool:
    """Equal as JSON values are: true is not 1."""
    if isinstance(seen, Mapping) and isinstance(wanted, Mapping):
        return seen.keys() == wanted.keys() and all(_same(seen[name], wanted[name]) for name in wanted)
    if isinstance(seen, list | tuple) and isinstance(wanted, list | tuple):
        return len(seen) == len(wanted) and all(map(_same, seen, wanted))
    return bool(seen == wanted) and isinstance(seen, bool) == isinstance(wanted, bool)


def key_at(trigger: TriggerEnvelope, path: str) -> str:
    """The value at a path as a key: equal values have equal keys, and no value has one too."""
    return json.dumps(value_at(trigger, path), sort_keys=True, separators=(",", ":"))
