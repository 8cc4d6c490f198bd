"""Pulse as it is after it was installed: the `pulse` command, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.rig.until import until

ROOT = Path(__file__).parents[2]
# `pulse` is found as it is in an activated environment.
ENVIRONMENT: Mapping[str, str] = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PULSE_")},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}
READY_S, STOPPED_S = 60, 40


@contextmanager
def pulse_up(folder: Path, port: int) -> Iterator[str]:
    """`pulse up` in the folder, until the block ends; what it prints when it is ready."""
    printed = folder / "printed.txt"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            ["pulse", "up", "--port", str(port)], cwd=folder, env=ENVIRONMENT, stdout=output, stderr=output
        )
    try:

        def greeting() -> str:
            assert process.poll() is None, printed.read_text()
            return printed.read_text() if "Ctrl-C ends Pulse" in printed.read_text() else ""

        yield until(greeting, READY_S, "Pulse says that it is ready")
        process.terminate()
        assert process.wait(STOPPED_S) == 0, printed.read_text()
    finally:
        process.kill()
        process.wait()


def run(folder: Path, *command: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout
