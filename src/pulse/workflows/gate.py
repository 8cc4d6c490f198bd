"""The gate of a workflow: what the type of a message must be for its first event to be passed, as far as one can tell.

Workflows are found by it: of ten thousand, only those are tried whose gate the message's type opens, and those
that have none. A gate is a rule `type equals …` or `type in …` that must hold for the event's condition to hold.
An event whose scripts or arguments run before its condition has none: they may do anything, fail included.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

FIELD = ["type"]


class Gate(Struct, frozen=True):
    """The types that open it; `rule` is `{field, comparison, value}` as drawn, and `entity` the event's name.

    `wrapped`: the rule says `message.type`, which is something else in a message that has a field `message`.
    """

    types: frozenset[str]
    rule: dict[str, Any]
    entity: str
    wrapped: bool = False


def gate_of(entry: Mapping[str, Any]) -> Gate | None:
    """The gate of a plan that begins with this node."""
    if entry["kind"] != "event" or entry["mode"] == "True/False" or "conditionText" not in entry:
        return None
    if "pre" in entry or entry["arguments"]:
        return None
    rule = _necessary(json.loads(entry["conditionText"]))
    if rule is None:
        return None
    shown = {name: rule[name] for name in ("field", "comparison", "value")}
    return Gate(frozenset(_wanted(rule)), shown, entry["name"], wrapped=rule["path"] != FIELD)


def _wanted(rule: Mapping[str, Any]) -> list[Any]:
    return list(rule["value"]) if rule["comparison"] == "in" else [rule["value"]]


def _necessary(tree: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A rule on the type without which the tree is false, and before which nothing can go wrong."""
    if "of" not in tree:
        return tree if _is_on_type(tree) else None
    if tree["op"] != "AND":
        return None
    for child in tree["of"]:
        rule = _necessary(child)
        if rule is not None or _may_fail(child):
            return rule
    return None


def _is_on_type(rule: Mapping[str, Any]) -> bool:
    about_type = rule["path"] in (FIELD, ["message", *FIELD])
    return (
        about_type and rule["comparison"] in ("equals", "in") and all(isinstance(text, str) for text in _wanted(rule))
    )


def _may_fail(tree: Mapping[str, Any]) -> bool:
    """Whether its evaluation may end in an error: a pattern may be none."""
    return any(map(_may_fail, tree["of"])) if "of" in tree else tree["comparison"] == "matches"
