"""What commands print: tables and sentences for people, JSON alone for programs."""

import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NoReturn

import anyio
import typer
from rich.console import Console
from rich.table import Table

from pulse.core.errors import InvalidFields, PulseError

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
FAILED, USAGE = 1, 2


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a command; what goes wrong ends in a sentence and exit code 1."""
    try:
        anyio.run(work, backend_options={"use_uvloop": True})
    except PulseError as error:
        fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has had enough.
        sys.stderr.close()
        raise typer.Exit(FAILED) from None


def fail(error: PulseError) -> NoReturn:
    errors.print(f"[red]pulse:[/red] {_plain(error.message)}")
    faults = error.faults if isinstance(error, InvalidFields) and len(error.faults) > 1 else []
    for fault in faults[:20]:
        errors.print(f"  {_plain(fault.path)}: {_plain(fault.message)}")
    raise typer.Exit(FAILED)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table, or the sentence `empty` where there are no rows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(_plain("" if cell is None else str(cell)) for cell in row))
        count += 1
    if count:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    else:
        console.print(empty)


def say(sentence: str) -> None:
    """Something for people to read, on stderr: stdout is for what was asked for."""
    errors.print(sentence)


def _plain(text: str) -> str:
    # Text that comes from outside is shown as it is, and moves no cursor.
    visible = "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
    return visible.replace("[", r"\[")
