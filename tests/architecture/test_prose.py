"""What must not be written: promises to oneself, sleeping tests, names that say nothing, the address of a registry."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import tree

# Built from pieces, so that this file may be searched like any other.
PROMISES = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
WRITTEN_BY_HAND = (
    *("", ".css", ".html", ".js", ".mako", ".md", ".mjs", ".py"),
    *(".sh", ".sql", ".toml", ".ts", ".tsx", ".yaml", ".yml"),
)
EMPTY_NAMES = {"util", "utils", "common", "helper", "helpers", "base", "misc", "manager2", "new", "v2"}
# These say nothing as a part of a longer name either: string_utils, new_helpers.
EMPTY_PARTS = EMPTY_NAMES - {"base", "new"}
CODE = {".py", ".js", ".mjs", ".ts", ".tsx"}
REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(host))
        for host in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("deb", "debian", "org"),
            ("security", "debian", "org"),
            ("archive", "ubuntu", "com"),
            ("crates", "io"),
            ("proxy", "golang", "org"),
            ("rubygems", "org"),
            ("docker", "io"),
            ("ghcr", "io"),
            ("jsr", "io"),
        ]
    ),
    re.IGNORECASE,
)


def matches(pattern: re.Pattern[str], path: Path, source: str) -> Iterator[str]:
    for number, line in enumerate(source.splitlines(), 1):
        if found := pattern.search(line):
            yield f"{path}:{number}: {found.group()}"


def sleeps(path: Path, source: str) -> Iterator[str]:
    """Calls of anything named `sleep`; a test waits for an event, and `FakeClock` moves time."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            if name == "sleep":
                yield f"{path}:{node.lineno}: {name}"


def empty_names(path: Path) -> set[str]:
    names = {part.split(".")[0].lower() for part in path.parts}
    parts = {piece for name in names for piece in re.split(r"[_-]", name)}
    return names & EMPTY_NAMES | parts & EMPTY_PARTS


def test_nothing_is_left_for_later() -> None:
    paths = [path for path in tree.files() if path.suffix in WRITTEN_BY_HAND]
    faults = [fault for path in paths for fault in matches(PROMISES, path, tree.text(path) or "")]
    assert not faults, tree.listed(faults)


def test_no_test_sleeps() -> None:
    paths = tree.below("tests", suffix=".py")
    faults = [fault for path in paths for fault in sleeps(path, tree.text(path) or "")]
    assert not faults, tree.listed(faults)


def test_every_module_has_a_name_that_says_something() -> None:
    paths = [path for path in tree.files() if path.suffix in CODE]
    faults = [str(path) for path in paths if empty_names(path)]
    assert not faults, tree.listed(faults)


def test_no_file_names_a_registry() -> None:
    """Lock files and what a machine wrote included: where packages come from is the affair of whoever installs them."""
    paths = [(path, tree.text(path)) for path in tree.everything()]
    faults = [fault for path, source in paths if source for fault in matches(REGISTRIES, path, source)]
    assert not faults, tree.listed(faults)


# Negative controls.


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (PROMISES, "x = 1  # TO" + "DO: later"),
        (PROMISES, "FIX" + "ME"),
        (REGISTRIES, '"resolved": "https://registry.npm' + 'js.org/left-pad"'),
        (REGISTRIES, "--index-url https://py" + "pi.org/simple"),
    ],
)
def test_the_patterns_match(pattern: re.Pattern[str], line: str) -> None:
    assert list(matches(pattern, Path("x"), f"fine\n{line}\n")) == [f"x:2: {pattern.findall(line)[0]}"]


@pytest.mark.parametrize("call", ["sleep(1)", "time.sleep(0.1)", "await asyncio.sleep(0)"])
def test_a_sleep_is_seen(call: str) -> None:
    assert list(sleeps(Path("x.py"), f"async def f():\n    {call}"))


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("src/pulse/utils.py", True),
        ("src/pulse/common/records.py", True),
        ("src/pulse/engine/string_helpers.py", True),
        ("web/src/lib/Misc.ts", True),
        ("src/pulse/engine/v2.py", True),
        ("src/pulse/core/base64.py", False),
        ("src/pulse/messages/new_message.py", False),
    ],
)
def test_an_empty_name_is_seen(path: str, empty: bool) -> None:
    assert bool(empty_names(Path(path))) is empty
