"""A PostgreSQL server of the test's own, on a free port, that it may restart as it likes."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.rig.process import free_port
from tests.chaos.rig.until import until

START_S = 30.0
# The server refuses to run as root.
USER = "postgres" if os.geteuid() == 0 else None


def why_not() -> str | None:
    """Why there can be no such server here; None where there can."""
    if shutil.which("initdb") is None or shutil.which("postgres") is None:
        return "the programs initdb and postgres are not on the path"
    return None


@dataclass
class Server:
    """Its data are gone when it is closed."""

    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pulse-postgres-")))
    _process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        if USER is not None:
            shutil.chown(self.folder, USER)
        make = ["initdb", "--pgdata", str(self.folder / "data"), "--auth=trust", "--username=postgres", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, user=USER, cwd="/")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=50"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["postgres", "-D", str(self.folder / "data"), "-p", str(self.port), *settings],
                stdout=log,
                stderr=log,
                user=USER,
                cwd="/",
            )
        until(self._answers, START_S, "the server answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2_000:]
        ask = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        return subprocess.run(ask, check=False).returncode == 0 if shutil.which("pg_isready") else self._listens()

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """At once, as a crash of its machine would: every connection is cut, the next start replays the log."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_S)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
