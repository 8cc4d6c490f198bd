"""What may be expected of a response, as it is written down: a list of objects, each with a `type`.

`contains`, `not_contains`  {value, caseSensitive? (true)}
`regex`                     {pattern, flags?}: JavaScript's syntax, within parsing.py; it is looked for anywhere
`json_schema`               {schema}: the response is JSON, and as the schema says (keywords.py)
`javascript`                {script}: the body of an async function that sees `response` and `values`; it returns
                            true or false, or {passed, message}
`judge`                     {criteria, modelConfigurationId?}: a model says whether the criteria are met
`sentiment`                 {label?, least?, most?}: the label of the tone, or bounds of its compound (-1 to 1)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulse.core.errors import Fault
from pulse.prompts.faults import storable
from pulse.prompts.templates.assertions.automaton import Pattern
from pulse.prompts.templates.assertions.keywords import schema_faults
from pulse.prompts.templates.assertions.parsing import InvalidPattern
from pulse.prompts.templates.sentiment.tone import LABELS

MAX_ASSERTIONS = 20
MAX_TEXT = 20_000
Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Whether a response is as expected. `error`: that could not be found out; then it has not passed."""

    type: str
    passed: bool
    message: str = ""
    error: str | None = None
    cost_micros: int = 0


def assertion_faults(rules: Sequence[Any], path: str = "assertions") -> list[Fault]:
    """The faults of a list of assertions, each at its path."""
    if len(rules) > MAX_ASSERTIONS:
        return [Fault(path, "too_many", f"At most {MAX_ASSERTIONS} assertions.")]
    return [fault for at, rule in enumerate(rules) for fault in _rule_faults(rule, f"{path}.{at}")]


def _rule_faults(rule: Any, path: str) -> Iterator[Fault]:
    if not isinstance(rule, Mapping):
        yield Fault(path, "not_an_object", "An assertion is an object with a type.")
        return
    known = _RULES.get(str(rule.get("type")))
    if known is None:
        yield Fault(f"{path}.type", "unknown_assertion", f"This is one of: {', '.join(_RULES)}.")
        return
    fields, check = known
    for name in sorted(rule.keys() - {"type", *fields}):
        yield Fault(f"{path}.{name}", "unknown_field", "There is no such field here.")
    yield from check(rule, path)


def _text_fault(rule: Rule, name: str, path: str) -> Iterator[Fault]:
    value = rule.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT or not storable(value):
        yield Fault(f"{path}.{name}", "invalid_text", f"This is text of 1 to {MAX_TEXT:,} characters.")


def _contains(rule: Rule, path: str) -> Iterator[Fault]:
    yield from _text_fault(rule, "value", path)
    if not isinstance(rule.get("caseSensitive", True), bool):
        yield Fault(f"{path}.caseSensitive", "not_a_boolean", "This is true or false.")


def _regex(rule: Rule, path: str) -> Iterator[Fault]:
    pattern, flags = rule.get("pattern"), rule.get("flags", "")
    if not isinstance(pattern, str) or not isinstance(flags, str):
        yield Fault(f"{path}.pattern", "invalid_text", "The pattern and its flags are text.")
        return
    try:
        Pattern(pattern, flags)
    except InvalidPattern as error:
        yield Fault(f"{path}.pattern", error.code, error.message)


def _json_schema(rule: Rule, path: str) -> Iterator[Fault]:
    yield from schema_faults(rule.get("schema"), f"{path}.schema")


def _javascript(rule: Rule, path: str) -> Iterator[Fault]:
    yield from _text_fault(rule, "script", path)


def _judge(rule: Rule, path: str) -> Iterator[Fault]:
    yield from _text_fault(rule, "criteria", path)
    if not isinstance(rule.get("modelConfigurationId", ""), str):
        yield Fault(f"{path}.modelConfigurationId", "invalid_text", "This is the id of a model configuration.")


def _sentiment(rule: Rule, path: str) -> Iterator[Fault]:
    if not rule.keys() & {"label", "least", "most"}:
        yield Fault(path, "missing", "Give a label, or the least or the most that the compound may be.")
    if "label" in rule and rule["label"] not in LABELS:
        yield Fault(f"{path}.label", "unknown_label", f"This is one of: {', '.join(LABELS)}.")
    for name in ("least", "most"):
        value = rule.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
            yield Fault(f"{path}.{name}", "out_of_range", "This is a number from -1 to 1.")


_RULES: Mapping[str, tuple[frozenset[str], Callable[[Rule, str], Iterator[Fault]]]] = {
    "contains": (frozenset(("value", "caseSensitive")), _contains),
    "not_contains": (frozenset(("value", "caseSensitive")), _contains),
    "regex": (frozenset(("pattern", "flags")), _regex),
    "json_schema": (frozenset(("schema",)), _json_schema),
    "javascript": (frozenset(("script",)), _javascript),
    "judge": (frozenset(("criteria", "modelConfigurationId")), _judge),
    "sentiment": (frozenset(("label", "least", "most")), _sentiment),
}
