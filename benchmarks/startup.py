"""Time from `pulse up` to ready, for the first start on an empty folder and for later ones; and `import pulse`."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.platform import start
from benchmarks.report import Series, options, publish

BAR, GOAL = 4.0, 2.0
IMPORT_PEER = "import sqlalchemy.ext.asyncio, pydantic"


def seconds_to_ready(data: Path) -> float:
    began = time.perf_counter()
    process = start(data)
    try:
        while not (data / "run.json").exists():
            if process.poll() is not None:
                raise RuntimeError("Pulse did not become ready.")
            time.sleep(0.005)
        return time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def seconds_of(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def main() -> None:
    wanted = options(__doc__ or "").parse_args()
    first, later = [], []
    for _ in range(wanted.rounds):
        with tempfile.TemporaryDirectory() as folder:
            first.append(seconds_to_ready(Path(folder) / "data"))
            later.append(seconds_to_ready(Path(folder) / "data"))
    imports = {name: Series([seconds_of(name) for _ in range(wanted.rounds)]) for name in ("import pulse", IMPORT_PEER)}
    figures = {"first": Series(first), "later": Series(later)}
    rows = [(f"{name} start to ready", f"{series.median:.2f} s") for name, series in figures.items()]
    rows[1] = (rows[1][0], f"{rows[1][1]} (bar {BAR:.0f}, goal {GOAL:.0f})")
    rows += [(name, f"{series.median * 1000:.0f} ms") for name, series in imports.items()]
    measured = {name: series.rounded() for name, series in (figures | imports).items()}
    publish("startup", rows, measured, as_json=wanted.json)


if __name__ == "__main__":
    main()
