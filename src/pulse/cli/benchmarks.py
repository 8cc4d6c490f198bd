"""Runs the benchmarks, which are programs of their own in the checkout's `benchmarks/`."""

import subprocess
import sys
from pathlib import Path

import pulse
from pulse.cli.output import FAILED, USAGE, say

SCENARIOS = (
    "sandbox",
    "evaluator",
    "e2e",
    "latency",
    "startup",
    "memory",
    "effects",
    "limits",
    "administration",
    "engine",
)


def run_scenario(scenario: str, *, json_: bool) -> int:
    """The exit code of the benchmark; `all` runs one after another and stops at the first that fails."""
    folder = Path(pulse.__file__).parents[2] / "benchmarks"
    if not folder.is_dir():
        say("The benchmarks lie in the source checkout: run this command from one.")
        return FAILED
    wanted = SCENARIOS if scenario == "all" else (scenario,)
    if not set(wanted) <= set(SCENARIOS):
        say(f"There is no benchmark {scenario!r}. There are: {', '.join(SCENARIOS)}, all.")
        return USAGE
    for name in wanted:
        arguments = [sys.executable, "-m", f"benchmarks.{name}", *(["--json"] if json_ else [])]
        done = subprocess.run(arguments, cwd=folder.parent, check=False)
        if done.returncode != 0:
            return FAILED
    return 0
