"""Secrets come at a prompt, on standard input or in a file: arguments can be read by others on the machine."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from pulse.core.errors import InvalidInput, NotFound


def read_secrets(names: Sequence[str], *, piped: bool) -> list[str]:
    """One secret a name: asked for on a terminal (unless `piped`), or else the lines of standard input, in order.

    Raises InvalidInput where there are more or fewer, without repeating any.
    """
    if not names:
        return []
    if not piped and sys.stdin.isatty():
        return [str(typer.prompt(name, hide_input=True, err=True)) for name in names]
    lines = re.split(r"\r?\n", re.sub(r"(\r?\n)+\Z", "", _text("Standard input", sys.stdin.buffer.read())))
    if len(lines) != len(names) or not all(lines):
        raise InvalidInput(f"Standard input is to have one line each for: {', '.join(names)}.")
    return lines


def read_file(path: Path) -> str:
    """The text of a file. Raises NotFound, InvalidInput."""
    try:
        return _text(str(path), path.read_bytes())
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from None


def refuse_argument(option: str, value: str | None) -> None:
    """Raises a mistake in usage where a secret was given as an argument; `-` says that it comes on standard input."""
    if value not in (None, "-"):
        words = "Others on this machine could read it here. Leave it out to be asked, or give - and pipe it in."
        raise typer.BadParameter(words, param_hint=option)


def _text(what: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not UTF-8 text.") from None
