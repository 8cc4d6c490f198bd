"""A `pulse up` of its own: a real process on a free port, and what was told about it when it was ready."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.warm.start import Popen, run

PULSE = Path(sys.executable).with_name("pulse")
# Nothing of the machine's own settings reaches a test.
OURS = ("PULSE_", "SCRIPT_", "SANDBOX_", "MESSAGE_", "MAX_", "ISOLATE_", "WORKER_", "RESULTS_", "CACHE_", "REDIS_")

# A message that one of the demo's workflows labels as a bug.
ISSUE: dict[str, Any] = {
    "type": "github.issues",
    "payload": {
        "action": "opened",
        "issue": {"number": 1, "title": "Crash on start", "body": "It fails"},
        "repository": {"full_name": "demo/app"},
    },
}


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **more}


@dataclass
class Up:
    """A running `pulse up`."""

    process: subprocess.Popen[str]
    folder: Path
    told: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.told["url"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.told['apiKey']}"}

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers=self.headers, timeout=30, trust_env=False)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """The exit code, and what else it said on stdout and stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        said, complained = self.process.communicate(timeout=50)
        return self.process.returncode, said, complained


@contextmanager
def up(folder: Path, *arguments: str, cwd: Path | None = None, **settings: str) -> Iterator[Up]:
    """Starts `pulse up` on the folder, waits until it is ready, and kills it at the end if it is still there."""
    command = [str(PULSE), "up", "--data", str(folder), "--port", "0", "--json", *arguments]
    process = Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**settings), cwd=cwd
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"pulse up ended at once: {process.communicate(timeout=10)}")
        yield Up(process, folder, json.loads(line))
    finally:
        process.kill()
        process.communicate(timeout=20)


def pulse(
    *arguments: str | Path, stdin: str = "", cwd: Path | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command as a process of its own."""
    command = [str(PULSE), *map(str, arguments)]
    return run(command, text=stdin, environment=environment(**settings), folder=cwd)
