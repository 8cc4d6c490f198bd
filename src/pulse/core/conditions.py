"""Condition trees: both documented shapes, checked and brought into the one form that is evaluated.

The older shape is `{type: 'AND'|'OR'|'NOT', conditions: [{field, operator, value}, …]}`, the newer one
`{type: 'group', operator, conditions: [{type: 'rule', field, comparison, value}, …]}` (platform.md 4); they may mix in
one tree, and a bare rule is a tree. The evaluated form is `{op, of: […]}` and `{field, path, comparison, value}`:
`path` is the field's dotted path, cut. Evaluation itself happens in the sandbox, where the values are.
"""

import re
from typing import Any

from pulse.core.errors import Fault

COMPARISONS = frozenset(
    {
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "starts_with",
        "ends_with",
        "greater_than",
        "less_than",
        "greater_or_equal",
        "less_or_equal",
        "in",
        "not_in",
        "exists",
        "not_exists",
        "is_null",
        "is_not_null",
        "matches",
    }
)
WITHOUT_VALUE = frozenset({"exists", "not_exists", "is_null", "is_not_null"})
JOINS = ("AND", "OR", "NOT")
MAX_DEPTH = 32
MAX_RULES = 1_000


def compile_condition(tree: Any, path: str = "condition") -> tuple[dict[str, Any] | None, list[Fault]]:
    """The evaluated form of `tree` and every fault found in it. No tree (None, {}) gives None: it counts as true."""
    if tree is None or tree == {}:
        return None, []
    compiler = _Compiler()
    compiled = compiler.node(tree, path, 0)
    return (None if compiler.faults else compiled), compiler.faults


class _Compiler:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._rules = 0

    def node(self, tree: Any, path: str, depth: int) -> dict[str, Any]:
        if not isinstance(tree, dict):
            return self._fault(path, "not_an_object", "A condition is an object: a rule or a group.")
        if depth > MAX_DEPTH:
            return self._fault(path, "too_deep", f"Conditions may be nested at most {MAX_DEPTH} levels deep.")
        return self._group(tree, path, depth) if "conditions" in tree else self._rule(tree, path)

    def _group(self, tree: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        kind = tree.get("type", "group")
        join = tree.get("operator", "AND") if kind == "group" else kind
        if join not in JOINS:
            self._fault(f"{path}.operator", "unknown_join", f"{join!r} joins no conditions: use AND, OR or NOT.")
        children = tree["conditions"]
        if not isinstance(children, list):
            return self._fault(f"{path}.conditions", "not_a_list", "The conditions of a group are a list.")
        return {
            "op": join,
            "of": [self.node(child, f"{path}.conditions.{at}", depth + 1) for at, child in enumerate(children)],
        }

    def _rule(self, rule: dict[str, Any], path: str) -> dict[str, Any]:
        self._rules += 1
        if self._rules == MAX_RULES + 1:
            self._fault(path, "too_many", f"A condition may have at most {MAX_RULES} rules.")
        field, comparison = rule.get("field"), rule.get("comparison", rule.get("operator"))
        if not isinstance(field, str) or not field.strip():
            self._fault(f"{path}.field", "missing", 'A rule needs a field: a path such as "payload.amount".')
            field = ""
        if not isinstance(comparison, str) or comparison not in COMPARISONS:
            known = ", ".join(sorted(COMPARISONS))
            self._fault(f"{path}.comparison", "unknown_comparison", f"{comparison!r} is none of: {known}.")
        else:
            self._check_value(comparison, rule, f"{path}.value")
        wanted = {} if comparison in tuple(WITHOUT_VALUE) else {"value": rule.get("value")}
        return {"field": field, "path": dotted(field), "comparison": comparison, **wanted}

    def _check_value(self, comparison: str, rule: dict[str, Any], path: str) -> None:
        value = rule.get("value")
        if comparison not in WITHOUT_VALUE and "value" not in rule:
            self._fault(path, "missing", f"{comparison} needs a value to compare with.")
        elif comparison in ("in", "not_in") and not isinstance(value, list):
            self._fault(path, "not_a_list", f"{comparison} needs a list of values.")
        elif comparison == "matches" and not isinstance(value, str):
            self._fault(path, "not_text", "matches needs a regular expression, as text.")

    def _fault(self, path: str, code: str, message: str) -> dict[str, Any]:
        self.faults.append(Fault(path, code, message))
        return {}


_INDEX = re.compile(r"\[(\d+)\]")


def dotted(path: str) -> list[str]:
    """The names of a path: `items[0].name` and `items.0.name` are the same."""
    return _INDEX.sub(r".\1", path.strip()).split(".")
