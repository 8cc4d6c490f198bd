"""What commands of prompts read: texts and values, from files, standard input and arguments."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from pulse.cli.models.secrets import read_file
from pulse.core.errors import InvalidInput, InvalidJson
from pulse.core.json import parse

# Of a file with many rows; how large one row may be is for the API to say.
MAX_KEYS = 1_000_000


def read_text(path: Path) -> str:
    """The text of a file, or of standard input where it is `-`. Raises NotFound, InvalidInput."""
    if str(path) != "-":
        return read_file(path)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("Standard input is not UTF-8 text.") from None


def read_prompt(path: Path) -> str:
    """A text without the line break at its end, which editors add. Raises NotFound, InvalidInput."""
    return re.sub(r"\r?\n\Z", "", read_text(path))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of values as JSON: one, a list of them, or one a line. Raises NotFound, InvalidInput."""
    text = read_text(path)
    try:
        found = _json(text)
    except InvalidJson:
        found = [_line(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows = found if isinstance(found, list) else [found]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput("Rows of values are JSON objects: one, a list of them, or one a line.")
    return rows


def read_values(path: Path) -> dict[str, Any]:
    """One object of values as JSON. Raises NotFound, InvalidInput."""
    try:
        found = _json(read_text(path))
    except InvalidJson as error:
        raise InvalidInput(f"The values: {error.message}") from None
    if not isinstance(found, dict):
        raise InvalidInput("A set of values is one JSON object.")
    return found


def pairs(texts: Sequence[str], hint: str) -> dict[str, str]:
    """The values of arguments like `issue.title=Crash`. Raises BadParameter."""
    cut = [text.partition("=") for text in texts]
    if any(not name or not sign for name, sign, _ in cut):
        raise typer.BadParameter("Give a placeholder and its text, as in issue.title=Crash.", param_hint=hint)
    return {name: text for name, _, text in cut}


def _line(line: str, number: int) -> Any:
    try:
        return _json(line)
    except InvalidJson as error:
        raise InvalidInput(f"Line {number} of the values: {error.message}") from None


def _json(text: str) -> Any:
    return parse(text.encode(), max_keys=MAX_KEYS)
