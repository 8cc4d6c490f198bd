"""The branches of an event (platform.md 3.2): which there are, and whether what is drawn below the event fits them."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pulse.core.errors import Fault

CATCH_ALL = "*"
# Outside of these, a number is written with an exponent.
SMALLEST_PLAIN, SMALLEST_LARGE = 1e-6, 1e21


def text_of(value: Any) -> str:
    """A branch's value as the text that it is compared as, written as JavaScript would."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """As JSON.stringify writes it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(float(value))
    if isinstance(value, list):
        return f"[{','.join(map(_json, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_json(str(name))}:{_json(inner)}' for name, inner in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """A number as ECMA-262 writes it (Number::toString)."""
    if value == 0:
        return "0"
    if not SMALLEST_PLAIN <= abs(value) < SMALLEST_LARGE:
        digits, _, exponent = repr(value).partition("e")
        return f"{digits}e{int(exponent):+d}"
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def branch_node(name: str, value: str) -> dict[str, Any]:
    return {"kind": "logic-branch", "name": name, "type": "LogicBranch", "branchValue": value}


def drawn_value(node: Mapping[str, Any]) -> str:
    """The value of a drawn logic branch; without one it is its name."""
    return text_of(node.get("branchValue", node.get("name")))


def meant_by(parent: Mapping[str, Any], node: Mapping[str, Any]) -> str | None:
    """What a logic branch below this event means where it is drawn by the name of a branch, and not by its value."""
    named = drawn_value(node)
    value: str | None = parent.get("branchNames", {}).get(named)
    return value if value is not None and named not in parent["branches"] else None


def branches_of(logic: Any) -> dict[str, Any]:
    """What a Multi event's `logic` says: `branches`, the values in their order, and `branchNames`, name to value."""
    items = [item for item in logic if isinstance(item, dict)] if isinstance(logic, list) else []
    values = {text_of(item.get("name")): text_of(item.get("value", item.get("name"))) for item in items}
    return {"branches": [text_of(item.get("value", item.get("name"))) for item in items], "branchNames": values}


def branch_faults(node: dict[str, Any], children: Sequence[tuple[dict[str, Any], str]], path: str) -> list[Fault]:
    """What is wrong with the children of a node; each comes with its path."""
    branches = [child for child, _ in children if child["kind"] == "logic-branch"]
    if node.get("mode") == "True/False":
        return _two_faults([child for child, _ in children], path)
    if node.get("mode") == "Multi":
        return _many_faults(node, children)
    if branches:
        return [Fault(f"{path}.children", "wrong_branches", "Logic branches stand below an event that branches.")]
    return []


def _two_faults(children: Sequence[dict[str, Any]], path: str) -> list[Fault]:
    if sorted(child.get("branchValue", "") for child in children) == ["false", "true"]:
        return []
    words = 'An event of mode True/False has two children, the logic branches "true" and "false".'
    return [Fault(f"{path}.children", "wrong_branches", words)]


def _many_faults(node: dict[str, Any], children: Sequence[tuple[dict[str, Any], str]]) -> list[Fault]:
    """An event without a list of branches has those that are drawn below it, in their order."""
    drawn = [child.get("branchValue", "") for child, _ in children]
    if not node["branches"]:
        node["branches"] = [*dict.fromkeys(value for value in drawn if value)]
    known, seen, faults = set(node["branches"]), set(), []
    for child, path in children:
        value = child.get("branchValue", "")
        if child["kind"] != "logic-branch":
            faults.append(Fault(path, "wrong_branches", "Below an event of mode Multi stand logic branches only."))
        elif value not in known:
            faults.append(Fault(path, "wrong_branches", f"The event has no branch {value!r}: add it to its logic."))
        elif value in seen:
            faults.append(Fault(path, "wrong_branches", f"The branch {value!r} is drawn twice."))
        seen.add(value)
    return faults
