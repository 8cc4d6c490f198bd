"""Node-RED under wrk: http in, three function nodes, http response, nothing stored. Prints one JSON object.

python3 benchmarks/peers/node_red/run.py [--cache FOLDER] [--seconds 10] [--rounds 5]
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent
PATH = "/messages"
READY_SECONDS = 60


def install(folder: Path) -> str:
    """Install the pinned version below `folder`, unless it is there, and return the version."""
    pin: str = json.loads((HERE / "package.json").read_text())["dependencies"]["node-red"]
    if installed_version(folder) != pin:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "package.json", folder)
        command = ["npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    return pin


def installed_version(folder: Path) -> str | None:
    manifest = folder / "node_modules" / "node-red" / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


@contextmanager
def node_red(folder: Path) -> Iterator[str]:
    """Run Node-RED on a free port with a user directory of its own; everything it started ends with the block."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pulse-node-red-") as user:
        shutil.copy(HERE / "flows.json", user)
        script = folder / "node_modules" / "node-red" / "red.js"
        command = ["node", str(script), "--settings", str(HERE / "settings.js"), "--userDir", user]
        environment = {**os.environ, "PORT": str(port)}
        process = subprocess.Popen(command, env=environment, stdout=sys.stderr, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_right(process, url + PATH)
            yield url
        finally:
            end(process)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_right(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait for the first answer, and check that it is the result every peer must reach."""
    deadline = time.monotonic() + READY_SECONDS
    while (answer := post(url)) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("Node-RED did not start.")
        time.sleep(0.1)
    expected = {"accepted": True, "result": json.loads((PEERS / "result.json").read_text())}
    if answer != expected:
        raise SystemExit(f"Node-RED answered {answer}, not {expected}.")


def post(url: str) -> object:
    """The answer to the message, or None while nothing listens or no flow is deployed."""
    body = (PEERS / "message.json").read_bytes()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            answer: object = json.load(response)
            return answer
    except OSError:
        return None


def end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wrk(url: str, seconds: int) -> float:
    """Messages answered with a 2xx status per second."""
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(PEERS / "post.lua"), url]
    environment = {**os.environ, "BENCH_PATH": PATH}
    environment.pop("BENCH_KEY", None)
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    report = json.loads(output.splitlines()[-1])
    if report["non2xx"] or report["socketErrors"]:
        raise SystemExit(f"Some messages failed: {report}")
    return float(report["requests"] / report["seconds"])


def version_of(*command: str) -> str:
    """The first line a tool prints about itself; wrk exits with 1 after it."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return run.stdout.splitlines()[0].partition(" [")[0]


def measure(folder: Path, seconds: int, rounds: int) -> dict[str, Any]:
    version = install(folder)
    load = os.getloadavg()[0]
    with node_red(folder) as url:
        wrk(url, seconds)
        rates = [wrk(url, seconds) for _ in range(rounds)]
    return {
        "peer": "node-red",
        "version": version,
        "node": version_of("node", "--version"),
        "wrk": version_of("wrk", "-v"),
        "perSecond": round(statistics.median(rates), 1),
        "min": round(min(rates), 1),
        "max": round(max(rates), 1),
        "rounds": rounds,
        "secondsARound": seconds,
        "loadBefore": round(load, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Node-RED under wrk; prints one JSON object.")
    parser.add_argument("--cache", type=Path, help="folder to install into and to reuse; a temporary one otherwise")
    parser.add_argument("--seconds", type=int, default=10, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="pulse-peer-") as temporary:
        folder = (options.cache or Path(temporary)).resolve()
        print(json.dumps(measure(folder, options.seconds, options.rounds)))


if __name__ == "__main__":
    main()
