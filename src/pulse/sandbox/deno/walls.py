"""The operating system's walls around a Deno process: what this machine offers, starting behind them, and a proof.

`launcher.py` builds the walls; this module decides and tests. The proof is not a look at the configuration: `self_test`
starts Deno as it would be after an exploit of V8, with all of Deno's own permissions and native calls, and lets it try.
"""

import asyncio
import contextlib
import errno
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from pulse.sandbox.deno import launcher

Wall = Literal["landlock", "seccomp"]

LAUNCHER = Path(launcher.__file__)
NEWEST_ABI = 6  # of Landlock: later ones add logging, nothing that is forbidden here


@dataclass(frozen=True)
class Walls:
    """What this machine offers. A remark says why a wall is missing or what it lacks; it is empty for a whole one."""

    landlock: int  # the ABI, 0 without
    landlock_remark: str
    seccomp: bool
    seccomp_remark: str

    @property
    def names(self) -> tuple[Wall, ...]:
        """The walls there are, to be passed to `launch_arguments`."""
        landlock: tuple[Wall, ...] = ("landlock",) if self.landlock else ()
        seccomp: tuple[Wall, ...] = ("seccomp",) if self.seccomp else ()
        return landlock + seccomp


def supported() -> Walls:
    """Asks the kernel, changing nothing."""
    if sys.platform != "linux":
        remark = f"Landlock and seccomp exist on Linux only; this is {sys.platform}."
        return Walls(0, remark, False, remark)
    machine = os.uname().machine
    if machine not in launcher.ARCHITECTURES or sys.maxsize < 2**32:
        remark = f"The walls are built for 64 bit x86_64 and aarch64; this is {machine}."
        return Walls(0, remark, False, remark)
    abi, seccomp_error = _landlock_abi(), _seccomp_error(machine)
    remark = "" if not seccomp_error else f"The kernel refuses seccomp filters: {os.strerror(seccomp_error)}."
    return Walls(max(abi, 0), landlock_remark(abi), not seccomp_error, remark)


def landlock_remark(abi: int) -> str:
    """What is missing in a Landlock ABI; a negative one is the error the kernel gave instead."""
    if abi == -errno.EOPNOTSUPP:
        return "Landlock is built into the kernel but not enabled (boot parameter lsm=landlock,...)."
    if abi <= 0:
        return f"The kernel has no Landlock (Linux 5.13), or something forbids it: {os.strerror(-abi)}."
    lacks = [what for since, what in ((2, "renames"), (3, "truncation"), (4, "TCP"), (6, "signals")) if abi < since]
    return f"Landlock ABI {abi} of {NEWEST_ABI} does not govern {', '.join(lacks)}; seccomp does." if lacks else ""


def _landlock_abi() -> int:
    return _asked(launcher.CREATE_RULESET, None, 0, 1)


def _seccomp_error(machine: str) -> int:
    number = launcher.numbers("seccomp 317 277", launcher.ARCHITECTURES[machine])[0]
    return -_asked(number, 2, 0, struct.pack("=I", launcher.REFUSE & 0xFFFF0000))  # SECCOMP_GET_ACTION_AVAIL


def _asked(number: int, *arguments: int | bytes | None) -> int:
    try:
        return launcher.system_call(number, *arguments)
    except OSError as error:
        return -(error.errno or errno.EINVAL)


@dataclass(frozen=True)
class Program:
    """An executable, the loader that its header names, and the libraries that the loader finds for it."""

    path: Path
    loader: Path | None = None
    libraries: tuple[Path, ...] = ()


def examine(deno: Path) -> Program:
    """Looks at the Deno binary, once, at start-up: it blocks for a few ms. Raises OSError where it cannot be loaded."""
    path = deno.resolve(strict=True)
    if sys.platform != "linux":
        return Program(path)
    with path.open("rb") as binary:
        loader = interpreter(binary.read(4096))
    if loader is None:
        return Program(path)
    listing = subprocess.run([loader, "--list", path], env={}, capture_output=True, text=True, check=False)
    if listing.returncode:
        raise OSError(errno.ENOEXEC, f"The loader cannot load Deno: {listing.stderr.strip()}", str(path))
    return Program(path, loader, libraries(listing.stdout))


def interpreter(header: bytes) -> Path | None:
    """The dynamic loader that a 64 bit little-endian ELF header names (PT_INTERP); None for a static program."""
    if header[:6] != b"\x7fELF\x02\x01":
        raise OSError(errno.ENOEXEC, "Deno is not a 64 bit Linux program.")
    offset, size, count = (*struct.unpack_from("<Q", header, 32), *struct.unpack_from("<HH", header, 54))
    for at in range(offset, min(offset + size * count, len(header) - size + 1), size):
        kind, start, length = struct.unpack_from("<I4xQ16xQ", header, at)
        if kind == 3:
            return Path(os.fsdecode(header[start : start + length].rstrip(b"\0")))
    return None


def libraries(listing: str) -> tuple[Path, ...]:
    """The files in the output of `ld.so --list`: lines like `libc.so.6 => /lib/libc.so.6 (0x7f…)`."""
    places = (line.partition("=>")[2] or line for line in listing.splitlines())
    paths = (place.rsplit(" (", 1)[0].strip() for place in places)
    return tuple(Path(path) for path in paths if path.startswith("/"))


