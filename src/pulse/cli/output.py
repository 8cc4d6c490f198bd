"""What commands print: tables and sentences for people, JSON alone for programs."""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TextIO, cast

import anyio
import structlog
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pulse.core.errors import InvalidFields, PulseError

# Nothing that is printed is markup: what comes from outside may look like it.
console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
FAILED, USAGE = 1, 2
# JSON may hold these as they are, and a terminal obeys them: DEL, the C1 controls, marks of direction.
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Answer:
    """What a command prints: JSON for programs, and for people a text, or a function that prints more than that.

    A failure ends in exit code 1.
    """

    json: Any
    text: str | Callable[[], None]
    is_failure: bool = False

    def print(self, *, as_json: bool) -> None:
        if as_json:
            print_json(self.json)
        elif isinstance(self.text, str):
            print_text(self.text)
        else:
            self.text()
        if self.is_failure:
            raise typer.Exit(FAILED)


class LossyStderr:
    """Where logs go: a line that cannot be written (a full disk, a reader that is gone) is lost, and nothing else."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def logs_to_stderr(level: int, *, for_good: bool = False) -> None:
    """Sends logs of this level and above to stderr; `for_good`: loggers are made once, which is quicker."""
    library_logs_to_stderr(level)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, LossyStderr())),
        cache_logger_on_first_use=for_good,
    )


def library_logs_to_stderr(level: int) -> None:
    """The same for what storage and the engine say, which know the standard library's logging only."""
    handler = logging.StreamHandler(cast(TextIO, LossyStderr()))
    handler.setFormatter(logging.Formatter("timestamp=%(asctime)s level=%(levelname)s event=%(message)r"))
    logging.getLogger("pulse").handlers = [handler]
    logging.getLogger("pulse").setLevel(level)


def run(work: Callable[[], Awaitable[Answer | None]], *, as_json: bool = False) -> None:
    """Runs a command and prints its answer, if it has one; what goes wrong ends in a sentence and exit code 1."""
    try:
        answer = anyio.run(work, backend_options={"use_uvloop": True})
        if answer is not None:
            answer.print(as_json=as_json)
    except PulseError as error:
        fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has had enough.
        sys.stderr.close()
        raise typer.Exit(FAILED) from None
    except OSError as error:
        fail(PulseError(f"{error.filename or 'The system'}: {error.strerror or error}."))


def fail(error: PulseError) -> NoReturn:
    errors.print(Text.assemble(("pulse:", "red"), " ", plain(error.message)))
    faults = error.faults if isinstance(error, InvalidFields) and len(error.faults) > 1 else []
    for fault in faults[:20]:
        say(f"  {fault.path}: {fault.message}")
    raise typer.Exit(FAILED)


def print_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table, or the sentence `empty` where there are no rows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(Text(plain("" if cell is None else str(cell))) for cell in row))
        count += 1
    if count:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    else:
        print_text(empty)


def listed(found: dict[str, Any], columns: Sequence[str], empty: str = "None yet.") -> Answer:
    """The rows of a list, for people as a table with these of their fields."""
    rows = ([row.get(column) for column in columns] for row in found["data"])
    return Answer(found, partial(print_table, columns, rows, empty))


def print_text(text: str) -> None:
    """What was asked for, for people to read."""
    console.print(plain(text))


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(sentence: str) -> None:
    """Something for people to read, on stderr: stdout is for what was asked for."""
    errors.print(plain(sentence))


def plain(text: str) -> str:
    """Text that comes from outside as it is, but for what would move a cursor or turn the line around."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
