"""A fresh isolated-vm isolate and context for every message, on one core. Prints one JSON object.

python3 benchmarks/peers/isolated_vm/run.py [--cache FOLDER] [--seconds 5] [--rounds 5]
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CORE = "1"


def install(folder: Path) -> None:
    """Install the pinned version below `folder` and build its native part, unless both are there."""
    pin: str = json.loads((HERE / "package.json").read_text())["dependencies"]["isolated-vm"]
    if installed_version(folder) == pin:
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder)
    npm(folder, "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund")
    npm(folder, "rebuild", "isolated-vm")


def installed_version(folder: Path) -> str | None:
    package = folder / "node_modules" / "isolated-vm"
    if not (package / "out" / "isolated_vm.node").exists():
        return None
    version: str = json.loads((package / "package.json").read_text())["version"]
    return version


def npm(folder: Path, *arguments: str) -> None:
    subprocess.run(["npm", *arguments], cwd=folder, env=build_environment(), check=True, stdout=sys.stderr)


def build_environment() -> dict[str, str]:
    """Build from source, against the headers that came with Node where they lie beside it: nothing is downloaded."""
    environment = {**os.environ, "npm_config_build_from_source": "true"}
    prefix = Path(shutil.which("node") or "/usr/bin/node").resolve().parent.parent
    if (prefix / "include" / "node" / "node.h").exists():
        environment.setdefault("npm_config_nodedir", str(prefix))
    return environment


def measure(folder: Path, seconds: int, rounds: int) -> dict[str, Any]:
    install(folder)
    load = os.getloadavg()[0]
    # Node 20 needs --no-node-snapshot for isolated-vm.
    script = ["node", "--no-node-snapshot", str(HERE / "run.mjs"), str(folder), str(seconds), str(rounds)]
    pinned = shutil.which("taskset") is not None and (os.cpu_count() or 1) > 1
    command = ["taskset", "-c", CORE, *script] if pinned else script
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(output), "oneCore": pinned, "loadBefore": round(load, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="isolated-vm, an isolate a message; prints one JSON object.")
    parser.add_argument("--cache", type=Path, help="folder to install into and to reuse; a temporary one otherwise")
    parser.add_argument("--seconds", type=int, default=5, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="pulse-peer-") as temporary:
        folder = (options.cache or Path(temporary)).resolve()
        print(json.dumps(measure(folder, options.seconds, options.rounds)))


if __name__ == "__main__":
    main()
