"""The process that tests fork programs from: Pulse is imported in it, and nothing of it is running.

    python -m tests.warm.parent FD

At the socket FD come requests, one at a time (see start.py). Each begins a process whose parent is whoever asked: this
one only lends what it has imported. It ends when nobody can ask it any more.
"""

import gc
import json
import os
import runpy
import signal
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

MAX_REQUEST = 1 << 20
# What `pulse` imports for its commands, and what libraries import when they are first used.
IMPORTED = (
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvicorn.lifespan.off",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "pulse.engine",
    "pulse.bootstrap.doctor",
    "pulse.bootstrap.platform",
    "pulse.bootstrap.serving",
    "pulse.cli.session",
)


def main(number: int) -> None:
    warm_up()
    door = socket.socket(fileno=number)
    door.send(b"ready")
    while text := (asked := socket.recv_fds(door, MAX_REQUEST, 3))[0]:
        request, given = json.loads(text), asked[1]
        if is_the_new_one(door):
            door.detach()
            become(request, given)
            return run(request["arguments"])
        for each in given:
            os.close(each)
    door.close()


def is_the_new_one(door: socket.socket) -> bool:
    """Whether this is the process that was asked for, whose id is told. Returns twice."""
    read, write = os.pipe()
    between = os.fork()
    if between:
        os.close(write)
        # When this one has ended, its child belongs to whoever asked, who adopts it.
        os.waitpid(between, 0)
        door.send(os.read(read, 32))
        os.close(read)
        return False
    pid = os.fork()
    if pid:
        os.write(write, str(pid).encode())
        os._exit(0)
    return True


def become(request: dict[str, Any], given: list[int]) -> None:
    """Takes on the files, environment and folder that the new process was asked for with."""
    if request["session"]:
        os.setsid()
    for number, each in enumerate(given):
        os.dup2(each, number)
    os.closerange(3, 1 << 12)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])


def run(arguments: list[str]) -> None:
    """Does what `python` does with these arguments, or `pulse`."""
    program, *rest = arguments
    if Path(program).name == "pulse":
        sys.argv = arguments
        import_module("pulse.cli.main").main()
    elif rest[0] == "-m":
        sys.argv = rest[1:]
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = rest
        sys.path.insert(0, str(Path(rest[0]).parent))
        runpy.run_path(rest[0], run_name="__main__")


def warm_up() -> None:
    """Imports everything, for good."""
    gc.disable()
    for name in IMPORTED:
        import_module(name)
    import_module("pulse.cli.main").tree()
    gc.freeze()
    gc.enable()
    threads = [each.name for each in Path("/proc/self/task").iterdir()]
    assert len(threads) == 1, f"what is imported begins threads, which no fork has: {threads}"


if __name__ == "__main__":
    # Ctrl-C is for the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(int(sys.argv[1]))
