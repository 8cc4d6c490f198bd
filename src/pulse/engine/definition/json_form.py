"""Workflows as JSON, in the seed's camelCase, and the JSON Schema of it.

What a workflow leaves at its default is left out. A delay is `delayMs`, whatever unit it was written in.
"""

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pulse.core.errors import Fault, InvalidFields
from pulse.engine.checked import faults_in
from pulse.engine.definition.steps import KINDS, MS, Delay, Parallel, RetryPolicy, Step
from pulse.engine.definition.workflow import RateLimit, Workflow

SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"
JsonDict = dict[str, Any]


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def to_json(workflow: Workflow) -> JsonDict:
    """The workflow as plain JSON values; `from_json` gives an equal one back, with its delays in milliseconds."""
    return _record(workflow)


def _record(record: Any) -> JsonDict:
    if isinstance(record, Delay):
        return {"type": "delay", "name": record.name, "delayMs": record.delay_ms, **_config(record.config)}
    kind = {"type": record.type} if type(record) in KINDS.values() else {}
    fields = dataclasses.fields(record)
    said = {camel(f.name): _plain(getattr(record, f.name)) for f in fields if getattr(record, f.name) != _default(f)}
    return kind | said


def _config(config: Mapping[str, Any]) -> JsonDict:
    return {"config": dict(config)} if config else {}


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _record(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value.isoformat() if isinstance(value, datetime) else value


def from_json(value: object) -> Workflow:
    """The workflow that the JSON says. Raises InvalidFields with the path of every fault of form."""
    reader = _Reader()
    workflow: Workflow | None = reader.record(Workflow, value, "")
    if reader.faults or workflow is None:
        raise InvalidFields(reader.faults)
    return workflow


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def record(self, cls: type, value: object, path: str) -> Any:
        """One record of that class; None where something is wrong with it."""
        first = len(self.faults)
        if not isinstance(value, Mapping):
            return self._fault(path, "not_an_object", "This must be a JSON object.")
        known = {_json_name(cls, field.name): field for field in _written(cls)}
        unknown = [name for name in value if name not in known and not (name == "type" and cls in KINDS.values())]
        for name in unknown:
            self._fault(_at(path, name), "unknown", f"{name} is not known here: use {', '.join(sorted(known))}.")
        missing = [name for name in _required(cls) if name not in value]
        for name in missing:
            self._fault(_at(path, name), "missing", f"{name} is missing.")
        given: JsonDict = {}
        for name in value:
            before = len(self.faults)
            read = self._value(name, value[name], _at(path, name)) if name in known else None
            if name in known and len(self.faults) == before:
                given[known[name].name] = read
        for fault in faults_in(cls, given):
            self._fault(_at(path, _json_name(cls, fault.path)), fault.code, fault.message)
        return cls(**given) if len(self.faults) == first else None

    def _value(self, name: str, value: object, path: str) -> Any:
        if name == "steps":
            return self._steps(value, path)
        if name == "branches":
            return self._branches(value, path)
        if name == "delayMs" and isinstance(value, float):
            return self._fault(path, "wrong_type", f"delayMs must be a whole number, not {value}.")
        if name in _NESTED and value is not None:
            return self.record(_NESTED[name], value, path)
        if name in ("retryOn", "giveUpOn") and isinstance(value, list):
            return tuple(value)
        return self._moment(value, path) if name == "runAt" and isinstance(value, str) else value

    def _steps(self, value: object, path: str) -> Any:
        if not isinstance(value, list):
            return self._fault(path, "not_a_list", "Steps are a list.")
        return tuple(self._step(each, f"{path}.{index}") for index, each in enumerate(value))

    def _branches(self, value: object, path: str) -> Any:
        if not isinstance(value, list):
            return self._fault(path, "not_a_list", "Branches are a list of lists of steps.")
        return tuple(self._steps(branch, f"{path}.{number}") for number, branch in enumerate(value))

    def _step(self, value: object, path: str) -> Any:
        kind = value.get("type") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(kind, str) or kind not in KINDS:
            return self._fault(_at(path, "type"), "unknown_type", f"A step has a type: one of {', '.join(KINDS)}.")
        return self.record(KINDS[kind], value, path)

    def _moment(self, value: str, path: str) -> Any:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return self._fault(path, "not_a_time", "This must be a time such as 2026-03-01T08:00:00Z.")

    def _fault(self, path: str, code: str, message: str) -> Any:
        self.faults.append(Fault(path, code, message))


_NESTED: dict[str, type] = {"retryPolicy": RetryPolicy, "rateLimit": RateLimit}


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _json_name(cls: type, name: str) -> str:
    """The name in JSON of a field, or of a place within one (`retry_on.0`)."""
    return "delayMs" if cls is Delay and name == "ms" else camel(name)


def _written(cls: type) -> list[Any]:
    """The fields that stand in JSON: of a delay, one for its time."""
    fields: Any = dataclasses.fields(cls)
    return [field for field in fields if cls is not Delay or field.name == "ms" or field.name not in MS]


def _required(cls: type) -> list[str]:
    return [_json_name(cls, field.name) for field in _written(cls) if _is_required(field) or field.name == "ms"]


def _is_required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def json_schema() -> JsonDict:
    """The JSON Schema of `to_json`'s form, draft 2020-12."""
    steps = {kind: _schema_of(cls) for kind, cls in KINDS.items()}
    steps["delay"]["properties"]["delayMs"] = {"type": "integer"}
    anything: JsonDict = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in steps]}
    return {
        "$schema": SCHEMA_URL,
        "title": "Pulse workflow",
        **_schema_of(Workflow),
        "$defs": {
            **steps,
            "step": anything,
            "retryPolicy": _schema_of(RetryPolicy),
            "rateLimit": _schema_of(RateLimit),
        },
    }


def _schema_of(cls: type) -> JsonDict:
    hints = typing.get_type_hints(cls, localns={"Step": Step, "Parallel": Parallel})
    kind = next((kind for kind, each in KINDS.items() if each is cls), None)
    head: JsonDict = {"type": {"const": kind}} if kind else {}
    return {
        "type": "object",
        "description": re.split(r"\n\s*\n", cls.__doc__ or "")[0],
        "properties": head | {_json_name(cls, each.name): _schema(hints[each.name]) for each in _written(cls)},
        "required": [*head, *_required(cls)],
        "additionalProperties": False,
    }


_SIMPLE: dict[Any, JsonDict] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    RetryPolicy: {"$ref": "#/$defs/retryPolicy"},
    RateLimit: {"$ref": "#/$defs/rateLimit"},
    Step: {"$ref": "#/$defs/step"},
}


def _schema(wanted: Any) -> JsonDict:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted in _SIMPLE:
        return _SIMPLE[wanted]
    if origin in (typing.Union, types.UnionType):
        # A class stands in JSON as its name.
        given = [_schema(each) for each in arguments if typing.get_origin(each) is not type]
        return given[0] if len(given) == 1 else {"anyOf": given}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is Sequence:
        return {"type": "array", "items": _schema(arguments[0])}
    return {"type": "object"}
