"""The error tree is what the docstring draws, every class has a code of its own, and says itself what it means."""

import inspect
import re

import pytest

from pulse.core import errors
from pulse.core.errors import Fault, InvalidFields, PulseError

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, PulseError) and each.__module__ == errors.__name__
]
_LINE = re.compile(r"^(?P<indent>[│├└─ ]*)(?P<name>[A-Z][A-Za-z]+)\b")


def drawn_tree() -> dict[str, str]:
    """Of each class in the drawing the class above it."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").split("\n\n", 1)[1].splitlines():
        match = _LINE.match(line)
        assert match, f"a line of the drawing that cannot be read: {line!r}"
        depth = len(match["indent"]) // 3
        del path[depth:]
        parents[match["name"]] = path[-1] if path else "Exception"
        path.append(match["name"])
    return parents


def test_the_drawn_tree_lists_exactly_the_classes_and_their_parents() -> None:
    assert drawn_tree() == {each.__name__: each.__bases__[0].__name__ for each in CLASSES}


def test_every_class_has_a_code_of_its_own() -> None:
    assert all("code" in vars(each) for each in CLASSES)
    codes = [each.code for each in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", [each for each in CLASSES if each is not InvalidFields])
def test_the_docstring_is_the_message(kind: type[PulseError]) -> None:
    doc = (kind.__doc__ or "").strip()
    assert doc
    assert "\n" not in doc
    error = kind(limit=3)
    assert (str(error), error.message, error.details) == (doc, doc, {"limit": 3})


def test_a_message_of_ones_own_takes_its_place() -> None:
    assert errors.NotFound("No workflow has this name.").message == "No workflow has this name."


CODES = [
    "already_running",
    "conflict",
    "denied",
    "error",
    "forbidden",
    "idempotency_conflict",
    "invalid_fields",
    "invalid_input",
    "invalid_json",
    "invalid_message",
    "lease_lost",
    "misconfigured",
    "not_found",
    "stale_revision",
    "storage_down",
    "storage_full",
    "storage_read_only",
    "too_large",
    "unauthenticated",
    "unavailable",
]


def test_a_code_never_goes_away() -> None:
    assert set(CODES) <= {each.code for each in CLASSES}


def test_faults_of_fields_are_told_with_their_place() -> None:
    faults = [Fault("name", "missing", "is missing"), Fault("", "odd", "is odd"), Fault("a.b", "odd", "is odd")]
    assert InvalidFields(faults).message == "name: is missing (and 2 more)"
    assert InvalidFields(faults[1:2]).message == "body: is odd"
    assert InvalidFields(faults).faults == faults
