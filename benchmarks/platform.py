"""A `pulse up` of its own for a benchmark: on an empty folder and a free port, with the benchmark's workflow."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from benchmarks.workload import PEERS, document

PULSE = [sys.executable, "-m", "pulse.cli.main"]
READY_S = 60


@dataclass(frozen=True)
class Running:
    """Where it is, and what it takes to use it."""

    url: str
    key: str
    data: Path
    pid: int

    def get(self, path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        response = httpx2.get(f"{self.url}{path}", params=query, headers=headers, timeout=60, trust_env=False)
        response.raise_for_status()
        return response.json()

    def pending(self) -> int:
        return int(self.get("/api/messages", status="pending", limit=1)["pagination"]["total"])

    def wait_until_idle(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.pending() > 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.pending()} messages are still pending")
            time.sleep(0.05)


@contextmanager
def platform(environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Starts Pulse with the benchmark's workflow, and ends it."""
    with tempfile.TemporaryDirectory(prefix="pulse-bench-") as folder:
        data = Path(folder) / "data"
        process = start(data, environment)
        try:
            running = _ready(process, data)
            (Path(folder) / "workflow.yaml").write_text(yaml.safe_dump(document()))
            apply = [*PULSE, "workflows", "apply", folder, "--data", str(data)]
            subprocess.run(apply, check=True, capture_output=True)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def start(data: Path, environment: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    command = [
        *PULSE,
        "up",
        "--no-demo",
        "--port",
        "0",
        "--data",
        str(data),
        "--json",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})


def _ready(process: "subprocess.Popen[bytes]", data: Path) -> Running:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if (data / "run.json").exists():
            found = json.loads((data / "credentials.json").read_text())
            return Running(found["url"], found["apiKey"], data, process.pid)
        time.sleep(0.02)
    raise RuntimeError("Pulse did not become ready.")


def wrk(
    running: Running, seconds: int, *, path: str = "/v1/messages", connections: int = 32, script: str = "post.lua"
) -> Any:
    """One run of wrk; its last line as JSON."""
    environment = {**os.environ, "BENCH_PATH": path, "BENCH_KEY": f"Bearer {running.key}"}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(PEERS / script), running.url]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])
