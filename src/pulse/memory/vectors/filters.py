"""Conditions on documents' metadata: the part of Pinecone's filter language that means the same everywhere.

    {"genre": "drama", "year": {"$gte": 2020}, "$or": [{"tags": {"$in": ["a", "b"]}}, {"draft": {"$exists": false}}]}

`$eq`, `$ne` (text, number, boolean), `$gt`, `$gte`, `$lt`, `$lte` (number), `$in`, `$nin` (list), `$exists`, `$and`,
`$or`; a plain value means `$eq`, several fields mean `$and`. Of a field that is a list, `$eq` and `$in` want one of its
texts, `$ne` and `$nin` none. `$ne` and `$nin` hold where there is no such field, everything else but `$exists` does
not. Numbers are compared as numbers (1 is 1.0) and never with booleans or text.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pulse.core.errors import Fault, InvalidFields

MAX_DEPTH = 8
MAX_TERMS = 100
MAX_LIST = 500
Predicate = Callable[[Mapping[str, Any]], bool]
_MISSING = object()


def condition_of(given: Any) -> Predicate:
    """What tells whether metadata meets a condition. Raises InvalidFields with the path of what is wrong."""
    return _Reader().all_of(given, "filter", 1)


class _Reader:
    """Reads one condition, and counts its terms."""

    def __init__(self) -> None:
        self._left = MAX_TERMS

    def all_of(self, given: Any, path: str, depth: int) -> Predicate:
        if not isinstance(given, Mapping) or not given:
            raise _fault(path, 'A filter is an object with at least one field, such as {"genre": "drama"}.')
        if depth > MAX_DEPTH:
            raise _fault(path, f"A filter is at most {MAX_DEPTH} levels deep.")
        parts = [self._part(name, value, f"{path}.{name}", depth) for name, value in given.items()]
        return lambda metadata: all(part(metadata) for part in parts)

    def _part(self, name: Any, given: Any, path: str, depth: int) -> Predicate:
        self._left -= 1
        if self._left < 0:
            raise _fault("filter", f"A filter has at most {MAX_TERMS} terms.")
        if name in ("$and", "$or"):
            return self._several(name, given, path, depth)
        if not isinstance(name, str) or name.startswith("$"):
            raise _fault(path, f"There is no {name} here: use $and or $or, or the name of a field.")
        terms = given if isinstance(given, Mapping) else {"$eq": given}
        if not terms:
            raise _fault(path, 'A field is compared with something, such as {"$gt": 3}.')
        self._left -= len(terms)
        tests = [_term(operator, operand, f"{path}.{operator}") for operator, operand in terms.items()]
        return lambda metadata: all(test(metadata.get(name, _MISSING)) for test in tests)

    def _several(self, name: str, given: Any, path: str, depth: int) -> Predicate:
        if not isinstance(given, list) or not given:
            raise _fault(path, f"{name} takes a list of filters.")
        parts = [self.all_of(each, f"{path}.{place}", depth + 1) for place, each in enumerate(given)]
        if name == "$or":
            return lambda metadata: any(part(metadata) for part in parts)
        return lambda metadata: all(part(metadata) for part in parts)


def _term(operator: Any, operand: Any, path: str) -> Callable[[Any], bool]:
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise _fault(path, "$exists takes true or false.")
        return lambda value: (value is not _MISSING) is operand
    if operator in ("$eq", "$ne"):
        return _among([operand], path, wanted=operator == "$eq")
    if operator in ("$in", "$nin"):
        if not isinstance(operand, list) or not 1 <= len(operand) <= MAX_LIST:
            raise _fault(path, f"{operator} takes a list of 1 to {MAX_LIST} values.")
        return _among(operand, path, wanted=operator == "$in")
    if operator not in _ORDERS:
        raise _fault(path, f"There is no {operator}: use $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin or $exists.")
    if not _is_number(operand):
        raise _fault(path, f"{operator} takes a number.")
    compare = _ORDERS[operator]
    return lambda value: _is_number(value) and compare(value, operand)


def _among(operands: list[Any], path: str, *, wanted: bool) -> Callable[[Any], bool]:
    for operand in operands:
        if not isinstance(operand, str | int | float):
            raise _fault(path, "A field is compared with text, a number, or a boolean.")
    known = {_distinct(operand) for operand in operands}

    def test(value: Any) -> bool:
        if value is _MISSING:
            return not wanted
        values = value if isinstance(value, list) else [value]
        return any(_distinct(each) in known for each in values) is wanted

    return test


def _distinct(value: Any) -> tuple[bool, Any]:
    """To Python, True is 1."""
    return isinstance(value, bool), value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, bound: value > bound,
    "$gte": lambda value, bound: value >= bound,
    "$lt": lambda value, bound: value < bound,
    "$lte": lambda value, bound: value <= bound,
}


def _fault(path: str, message: str) -> InvalidFields:
    return InvalidFields([Fault(path[:200], "invalid_filter", message)])