def launch_arguments(
    program: Program, runtime: Path, arguments: Sequence[str], walls: Sequence[Wall], parent: int | None = None
) -> list[str]:
    """The command that becomes `deno <arguments>` behind `walls`, for `asyncio.create_subprocess_exec(*…, env={})`.

    Paths in `arguments` must be absolute. Call it in the process that starts the child (`parent`, by default this one).
    The child dies with the *thread* that started it, which must therefore live as long as Pulse. Where a wall cannot be
    built, the child exits with 126 and a sentence on stderr. On Windows there is no launcher, hence no wall.
    """
    if sys.platform == "win32":
        return [str(program.path), *arguments]
    readable = [runtime.resolve(), *program.libraries, Path("/dev/urandom"), Path("/etc/ld.so.cache")]
    order = {
        "parent": os.getpid() if parent is None else parent,
        "walls": list(walls),
        "program": str(program.path),
        "arguments": list(arguments),
        "read": [str(path) for path in readable if path.exists()],
        "execute": [str(path) for path in (program.path, program.loader) if path is not None],
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order)]


PROBES = {
    "read_data": "read a file of the data folder",
    "read_passwd": "read /etc/passwd",
    "write_file": "create a file in the data folder",
    "change_mode": "change the mode of a file of the data folder",
    "tcp_socket": "make a TCP socket",
    "udp_socket": "make a UDP socket",
    "unix_socket": "make a Unix socket",
    "connect": "connect to a local port",
    "bind": "bind a local port",
    "spawn": "start a shell as a child",
    "signal_parent": "signal the parent",
    "sigio_parent": "signal the parent by way of a descriptor (F_SETOWN)",
    "parent_memory": "open the parent's memory in /proc",
    "parent_environment": "open the parent's environment in /proc",
    "outlive_parent": "cut the tie that kills it with its parent",
    "io_uring": "set up an io_uring",
    "bpf": "make a BPF map",
    "user_namespace": "make a user namespace",
    "read_neighbour": "read another process's memory (process_vm_readv)",
    "trace_neighbour": "trace another process (ptrace)",
    "end_neighbour": "end another process (SIGTERM)",
    "execve": "become a shell",
    "memfd_execveat": "become a program that exists in memory only",
}
REFUSALS = frozenset((errno.EPERM, errno.EACCES, errno.ENOSYS))

# A process of the same user outside the walls, with a secret in its memory; stands for Pulse where trying might hurt.
NEIGHBOUR = """
import sys
secret = sys.argv[1].encode()
print(id(secret) + bytes.__basicsize__ - 1, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Probe:
    """One attempt. `refused` only for an error that says no: any other one means that the kernel considered it."""

    name: str
    errno: int | None  # 0: it succeeded; None: no answer

    @property
    def refused(self) -> bool:
        return self.errno in REFUSALS

    @property
    def attempt(self) -> str:
        """What was tried, to be read after "A script that escaped V8 could"."""
        return PROBES[self.name]


@dataclass(frozen=True)
class SelfTest:
    """Every attempt, in order; `complaint` is what the probe said on stderr, for where answers are missing."""

    walls: tuple[Wall, ...]
    probes: tuple[Probe, ...]
    complaint: str = ""

    @property
    def holds(self) -> bool:
        return all(probe.refused for probe in self.probes)


async def self_test(
    program: Program, runtime: Path, data: Path, walls: Sequence[Wall], timeout_s: float = 10.0
) -> SelfTest:
    """Tries to break out from behind `walls`, in about 0.3 s. Writes a folder into `data` and removes it. Linux only.

    Where Deno does not start behind the walls, nothing holds and `complaint` says why. Raises TimeoutError, and OSError
    where `data` cannot be written.
    """
    runtime = await asyncio.to_thread(runtime.resolve)
    *staying, leaving = PROBES
    async with asyncio.timeout(timeout_s), _targets(data) as targets:
        # Success would replace the process, so the last attempt has one of its own.
        runs = [_probe(program, runtime, walls, {**targets, "probes": names}) for names in (staying, [leaving])]
        outputs = await asyncio.gather(*runs)
    answers = {name: number for output, _ in outputs for name, number in answered(output)}
    probes = tuple(Probe(name, answers.get(name)) for name in PROBES)
    return SelfTest(tuple(walls), probes, "\n".join(complaint for _, complaint in outputs if complaint))


def answered(output: str) -> list[tuple[str, int]]:
    """The attempts and error numbers in what the probe wrote."""
    lines = (json.loads(line) for line in output.splitlines())
    return [(line["probe"], line["errno"]) for line in lines]


async def _probe(program: Program, runtime: Path, walls: Sequence[Wall], targets: dict[str, object]) -> tuple[str, str]:
    script = str(runtime / "probe.js")
    arguments = ["run", "-A", "--no-config", "--no-remote", "--no-npm", "--no-lock", script, json.dumps(targets)]
    async with _running(launch_arguments(program, runtime, arguments, walls)) as process:
        output, complaint = await process.communicate()
    return output.decode(), complaint.decode(errors="replace").strip()


@contextlib.contextmanager
def _bait(data: Path) -> Iterator[dict[str, object]]:
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix=".walls-", dir=data) as folder, socket.socket() as server:
        file = Path(folder, "secret")
        file.write_text(secret)
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield {"folder": folder, "file": str(file), "port": server.getsockname()[1], "secret": secret}


@contextlib.asynccontextmanager
async def _targets(data: Path) -> AsyncIterator[dict[str, object]]:
    with _bait(data) as bait:
        async with _running([sys.executable, "-I", "-S", "-c", NEIGHBOUR, str(bait["secret"])]) as neighbour:
            line = await cast(asyncio.StreamReader, neighbour.stdout).readline()
            yield {**bait, "neighbour": neighbour.pid, "address": int(line)}


@contextlib.asynccontextmanager
async def _running(command: list[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env={}, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
