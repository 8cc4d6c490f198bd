"""`pulse up` as a process of its own, started, stopped, frozen and killed as a test likes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.rig.door import Door
from tests.chaos.rig.until import until
from tests.warm.start import Popen, run

PULSE = (str(Path(sys.executable).with_name("pulse")),)
CARELESS = (sys.executable, str(Path(__file__).with_name("careless.py")))
READY_S = 60.0
STOPPED_S = 40.0
TICKS = 5
# Below the range that the system takes the ports of outgoing connections from: a port stays free while Pulse is down.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    choose = Random()
    for _ in range(200):
        port = choose.choice(PORTS)
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")


def command(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """A `pulse` command, from its start to its end."""
    return run([*PULSE, *arguments], environment={**os.environ, **(environment or {})}, timeout_s=READY_S)


@dataclass
class Pulse:
    """A platform on the folder `data`, at a port that stays the same; what it logs is appended to `log`."""

    data: Path
    log: Path
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = PULSE
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Starts it; it may not be ready yet."""
        arguments = ["up", "--no-demo", "--port", str(self.port), "--data", str(self.data)]
        with self.log.open("ab") as log:
            self._process = Popen(
                [*self.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def start_and_wait(self) -> "Pulse":
        self.start()
        self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds: float = READY_S) -> None:
        with closing(Door(self.port, timeout=5)) as door:
            until(lambda: self._is_ready(door), seconds, f"ready; the log ends: {self.log_tail()}")

    def _is_ready(self, door: Door) -> bool:
        assert self.process.poll() is None, f"It ended with {self.process.returncode}: {self.log_tail()}"
        answer = door.send("GET", "/readyz")
        return answer is not None and answer.status == 200

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "it was never started"
        return self._process

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def credentials(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / "credentials.json").read_text())
        return found

    def door(self, *, timeout: float = 30.0) -> Door:
        """A connection with the demo's key."""
        return Door(self.port, self.credentials["apiKey"], timeout=timeout)

    def log_tail(self, characters: int = 3_000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.is_file() else ""

    # ---- ends ------------------------------------------------------------------------------------------------

    def kill(self) -> list[int]:
        """Kill -9 for the process group. Returns the sandbox processes, which must die with it by themselves."""
        assert self.runs, f"It ended by itself with {self.process.returncode}: {self.log_tail()}"
        # Stopped first, so that no child is born between the look and the kill.
        self.freeze()
        children = children_of(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        return children

    def kill_and_see_children_die(self) -> None:
        children = self.kill()
        until(lambda: not any(map(is_alive, children)), 5, f"the sandbox processes {children} die with Pulse")

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPPED_S)

    def freeze(self) -> None:
        """SIGSTOP for the process itself; sandbox processes go on."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


MakePulse = Callable[..., Pulse]


def children_of(pid: int) -> list[int]:
    """The living children of a process."""
    return [child for child in _processes() if _stat(child)[1:2] == [str(pid)] and is_alive(child)]


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is more than an exit code waiting to be read."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def cpu_ticks(pid: int) -> int:
    """How much the process has computed, in the kernel's ticks."""
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def kill_the_busy_one(pulse: Pulse) -> None:
    """Kill -9 for the sandbox process that is computing."""
    before = {child: cpu_ticks(child) for child in children_of(pulse.process.pid)}

    def busy() -> list[int]:
        return [child for child in children_of(pulse.process.pid) if cpu_ticks(child) - before.get(child, 0) > TICKS]

    os.kill(until(busy, 30, "a sandbox process computes", every=0.005)[0], signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
