"""Worker processes, started, stopped, frozen and killed as a test likes."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.rig.until import until
from tests.warm.start import Popen

ROOT = Path(__file__).parents[3]
READY_S = 60.0
STOPPED_S = 30.0


@dataclass
class Worker:
    """One place for a worker process; a new process takes it after each death. `log` gets what all of them say."""

    arguments: Sequence[str]
    log: Path
    _process: "subprocess.Popen[bytes] | None" = None
    _starts: int = 0

    def start(self, *how: str) -> "Worker":
        """Starts a process; it may not be ready yet."""
        self._starts += 1
        with self.log.open("ab") as log:
            self._process = Popen(
                [sys.executable, "-m", "tests.chaos.engines.worker", *self.arguments, *how],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def wait_until_ready(self) -> "Worker":
        until(self._is_ready, READY_S, "the worker is ready")
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log_tail()}"
        return self.log.read_text(errors="replace").splitlines().count("ready") >= self._starts

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it was never started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """Kill -9."""
        assert self.process.poll() is None, f"it ended by itself with {self.process.returncode}: {self.log_tail()}"
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(10) == -signal.SIGKILL
        # It may not have come so far as to say it.
        self._starts = self.log.read_text(errors="replace").splitlines().count("ready")

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPPED_S)

    def freeze(self) -> None:
        """SIGSTOP; returns when it stands still."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def log_tail(self, characters: int = 3_000) -> str:
        return self.log.read_text(errors="replace")[-characters:]

    def end(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
