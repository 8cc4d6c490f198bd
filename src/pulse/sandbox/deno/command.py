"""The command line of a sandbox process, behind whatever walls this machine has and the settings ask for."""

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pulse.core.errors import Misconfigured
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.walls import Wall, Walls, examine, launch_arguments, supported

RUNTIME = Path(__file__).parent / "runtime"
FLAGS = ("run", "--no-prompt", "--no-config", "--no-remote", "--no-npm", "--no-lock")
# Every message that waits has a realm, and V8 compiles the same functions anew for each: with Maglev at its usual
# 400 calls, a sandbox full of waiting messages would hold a quarter more.
V8_FLAGS = ("--max-semi-space-size=4", "--invocation-count-for-maglev=4000", "--stack-size=900")
WallSetting = Literal["auto", "required", "off"]


def find_deno() -> Path:
    """The deno that was installed beside this Python. Raises Misconfigured."""
    beside = Path(sys.executable).parent / "deno"
    found = str(beside) if beside.exists() else shutil.which("deno")
    if found is None:
        raise Misconfigured(
            "The program deno is missing. Install Pulse with its platform: pip install 'pulse[platform]'."
        )
    return Path(found).resolve()


def chosen_walls(setting: WallSetting, offered: Walls | None = None) -> tuple[Wall, ...]:
    """The walls to build. Raises Misconfigured where they are required and this machine lacks one."""
    offered = offered or supported()
    walls: list[Wall] = []
    if setting != "off" and offered.landlock:
        walls.append("landlock")
    if setting != "off" and offered.seccomp:
        walls.append("seccomp")
    if setting == "required" and len(walls) < 2:
        remarks = f"Landlock: {offered.landlock_remark} seccomp: {offered.seccomp_remark}"
        raise Misconfigured(f"SANDBOX_WALLS=required, but this machine cannot build them all. {remarks}")
    return tuple(walls)


def command(limits: Limits, walls: Sequence[Wall], functions: Sequence[str]) -> Callable[[], list[str]]:
    """What starts one sandbox process, each time it is called."""
    program = examine(find_deno())
    flags = f"--v8-flags=--max-old-space-size={limits.isolate_memory},{','.join(V8_FLAGS)}"
    settings = json.dumps(limits.for_child(list(functions)))
    arguments = [*FLAGS, flags, str(RUNTIME / "main.js"), settings]
    return lambda: launch_arguments(program, RUNTIME, arguments, walls)
