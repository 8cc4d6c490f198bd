"""Many runs at once: counted first, and asked about."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer

from pulse.cli.output import counted
from pulse.core.errors import InvalidInput
from pulse.engine.engine import Engine
from pulse.engine.records import RunStatus
from pulse.engine.store.control import RunFilter

PAGE, MOST = 1000, 10_000
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


async def how_many(engine: Engine, where: RunFilter, statuses: Sequence[RunStatus]) -> int:
    """How many runs of these statuses the filter names; MOST where there are that many or more."""
    count = 0
    for status in statuses if where.status is None else (where.status,):
        last: str | None = None
        while count < MOST:
            page = await engine.list_runs(replace(where, status=status), limit=PAGE, before=last)
            count += len(page)
            if len(page) < PAGE:
                break
            last = page[-1].id
    return min(count, MOST)


def confirmed(what: str, count: int, *, yes: bool) -> bool:
    """Whether to do it: nobody is asked about none. Raises InvalidInput where nobody can be asked."""
    if count == 0 or yes:
        return count > 0
    runs = f"{'at least ' if count == MOST else ''}{counted(count, 'run')}"
    if not _is_a_terminal():
        raise InvalidInput(f"{what} {runs}? Say so with --yes.")
    with _interruptible():
        return typer.confirm(f"{what} {runs}?", err=True)


def _is_a_terminal() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends a prompt, which it would not do while an event loop listens to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
