"""The pages about the engine as tests see them: Python that is executed, and what it prints.

python setup     what the pieces of every section go on from
python           a piece; those of one section (##) are executed one after another, `await` included
python program   a whole program, executed by itself
python test      a whole test file, executed by pytest
text             what the block above it prints
mermaid, sh      not executed
"""

import ast
import contextlib
import inspect
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from tests.integration.docs.page import ROOT, Block, UnknownBlock, blocks_of

EXECUTED = {"python", "python program", "python test"}
SHOWN = {"mermaid", "sh"}


@dataclass
class Piece:
    """A block that is executed, and what it is said to print."""

    block: Block
    printed: str = ""


@dataclass
class Section:
    """What stands below one heading."""

    heading: str
    pieces: list[Piece] = field(default_factory=list)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sections_of(text: str) -> tuple[str, list[Section]]:
    """The setup, and the sections that have something to execute. Raises UnknownBlock for a block of no known kind."""
    setup, sections = "", list[Section]()
    last: Block | None = None
    for heading, block in _with_sections(text):
        if block.info == "python setup":
            setup += block.text
        elif block.info in EXECUTED:
            if not sections or sections[-1].heading != heading:
                sections.append(Section(heading))
            sections[-1].pieces.append(Piece(block))
        elif block.info == "text" and last is not None and last.info in EXECUTED:
            sections[-1].pieces[-1].printed = block.text
        elif block.info not in SHOWN:
            raise UnknownBlock(f"line {block.line}: a block {block.info!r} that nobody executes.")
        last = block
    return setup, sections


def _with_sections(text: str) -> Iterator[tuple[str, Block]]:
    """Each block with the `##` heading above it."""
    lines = text.splitlines()
    for block in blocks_of(text):
        above = [line for line in lines[: block.line] if re.match(r"##? ", line)]
        yield (above[-1].lstrip("# ") if above else ""), block


async def execute(code: str, names: dict[str, Any], place: str) -> str:
    """Runs the code, which may await, with these names; what it prints."""
    compiled = compile(code, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        await _run(compiled, names)
    return printed.getvalue()


async def _run(compiled: CodeType, names: dict[str, Any]) -> None:
    done = eval(compiled, names)  # noqa: S307 - the documentation's own code
    if inspect.isawaitable(done):
        await done
