"""`subprocess.Popen` for `pulse`, and for Python programs that import it, without the seconds which that takes.

The process is forked from one that has imported all of it already, once for each process of tests. It has its own id,
files, environment and folder, and is a child of the test's as any other: it can be waited for, frozen and killed. What
is different: its command line in /proc is not its own, and settings of Python itself (PYTHON…) are those of the tests.
"""

import atexit
import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36


class Popen(subprocess.Popen[Any]):
    """As `subprocess.Popen`; the arguments begin with the path of `pulse`, or of Python."""

    def _execute_child(self, *given: Any) -> None:
        """What begins the process, in Popen."""
        how = inspect.signature(super()._execute_child).bind(*given).arguments  # type: ignore[misc]
        request = {
            "arguments": [str(each) for each in how["args"]],
            "folder": os.fspath(how["cwd"] or "."),
            "environment": dict(os.environ if how["env"] is None else how["env"]),
            "session": how["start_new_session"],
        }
        files = [how[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        self.pid = _parent().start(request, [own if own != -1 else number for number, own in enumerate(files)])
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(how[name] for name in pipes))  # type: ignore[attr-defined]


def run(
    arguments: Sequence[str],
    *,
    text: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_s: float = 50.0,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; `text` is its standard input."""
    pipe = subprocess.PIPE
    with Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=folder) as process:
        try:
            said, complained = process.communicate(text, timeout=timeout_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, said, complained)


class _Parent:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.warm.parent", str(number)]
            self._process = subprocess.Popen(command, pass_fds=[number])
        assert self._socket.recv(32) == b"ready", "the process that programs are forked from did not start"
        atexit.register(self._end)

    def start(self, request: Mapping[str, Any], files: list[int]) -> int:
        """The id of a new child of this process."""
        request = {**request, "folder": os.path.abspath(request["folder"])}  # noqa: PTH100
        _adopt_children_of_children(1)
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            return int(self._socket.recv(32))
        finally:
            _adopt_children_of_children(0)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait(10)


@cache
def _parent() -> _Parent:
    return _Parent()


def _adopt_children_of_children(wanted: int) -> None:
    """Whether they become this process's own when their parents end."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, wanted, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
