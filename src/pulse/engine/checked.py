"""Frozen records that check the types of their fields when they are made.

`@checked` makes a frozen dataclass of a class whose annotations are plain types, unions, Literals, tuples, mappings, or
other records. A value of another type raises InvalidFields with the path of each such field; what values are allowed
beyond their types is not looked at here.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, dataclass_transform

from pulse.core.errors import Fault, InvalidFields

T = TypeVar("T")
Test = Callable[[Any], bool]
# What is taken where the class says a tuple, or a sequence.
_LISTS: dict[Any, Any] = {tuple: (tuple,), Sequence: (list, tuple)}


@dataclass_transform(frozen_default=True)
def checked(cls: type[T]) -> type[T]:
    """The class as a frozen dataclass whose fields are checked after `__post_init__`, if it has one."""
    prepare: Callable[[Any], None] | None = cls.__dict__.get("__post_init__")

    def check(self: Any) -> None:
        if prepare is not None:
            prepare(self)
        faults = wrong_types(self)
        if faults:
            raise InvalidFields(faults)

    cls.__post_init__ = check  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True)(cls)


def wrong_types(record: object) -> list[Fault]:
    """A fault for each field whose value is not of the type that the class says."""
    return faults_in(type(record), vars(record))


def faults_in(cls: type, values: Mapping[str, Any]) -> list[Fault]:
    """A fault for each of these values of fields that is not of the type that the class says."""
    return [
        Fault(path, "wrong_type", f"{cls.__name__}.{path} must be {words(wanted)}, not {said(value)}.")
        for name, hint, fits in tests_of(cls)
        if name in values and not fits(values[name])
        for path, wanted, value in misfits(name, hint, values[name])
    ]


def misfits(path: str, wanted: Any, value: Any) -> list[tuple[str, Any, Any]]:
    """Where in the value, which does not fit, the fault is: in a list, at each element that does not."""
    origin = typing.get_origin(wanted)
    if origin not in _LISTS or not isinstance(value, _LISTS[origin]):
        return [(path, wanted, value)]
    inner = typing.get_args(wanted)[0]
    return [
        misfit
        for index, each in enumerate(value)
        if not test_of(inner)(each)
        for misfit in misfits(f"{path}.{index}", inner, each)
    ]


def said(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:59] + '…'}"


@functools.cache
def tests_of(cls: type) -> tuple[tuple[str, Any, Test], ...]:
    """The fields of the class: name, type, and whether a value is of it."""
    hints = typing.get_type_hints(cls)
    fields: Any = dataclasses.fields(cls)
    return tuple((field.name, hints[field.name], test_of(hints[field.name])) for field in fields)


def test_of(wanted: Any) -> Test:
    """Whether a value is of that type; an int passes for a float, a bool for no number."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any or isinstance(wanted, TypeVar):
        return lambda _value: True
    if origin in (typing.Union, types.UnionType):
        tests = [test_of(each) for each in arguments]
        return lambda value: any(test(value) for test in tests)
    if origin is Literal:
        return lambda value: any(value == each and type(value) is type(each) for each in arguments)
    if origin in _LISTS:
        inner, kinds = test_of(arguments[0]), _LISTS[origin]
        return lambda value: isinstance(value, kinds) and all(map(inner, value))
    if origin is not None and issubclass(origin, Mapping):
        return lambda value: isinstance(value, dict | Mapping) and all(isinstance(key, str) for key in value)
    if origin is not None and (issubclass(origin, type) or not issubclass(origin, Sequence)):
        return (lambda value: isinstance(value, type)) if issubclass(origin, type) else callable
    if wanted is float:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    return lambda value: isinstance(value, wanted)


_NAMES: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "True or False", Any: "anything"}


def words(wanted: Any) -> str:
    """The type, for a sentence."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted in _NAMES:
        return _NAMES[wanted]
    if wanted is type(None):
        return "None"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(words(each) for each in arguments)
    if origin is Literal:
        return " or ".join(repr(each) for each in arguments)
    if origin in _LISTS:
        return f"a list of {words(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return "a dict with text keys"
    return getattr(wanted, "__name__", str(wanted))
