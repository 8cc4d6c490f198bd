"""No file, function, class or folder outgrows a reader; what is larger than usual says why in sizes_allowed.toml."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture import sizes, tree
from tests.architecture.sizes import Size

PYTHON = ("src", "tests", "scripts", "benchmarks", "examples")
JAVASCRIPT = "src/pulse/sandbox"
# One entry a package, and the layers contract lists each of them: that is the limit here.
FLOORS = ("src/pulse", "tests/unit", "tests/contract", "tests/integration")
ROOM_TO_GROW = 1.1
ALLOWED = tree.ROOT / "tests/architecture/sizes_allowed.toml"


def measured() -> list[Size]:
    paths = tree.below(*PYTHON, suffix=".py") + tree.below(JAVASCRIPT, suffix=".js")
    found = [size for path in paths for size in sizes.of_file(path, tree.text(path) or "")]
    return found + [size for size in sizes.of_folders(tree.below("src", "tests")) if size.where not in FLOORS]


def allowances() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads(ALLOWED.read_text(encoding="utf-8")).get("allowed", [])
    return entries


def unexplained(found: list[Size], allowed: list[dict[str, Any]]) -> list[str]:
    ceilings = {(entry["kind"], entry["where"]): entry["size"] for entry in allowed}
    faults = []
    for size in found:
        ceiling = max(size.limit.ask, ceilings.get((size.kind, size.where), 0))
        if size.limit.stop is not None and size.size > size.limit.stop:
            faults.append(f"{size.where}: {size.kind} of {size.size}, over the hard stop of {size.limit.stop}")
        elif size.size > ceiling:
            faults.append(f"{size.where}: {size.kind} of {size.size}, over {ceiling}; split it or explain it")
    return faults


def stale(found: list[Size], allowed: list[dict[str, Any]]) -> list[str]:
    now = {(size.kind, size.where): size for size in found}
    faults = []
    for entry in allowed:
        size = now.get((entry["kind"], entry["where"]))
        if size is None or size.size <= size.limit.ask:
            faults.append(f"{entry['where']}: needs no entry as a {entry['kind']} any more")
        elif entry["size"] > size.size * ROOM_TO_GROW:
            faults.append(f"{entry['where']}: {entry['kind']} of {size.size} now, lower its ceiling of {entry['size']}")
    return faults


def test_everything_has_its_size_or_its_reason() -> None:
    faults = unexplained(measured(), allowances())
    assert not faults, tree.listed(faults)


def test_no_entry_is_stale() -> None:
    faults = stale(measured(), allowances())
    assert not faults, tree.listed(faults)


def test_every_entry_gives_a_reason() -> None:
    for entry in allowances():
        assert set(entry) == {"kind", "where", "size", "reason"}, entry
        assert len(entry["reason"].split()) >= 3, f"{entry['where']}: a reason is a sentence"


def test_the_tests_themselves_are_measured() -> None:
    assert {f"{Path(__file__).relative_to(tree.ROOT)}::measured"} <= {size.where for size in measured()}


# Negative controls: the measure measures, and the rules bite.

LONG = 61


def function(statements: int, docstring: str = "") -> str:
    return "\n".join(["def f():", *([f'    """{docstring}"""'] if docstring else []), *["    x = 1"] * statements])


@pytest.mark.parametrize(
    ("kind", "source", "size"),
    [
        pytest.param("function", function(LONG), LONG, id="long"),
        pytest.param("function", function(LONG, "One.\n\n    Two."), LONG, id="docstring-is-free"),
        pytest.param("function", "class C:\n    async def f(self):\n        x = 1\n\n        y = 2", 3, id="method"),
        pytest.param("function", 'def f():\n    """Only words."""', 0, id="only-words"),
        pytest.param("class", "@d\nclass C:\n    x = 1\n    y = 2", 3, id="class"),
        pytest.param("nesting", "def f():\n    for a in b:\n        if a:\n            pass", 2, id="nested"),
        pytest.param("nesting", "def f():\n    if a: pass\n    elif b: pass\n    else: pass", 1, id="elif"),
        pytest.param(
            "nesting", "def f():\n  try: pass\n  except E:\n    with a:\n      while b: pass", 3, id="handler"
        ),
        pytest.param("nesting", "def f():\n  match a:\n    case 1:\n      if b: pass", 2, id="case"),
        pytest.param("file", "x = 1\n" * 501, 501, id="file"),
    ],
)
def test_measure(kind: str, source: str, size: int) -> None:
    assert [found.size for found in sizes.of_file(Path("src/x.py"), source) if found.kind == kind] == [size]


def test_a_function_below_an_if_is_measured() -> None:
    source = "if X:\n    class C:\n        def f(self): pass\nelse:\n    def g(): pass"
    found = list(sizes.of_definitions("x.py", ast.parse(source).body, ""))
    assert {size.where for size in found} == {"x.py::C", "x.py::C.f", "x.py::g"}


def test_folders_count_files_and_folders() -> None:
    paths = [Path(name) for name in ("a/__init__.py", "a/x.py", "a/b/y.py", "a/b/z.py")]
    assert {size.where: size.size for size in sizes.of_folders(paths)} == {".": 1, "a": 2, "a/b": 2}


def entry(size: int) -> dict[str, Any]:
    return {"kind": "function", "where": "x.py::f", "size": size, "reason": "because of this"}


@pytest.mark.parametrize(
    ("size", "allowed", "unexplained_now", "stale_now"),
    [
        pytest.param(40, [], False, False, id="fine"),
        pytest.param(41, [], True, False, id="unexplained"),
        pytest.param(41, [entry(41)], False, False, id="explained"),
        pytest.param(42, [entry(41)], True, False, id="grown"),
        pytest.param(41, [entry(59)], False, True, id="room-to-grow"),
        pytest.param(40, [entry(41)], False, True, id="no-longer-needed"),
        pytest.param(LONG, [entry(LONG)], True, False, id="hard-stop"),
    ],
)
def test_the_rules_bite(size: int, allowed: list[dict[str, Any]], unexplained_now: bool, stale_now: bool) -> None:
    found = [Size("function", "x.py::f", size)]
    assert bool(unexplained(found, allowed)) is unexplained_now
    assert bool(stale(found, allowed)) is stale_now


def test_an_entry_for_what_is_gone_is_stale() -> None:
    assert stale([], [entry(41)])
