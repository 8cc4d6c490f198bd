"""How large things are: files, functions, classes, nesting, folders.

A function is as long as its body without the docstring, from the first statement to the end of the last; what is
defined inside it counts as its own and as the outer one's. A class is as long as it stands in the file, decorators
apart. Nesting counts the blocks around the deepest statement of a function: an `elif` is no deeper than its `if`, and
a function defined inside starts again at zero.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
NOT_COUNTED = {"__init__.py", "py.typed"}


@dataclass(frozen=True)
class Limit:
    """Over `ask`, a reason is wanted; over `stop`, there is none."""

    ask: int
    stop: int | None


LIMITS = {
    "file": Limit(300, 500),
    "test file": Limit(300, 600),
    "function": Limit(40, 60),
    "class": Limit(250, 350),
    "nesting": Limit(3, None),
    "folder": Limit(15, 15),
}


@dataclass(frozen=True)
class Size:
    kind: str
    where: str
    size: int

    @property
    def limit(self) -> Limit:
        return LIMITS[self.kind]


def of_file(path: Path, source: str) -> Iterator[Size]:
    kind = "test file" if path.parts[0] == "tests" else "file"
    yield Size(kind, str(path), len(source.splitlines()))
    if path.suffix == ".py":
        yield from of_definitions(str(path), ast.parse(source).body, "")


def of_definitions(path: str, body: list[ast.stmt], outer: str) -> Iterator[Size]:
    for node in body:
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            for part in parts(node):
                yield from of_definitions(path, part, outer)
            continue
        name = f"{outer}.{node.name}".lstrip(".")
        where = f"{path}::{name}"
        if isinstance(node, ast.ClassDef):
            yield Size("class", where, lines(node.lineno, node))
        else:
            yield Size("function", where, body_lines(node))
            yield Size("nesting", where, nesting(node.body))
        yield from of_definitions(path, node.body, name)


def lines(first: int, last: ast.stmt) -> int:
    return (last.end_lineno or first) - first + 1


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return lines(first_line(body[0]), body[-1]) if body else 0


def first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, (*FUNCTIONS, ast.ClassDef)) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def nesting(body: list[ast.stmt]) -> int:
    return max((depth(node) for node in body), default=0)


def depth(node: ast.stmt) -> int:
    if isinstance(node, ast.ClassDef):
        return nesting(node.body)
    if not isinstance(node, BLOCKS):
        return 0
    if isinstance(node, ast.If) and is_elif(node.orelse):
        return max(1 + nesting(node.body), depth(node.orelse[0]))
    return 1 + max(map(nesting, parts(node)), default=0)


def is_elif(orelse: list[ast.stmt]) -> bool:
    """An `else` that holds one `if` and nothing else is counted as `elif`, which is what it says."""
    return len(orelse) == 1 and isinstance(orelse[0], ast.If)


def parts(node: ast.stmt) -> list[list[ast.stmt]]:
    """The lists of statements directly below a compound statement."""
    handlers = chain(getattr(node, "handlers", ()), getattr(node, "cases", ()))
    below = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    return below + [handler.body for handler in handlers]


def of_folders(paths: Iterable[Path]) -> Iterator[Size]:
    entries: dict[Path, set[str]] = defaultdict(set)
    for path in paths:
        for entry in (path, *path.parents[:-1]):
            entries[entry.parent].add(entry.name)
    for folder, names in sorted(entries.items()):
        yield Size("folder", str(folder), len(names - NOT_COUNTED))
