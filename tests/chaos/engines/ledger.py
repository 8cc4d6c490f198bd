"""The outside ledger of engines: a file to which every worker process adds a line for each call of a handler.

A line is written before the handler does anything, in one write to a file opened for appending, so that lines of many
processes stand in the order in which the calls began, whoever is killed.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call of a handler. `id` is unique; `key` is what the handler would give to whoever it calls."""

    id: str
    pid: int
    run: str
    path: str
    name: str
    key: str
    attempt: int


class Calls:
    """The file, as a worker writes it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._count = 0

    def note(self, **what: Any) -> str:
        """Adds a call; its id."""
        self._count += 1
        call = Call(f"{os.getpid()}-{self._count}", os.getpid(), **what)
        os.write(self._descriptor, (json.dumps(asdict(call)) + "\n").encode())
        return call.id


def read_calls(path: Path) -> list[Call]:
    """What the file says; nothing where no worker has written yet."""
    text = path.read_text() if path.exists() else ""
    return [Call(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]
