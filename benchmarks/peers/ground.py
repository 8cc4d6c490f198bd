"""What the engine peers (DBOS, Absurd, BullMQ) stand on: a folder, a virtual environment, a database, a command line.

A peer never shares any of these with Pulse or with another peer, and nothing of them is left when a measurement ends,
but for the cache folder, if one was named.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import asyncpg

Database = Literal["postgresql", "sqlite"]
Shape = Literal["live", "burndown"]

SERVER = "postgresql://postgres@127.0.0.1:5432"
WORKER_SECONDS = 1800


class Measure(Protocol):
    """What each peer's `run.py` offers."""

    def __call__(
        self, database: Database, shape: Shape, seconds: float, runs: int, cache: str | None
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Peer:
    name: str
    version: str
    steps: int

    def figures(self, database: Database, shape: Shape, outcome: dict[str, Any]) -> dict[str, Any]:
        """The peer's part of a benchmark's JSON object, from what its worker counted."""
        rate = outcome["runs"] / outcome["seconds"]
        return {
            "name": self.name,
            "version": self.version,
            "database": database,
            "shape": shape,
            "runsPerSecond": round(rate, 1),
            "stepsPerSecond": round(rate * self.steps, 1),
            "runs": outcome["runs"],
            "seconds": round(outcome["seconds"], 2),
            "steps": self.steps,
            "verified": outcome["total"],
            "settings": outcome["settings"],
        }


@contextmanager
def folder(cache: str | None, name: str) -> Iterator[Path]:
    """Where to install: below the cache folder, or below a temporary one."""
    with tempfile.TemporaryDirectory(prefix="pulse-peer-") as temporary:
        chosen = Path(cache or temporary).resolve() / name
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen


def python(where: Path, requirements: Path) -> str:
    """The interpreter of a virtual environment that holds `requirements`; made unless it is there already."""
    interpreter, installed = where / "bin" / "python", where / "installed.txt"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(where)], check=True, stdout=sys.stderr)
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True, stdout=sys.stderr)
        shutil.copy(requirements, installed)
    return str(interpreter)


def pinned(requirements: Path, package: str) -> str:
    lines = (line.partition("==") for line in requirements.read_text().splitlines())
    return next(version for name, _, version in lines if name == package)


@contextmanager
def postgres(name: str) -> Iterator[str]:
    """The URL of an empty database with durable commits; dropped at the end, whoever may still be connected."""
    database = f"pulse_peer_{name}_{os.getpid()}"
    drop = f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'
    query(f"{SERVER}/postgres", drop)
    query(f"{SERVER}/postgres", f'CREATE DATABASE "{database}"')
    try:
        url = f"{SERVER}/{database}"
        for setting in ("synchronous_commit", "fsync"):
            if (found := query(url, f"SHOW {setting}")[0][0]) != "on":
                raise SystemExit(f"{setting} is {found}: commits are not durable, so nothing is measured.")
        yield url
    finally:
        query(f"{SERVER}/postgres", drop)


def query(url: str, statement: str) -> list[Sequence[Any]]:
    async def fetch() -> list[Sequence[Any]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def work(command: Sequence[str], **arguments: object) -> dict[str, Any]:
    """Runs a peer's worker in a process of its own; what it prints last is what it counted."""
    done = subprocess.run(
        [*command, json.dumps(arguments)], check=True, stdout=subprocess.PIPE, text=True, timeout=WORKER_SECONDS
    )
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def complete(outcome: dict[str, Any], started: int, completed: int) -> None:
    """Every run that the worker ever started stands in the database as completed, with all its steps' results."""
    if not outcome["total"] == started == completed or completed < outcome["runs"]:
        raise SystemExit(f"Counted {outcome}, but {started} runs are stored, {completed} of them complete.")


def command_line(description: str, measure: Measure, databases: Sequence[Database]) -> None:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--database", choices=databases, default=databases[0])
    parser.add_argument("--shape", choices=("live", "burndown"), default="live")
    parser.add_argument("--seconds", type=float, default=10, help="live: the window, after a warm-up")
    parser.add_argument("--runs", type=int, default=1000, help="burndown: how many are enqueued beforehand")
    parser.add_argument("--cache", help="folder to install into and to reuse; a temporary one otherwise")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    load = round(os.getloadavg()[0], 2)
    figures = measure(wanted.database, wanted.shape, wanted.seconds, wanted.runs, wanted.cache)
    print(json.dumps({**figures, "loadBefore": load}))
