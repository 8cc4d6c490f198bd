"""A page of the documentation as tests see it: its fenced blocks, what belongs together, and its tables.

yaml workflow    a workflow document, as `pulse workflows apply` takes it
yaml test        a test file for the document above it, as `pulse test` takes it
json log         the whole log of the last case above it
json outcome     a part of that case's outcome
yaml refused     a workflow document that is refused
json faults      its faults
json POST /…     a request (PUT, DELETE); with GET, a part of what is answered
json 201         the status of the answer to the request above it, and a part of it
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
REQUEST = re.compile(r"json (GET|POST|PUT|DELETE) (/\S+)")
ANSWER = re.compile(r"json (\d{3})")
TIMES = re.compile(r"ts|elapsed|\w+Ms|timestamp|parentTimestamp|(?:received|completed|created|updated)At")


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, the heading above it, and the number of its first line."""

    info: str
    text: str
    heading: str
    line: int

    @property
    def place(self) -> str:
        """How a test of it is called."""
        return f"{self.heading} (line {self.line})".encode("ascii", "ignore").decode()


@dataclass
class Example:
    """A document with its test files; `shown` are blocks on the last case of a test file, with that file."""

    document: Block
    tests: list[Block] = field(default_factory=list)
    shown: list[tuple[Block, Block]] = field(default_factory=list)

    @property
    def contents(self) -> dict[str, Any]:
        read: dict[str, Any] = yaml.safe_load(self.document.text)
        return read


@dataclass
class Page:
    """What is on a page: examples, refused documents with their faults, and the requests below each heading."""

    examples: list[Example] = field(default_factory=list)
    refused: list[tuple[Block, Block]] = field(default_factory=list)
    stories: dict[str, list[Block]] = field(default_factory=dict)

    @property
    def tests(self) -> list[tuple[Example, Block]]:
        """Every test file, with the example that it belongs to."""
        return [(example, block) for example in self.examples for block in example.tests]


class UnknownBlock(AssertionError):
    """A block that no test would look at."""


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks. Raises UnknownBlock for code that is not fenced as this module reads it."""
    info, heading, lines, first = None, "", list[str](), 0
    for number, line in enumerate(text.splitlines(), 1):
        if info is None and line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("```") and info is None:
            info, lines, first = line[3:], [], number + 1
        elif line == "```" and info is not None:
            yield Block(info, "\n".join(lines) + "\n", heading, first)
            info = None
        elif info is not None:
            lines.append(line)
        elif re.match(r" {4}|\t|.*(```|~~~)", line):
            raise UnknownBlock(f"line {number}: code stands between ``` at the beginning of a line: {line!r}")
    if info is not None:
        raise UnknownBlock(f"line {first}: the block has no end.")


def read_page(text: str) -> Page:
    """What is on the page. Raises UnknownBlock for a block of no known kind, or that belongs to nothing above it."""
    page, above = Page(), Block("", "", "", 0)
    for block in blocks_of(text):
        if above.info == "yaml refused" and block.info != "json faults":
            raise UnknownBlock(f"line {above.line}: nobody says what is wrong with this document.")
        _add(page, block, above)
        above = block
    untested = [example.document.line for example in page.examples if not example.tests]
    if untested or above.info == "yaml refused":
        raise UnknownBlock(f"no test follows the documents in the lines {untested or above.line}.")
    return page


def _add(page: Page, block: Block, above: Block) -> None:
    example = page.examples[-1] if page.examples and page.examples[-1].document.heading == block.heading else None
    story = page.stories.setdefault(block.heading, [])
    if block.info == "yaml workflow":
        page.examples.append(Example(block))
    elif block.info == "yaml test" and example is not None:
        example.tests.append(block)
    elif block.info in ("json log", "json outcome") and example is not None and example.tests:
        example.shown.append((block, example.tests[-1]))
    elif block.info == "json faults" and above.info == "yaml refused":
        page.refused.append((above, block))
    elif REQUEST.fullmatch(block.info) or (ANSWER.fullmatch(block.info) and story):
        story.append(block)
    elif block.info != "yaml refused":
        raise UnknownBlock(f"line {block.line}: a block {block.info!r} that belongs to nothing above it.")


@cache
def workflow_format() -> str:
    return (ROOT / "docs/reference/workflow-format.md").read_text(encoding="utf-8")


def tables_below(text: str, heading: str) -> list[list[list[str]]]:
    """The tables between a heading and the next one: the cells of their rows, without the head."""
    below = re.split(r"^##+ ", text.split(f"# {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    tables = [match[0].splitlines()[2:] for match in re.finditer(r"(?:^\|.*\n)+", below, re.MULTILINE)]
    return [[[cell.strip() for cell in line.split("|")[1:-1]] for line in table] for table in tables]


def names_in(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def differences(shown: Any, real: Any, path: str = "") -> Iterator[str]:
    """Where `shown` is no part of `real`: `…` in a text stands for anything, times are examples, lists are whole."""
    if isinstance(shown, dict) and isinstance(real, dict):
        for name, value in shown.items():
            if name not in real:
                yield f"{path}.{name} is not there"
            elif not (TIMES.fullmatch(name) and type(value) is type(real[name])):
                yield from differences(value, real[name], f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(real, list) and len(shown) == len(real):
        for at, (one, other) in enumerate(zip(shown, real, strict=True)):
            yield from differences(one, other, f"{path}[{at}]")
    elif isinstance(shown, str) and isinstance(real, str) and "…" in shown:
        if not re.fullmatch(".*".join(map(re.escape, shown.split("…"))), real, re.DOTALL):
            yield f"{path} is {real!r}, not {shown!r}"
    elif shown != real or type(shown) is not type(real):
        yield f"{path} is {real!r}, not {shown!r}"
