"""Test files: messages and what should become of them, as YAML that lies in git beside the workflow.

workflow: a YAML file, relative to this one, or the name of a stored workflow
variables: {NAME: value}          environment variables
workflows: [names]                what getWorkflowByName finds; the id of each is its name
at: 2026-01-01T00:00:00Z          the time that scripts see
cases:
  - name: …
    message: {…}                  or messageFile: a JSON file, relative to this one
    entity: the name of the entity at which the workflow is entered
    pins: {node or entity: {globals: {…}, condition: true}}
    effects: {function: answer}   an answer {error: {code, message}} lets the call fail
    expect:
      status: success | fail | ignore
      result: …                   ___result___, whole
      globals: {name: value}      these, whole; others may be there
      log: [{field: value}]       in this order; other entries may stand between, and each may have more fields
      effects: [{function, arguments?}]   all of them, in this order
      error: text that stands in the first error
      code: why the message was ignored, such as no_match
      seen: {field: …}            of the rule that the message was ignored for
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from pulse.core.clock import parse_iso
from pulse.core.errors import Fault, InvalidFields

STATUSES = ("success", "fail", "ignore")
DEFAULT_AT = "2026-01-01T00:00:00Z"


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """What should become of the message. What is left out may be anything."""

    status: str | None = None
    result: Any = msgspec.UNSET
    globals: dict[str, Any] = msgspec.field(default_factory=dict)
    log: list[dict[str, Any]] = msgspec.field(default_factory=list)
    effects: list[dict[str, Any]] | None = None
    error: str | None = None
    code: str | None = None
    seen: dict[str, Any] = msgspec.field(default_factory=dict)


class PinnedNode(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a node comes to, in the place of its own work."""

    globals: dict[str, Any] = msgspec.field(default_factory=dict)
    condition: bool | None = None


class Case(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A message and what should become of it."""

    name: str
    expect: Expected
    message: dict[str, Any] | None = None
    message_file: str | None = None
    entity: str | None = None
    pins: dict[str, PinnedNode] = msgspec.field(default_factory=dict)
    effects: dict[str, Any] = msgspec.field(default_factory=dict)


class TestFile(msgspec.Struct, forbid_unknown_fields=True):
    """A file of cases for one workflow."""

    workflow: str
    cases: list[Case]
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    workflows: list[str] = msgspec.field(default_factory=list)
    at: Any = DEFAULT_AT

    @property
    def at_ms(self) -> int:
        """YAML makes a time of what looks like one; without a zone, it is UTC."""
        if not isinstance(self.at, datetime):
            return parse_iso(str(self.at))
        at = self.at if self.at.tzinfo is not None else self.at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1000)


@dataclass(frozen=True)
class Difference:
    """Where the outcome is not as expected: which part, what was wanted, and what came."""

    part: str
    wanted: Any
    got: Any


@dataclass(frozen=True)
class Report:
    """How a case went; `outcome` is the test run's whole answer."""

    name: str
    differences: Sequence[Difference] = ()
    outcome: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.differences


def read_test_file(document: Any) -> TestFile:
    """Raises InvalidFields with the path of the first fault."""
    try:
        read = msgspec.convert(document, TestFile)
        read.at_ms  # noqa: B018 - raises where it is no time
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at `$")
        raise InvalidFields([Fault(path.rstrip("`").lstrip(".") or "file", "invalid", f"{words}.")]) from None
    except ValueError:
        raise InvalidFields([Fault("at", "invalid_time", "at is a time such as 2026-01-31T12:00:00Z.")]) from None
    faults = [fault for at, case in enumerate(read.cases) for fault in _faults(case, f"cases[{at}]")]
    if not read.cases:
        faults.append(Fault("cases", "missing", "A test file has at least one case."))
    if faults:
        raise InvalidFields(faults)
    return read


def _faults(case: Case, path: str) -> list[Fault]:
    faults = []
    if (case.message is None) == (case.message_file is None):
        faults.append(Fault(path, "message", "A case has a message, or a messageFile."))
    if case.expect.status not in (None, *STATUSES):
        faults.append(Fault(f"{path}.expect.status", "unknown_status", f"A status is one of: {', '.join(STATUSES)}."))
    if case.expect == Expected():
        faults.append(Fault(f"{path}.expect", "missing", "Say what you expect: a status, a result, log entries…"))
    return faults


def compare(expected: Expected, outcome: Mapping[str, Any]) -> list[Difference]:
    """Everything in which the outcome differs; `outcome` is a test run's answer, as plain values."""
    context = outcome.get("context", {})
    differences = []
    if expected.status is not None and outcome["status"] != expected.status:
        differences.append(Difference("status", expected.status, outcome["status"]))
    if expected.result is not msgspec.UNSET and outcome.get("result") != expected.result:
        differences.append(Difference("result", expected.result, outcome.get("result")))
    for name, wanted in expected.globals.items():
        if context.get(name) != wanted:
            differences.append(Difference(f"globals.{name}", wanted, context.get(name)))
    differences += _log_differences(expected.log, context.get("____execution_log____", []))
    differences += _effect_differences(expected.effects, outcome.get("effects", []))
    return differences + _reason_differences(expected, outcome)


def _log_differences(wanted: list[dict[str, Any]], log: list[dict[str, Any]]) -> list[Difference]:
    entries = iter(log)
    for at, want in enumerate(wanted):
        if not any(_within(want, entry) for entry in entries):
            alike = [entry for entry in log if entry.get("type") == want.get("type")]
            return [Difference(f"log[{at}]", want, alike)]
    return []


def _effect_differences(wanted: list[dict[str, Any]] | None, calls: list[dict[str, Any]]) -> list[Difference]:
    if wanted is None:
        return []
    got = [{name: call.get(name) for name in ("function", "arguments")} for call in calls]
    same = len(got) == len(wanted) and all(map(_within, wanted, got))
    return [] if same else [Difference("effects", wanted, got)]


def _reason_differences(expected: Expected, outcome: Mapping[str, Any]) -> list[Difference]:
    errors = outcome.get("context", {}).get("____execution_errors____", [])
    differences = []
    if expected.error is not None and not (errors and expected.error in errors[0]["error"]):
        differences.append(Difference("error", expected.error, errors[0]["error"] if errors else None))
    if expected.code is not None and outcome.get("code") != expected.code:
        differences.append(Difference("code", expected.code, outcome.get("code")))
    tried = outcome.get("reason", {}).get("workflows", [])
    seen = {entry["rule"]["field"]: entry.get("seen") for entry in tried if "rule" in entry}
    if not _within(expected.seen, seen):
        differences.append(Difference("seen", expected.seen, seen))
    return differences


def _within(wanted: Any, got: Any) -> bool:
    """Whether everything that is wanted is there; objects may have more fields."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return all(name in got and _within(value, got[name]) for name, value in wanted.items())
    return bool(wanted == got)
