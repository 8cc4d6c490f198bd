"""The walls without a kernel: the filter is run by a small BPF machine, the rest is arithmetic on bytes and paths."""

import errno
import json
import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulse.sandbox.deno import launcher, walls
from pulse.sandbox.deno.launcher import AARCH64, ABSENT, ALLOW, KILL, REFUSE, X86_64

PID = 4711
MACHINES = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])


def decide(program: bytes, machine: int, call: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would decide: the filter's verdict on one call."""
    words = struct.pack("<IIQ6Q", call & 0xFFFFFFFF, machine, 0, *(arguments + (0,) * 6)[:6])
    value, at = 0, 0
    while True:
        code, yes, no, k = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        match code:
            case launcher.LOAD:
                value = struct.unpack_from("<I", words, k)[0]
            case launcher.RETURN:
                return int(k)
            case launcher.EQUAL:
                at += yes if value == k else no
            case launcher.AT_LEAST:
                at += yes if value >= k else no
            case launcher.ABOVE:
                at += yes if value > k else no
            case launcher.ANY_BIT:
                at += yes if value & k else no
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


def table() -> dict[str, dict[int, int]]:
    """Every call the launcher names: its number on each architecture."""
    words = " ".join([launcher.REFUSED, *(call for call, _ in launcher.conditions(PID))]).split()
    both = zip(words[::3], words[1::3], words[2::3], strict=True)
    assert len(set(words[::3])) == len(words[::3])
    return {
        name: {machine: int(n) for machine, n in ((X86_64, x86), (AARCH64, arm)) if n != "-"} for name, x86, arm in both
    }


CALLS = table()
# What Deno was seen to use (strace), less what is judged by its arguments.
NEEDED = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "newfstatat": (262, 79), "mmap": (9, 222), "munmap": (11, 215),
    "mprotect": (10, 226), "madvise": (28, 233), "mremap": (25, 216), "futex": (202, 98), "execve": (59, 221),
    "epoll_create1": (291, 20), "eventfd2": (290, 19), "pread64": (17, 67), "getrandom": (318, 278), "rseq": (334, 293),
    "sigaltstack": (131, 132), "sched_getaffinity": (204, 123), "pkey_alloc": (330, 289), "exit_group": (231, 94),
    "membarrier": (324, 283), "recvfrom": (45, 207), "close_range": (436, 436), "mseal": (462, 462),
}  # fmt: skip


def number(name: str, machine: int) -> int:
    return CALLS[name][machine] if name in CALLS else NEEDED[name][machine == AARCH64]


@MACHINES
def test_refuses_every_call_on_the_list(machine: int) -> None:
    program = launcher.assemble(machine, PID)
    refused = launcher.numbers(launcher.REFUSED, machine)
    assert len(refused) > 100
    assert {decide(program, machine, call) for call in refused} == {REFUSE}


@MACHINES
def test_allows_what_v8_and_deno_need(machine: int) -> None:
    program = launcher.assemble(machine, PID)
    verdicts = {name: decide(program, machine, number(name, machine)) for name in NEEDED}
    assert verdicts == dict.fromkeys(NEEDED, ALLOW)


@MACHINES
def test_kills_at_a_call_of_another_architecture(machine: int) -> None:
    program = launcher.assemble(machine, PID)
    i386 = 0x40000003
    assert decide(program, i386, 1) == KILL
    assert decide(program, AARCH64 if machine == X86_64 else X86_64, 1) == KILL


@MACHINES
@pytest.mark.parametrize(
    ("call", "verdict"),
    [
        *((call, ABSENT) for call in (435, 437, 463, 600)),
        *((call, REFUSE) for call in (424, 425, 426, 427, 434, 438, 440, 442, 446, 448, 450, 461)),
        *((call, REFUSE) for call in (0x40000000, 0x40000029, -1)),  # x32
    ],
)
def test_decides_on_numbers_both_architectures_share(machine: int, call: int, verdict: int) -> None:
    assert decide(launcher.assemble(machine, PID), machine, call) == verdict


THREAD = 0x3D0F00  # the flags glibc makes a thread with
BY_ARGUMENTS: list[tuple[str, tuple[int, ...], int]] = [
    ("clone", (THREAD,), ALLOW),
    ("clone", (17,), REFUSE),  # fork
    ("clone", (0x4111,), REFUSE),  # vfork, as posix_spawn does it
    ("clone", (THREAD | 0x10000000,), REFUSE),  # CLONE_NEWUSER
    ("kill", (PID, 6), ALLOW),
    ("kill", (PID + 1, 0), REFUSE),
    ("kill", (0, 9), REFUSE),
    ("kill", (2**64 - 1, 9), REFUSE),
    ("tgkill", (PID, PID + 3, 6), ALLOW),
    ("tgkill", (1, 1, 9), REFUSE),
    ("prlimit64", (0, 7, 0, 1), ALLOW),
    ("prlimit64", (1, 7, 1, 0), REFUSE),
    ("socketpair", (1, 0x80801, 0), ALLOW),
    ("socketpair", (1, 2, 0), REFUSE),  # datagrams can be sent to any address
    ("socketpair", (2, 1, 0), REFUSE),
    ("sendto", (3, 1 << 40, 5, 0, 0, 0), ALLOW),
    ("sendto", (3, 1 << 40, 5, 0, 0x1000, 16), REFUSE),
    ("sendto", (3, 1 << 40, 5, 0, 1 << 32, 16), REFUSE),
    ("openat", (2**64 - 100, 1 << 40, 0x80000), ALLOW),
    ("openat", (2**64 - 100, 1 << 40, 0x2), REFUSE),
    ("openat", (2**64 - 100, 1 << 40, 0x40), REFUSE),
    ("openat", (2**64 - 100, 1 << 40, 0x200), REFUSE),
    ("fcntl", (0, 1030, 3), ALLOW),  # F_DUPFD_CLOEXEC
    ("fcntl", (0, 8, 1), REFUSE),
    ("ioctl", (0, 0x5401), ALLOW),
    ("ioctl", (0, 0x5412), REFUSE),  # TIOCSTI
    ("ioctl", (0, 0x5412 | 1 << 32), REFUSE),
    ("prctl", (15, 1 << 40), ALLOW),  # PR_SET_NAME
    ("prctl", (1, 0), REFUSE),  # PR_SET_PDEATHSIG
]


@MACHINES
@pytest.mark.parametrize(
    ("name", "arguments", "verdict"), BY_ARGUMENTS, ids=[f"{name}{arguments}" for name, arguments, _ in BY_ARGUMENTS]
)
def test_decides_by_arguments(machine: int, name: str, arguments: tuple[int, ...], verdict: int) -> None:
    assert decide(launcher.assemble(machine, PID), machine, number(name, machine), arguments) == verdict


def test_judges_the_old_open_like_openat() -> None:
    program = launcher.assemble(X86_64, PID)
    assert decide(program, X86_64, 2, (1 << 40, 0)) == ALLOW
    assert decide(program, X86_64, 2, (1 << 40, 0x41)) == REFUSE


@MACHINES
def test_is_a_filter_that_the_kernel_takes(machine: int) -> None:
    program = launcher.assemble(machine, PID)
    assert len(program) // 8 <= 4096
    for at in range(0, len(program), 8):
        code, yes, no, _ = struct.unpack_from("=HBBI", program, at)
        assert code in (launcher.LOAD, launcher.RETURN) or at // 8 + 1 + max(yes, no) < len(program) // 8
    assert struct.unpack_from("=H", program, len(program) - 8) == (launcher.RETURN,)


def headers() -> Iterator[tuple[int, str, int]]:
    """Names and numbers from the kernel's headers, where the machine has them."""
    x86, generic = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h")
    for machine, header in ((X86_64, x86), (AARCH64, generic)):
        text = header.read_text() if header.exists() else ""
        for name, value in re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)$", text, re.MULTILINE):
            yield machine, name, int(value)


def test_its_numbers_are_the_kernels() -> None:
    known = [(name, machine, value) for machine, name, value in headers() if machine in CALLS.get(name, {})]
    if not known:
        pytest.skip("no kernel headers on this machine")
    wrong = [(name, CALLS[name][machine], value) for name, machine, value in known if CALLS[name][machine] != value]
    assert wrong == []
    assert len(known) > 100


@pytest.mark.parametrize(
    ("abi", "size", "files", "net", "scopes"),
    [
        (1, 8, 0x1FFF, 0, 0),
        (2, 8, 0x3FFF, 0, 0),
        (3, 8, 0x7FFF, 0, 0),
        (4, 16, 0x7FFF, 3, 0),
        (5, 16, 0xFFFF, 3, 0),
        (6, 24, 0xFFFF, 3, 3),
        (99, 24, 0xFFFF, 3, 3),
    ],
)
def test_asks_landlock_for_no_more_than_its_abi_knows(abi: int, size: int, files: int, net: int, scopes: int) -> None:
    assert launcher.handled(abi) == (files, net, scopes)
    assert launcher.ruleset(abi) == struct.pack("=QQQ", files, net, scopes)[:size]


@pytest.mark.parametrize(
    ("abi", "words"),
    [
        (6, ""),
        (9, ""),
        (3, "does not govern TCP, signals; seccomp does"),
        (-errno.EOPNOTSUPP, "not enabled"),
        (-errno.ENOSYS, "has no Landlock"),
        (-errno.EPERM, "Operation not permitted"),
    ],
)
def test_says_what_landlock_lacks(abi: int, words: str) -> None:
    assert words in walls.landlock_remark(abi)
    assert bool(words) == bool(walls.landlock_remark(abi))


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_have_no_walls_and_say_so(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    offered = walls.supported()
    assert offered.names == ()
    assert platform in offered.landlock_remark
    assert platform in offered.seccomp_remark


def test_an_unknown_architecture_has_no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "house", "6.18", "", "riscv64")))
    assert "riscv64" in walls.supported().seccomp_remark


@pytest.mark.parametrize(
    ("landlock", "seccomp", "names"),
    [(0, False, ()), (3, False, ("landlock",)), (0, True, ("seccomp",)), (6, True, ("landlock", "seccomp"))],
)
def test_names_the_walls_there_are(landlock: int, seccomp: bool, names: tuple[str, ...]) -> None:
    assert walls.Walls(landlock, "", seccomp, "").names == names


def test_orders_a_launch(tmp_path: Path) -> None:
    library = tmp_path / "libc.so.6"
    library.touch()
    program = walls.Program(Path("/opt/deno"), Path("/lib/ld.so"), (library, tmp_path / "gone.so"))
    command = walls.launch_arguments(program, tmp_path, ["run", "é\udc80"], ["seccomp"], parent=7)
    order = json.loads(command[-1])
    assert command[:-1] == [sys.executable, "-I", "-S", str(walls.LAUNCHER)]
    assert order["parent"] == 7
    assert order["walls"] == ["seccomp"]
    assert [order["program"], *order["arguments"]] == ["/opt/deno", "run", "é\udc80"]
    assert order["execute"] == ["/opt/deno", "/lib/ld.so"]
    assert {str(tmp_path), str(library)} <= set(order["read"])
    assert str(tmp_path / "gone.so") not in order["read"]
    assert launcher.understood(command[-1]) == order


def test_the_parent_is_this_process_unless_told_otherwise(tmp_path: Path) -> None:
    command = walls.launch_arguments(walls.Program(Path("/opt/deno")), tmp_path, [], [])
    assert json.loads(command[-1])["parent"] == os.getpid()
    assert json.loads(command[-1])["execute"] == ["/opt/deno"]


def test_windows_starts_deno_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    command = walls.launch_arguments(walls.Program(Path("deno.exe")), tmp_path, ["run", "main.js"], [])
    assert command == ["deno.exe", "run", "main.js"]


def elf(*segments: bytes) -> bytes:
    """A 64 bit ELF header with these program headers, and a loader's path behind them."""
    head = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<Q14xHH", 64, 56, len(segments)).ljust(32, b"\0")
    return head + b"".join(segments) + b"/lib64/ld.so\0"


def test_finds_the_loader_in_an_elf_header() -> None:
    load, interpreter = struct.pack("<I52x", 1), struct.pack("<I4xQ16xQ16x", 3, 64 + 2 * 56, 13)
    assert walls.interpreter(elf(load, interpreter)) == Path("/lib64/ld.so")
    assert walls.interpreter(elf(load)) is None
    with pytest.raises(OSError, match="not a 64 bit Linux program"):
        walls.interpreter(b"#!/bin/sh\n")


def test_reads_the_loaders_list() -> None:
    listing = (
        "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/my libs/libc.so.6 (0x00007f10)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f11)\n\tlibgone.so => not found\n"
    )
    assert walls.libraries(listing) == (Path("/lib/my libs/libc.so.6"), Path("/lib64/ld-linux-x86-64.so.2"))


def test_reads_answers_and_counts_only_a_no_as_refused() -> None:
    assert walls.answered('{"probe":"bpf","errno":1}\n{"probe":"bind","errno":0}\n') == [("bpf", 1), ("bind", 0)]
    verdicts = {number: walls.Probe("bpf", number).refused for number in (errno.EPERM, errno.EACCES, 0, 22, -1, None)}
    assert [number for number, refused in verdicts.items() if refused] == [errno.EPERM, errno.EACCES]
    assert walls.SelfTest((), (walls.Probe("bpf", 1),)).holds
    assert not walls.SelfTest((), (walls.Probe("bpf", 1), walls.Probe("bind", None))).holds


def test_the_probe_script_knows_every_probe() -> None:
    script = (walls.LAUNCHER.parent / "runtime" / "probe.js").read_text()
    known = re.findall(r"^  (\w+): ", script.partition("const probes = {")[2], re.MULTILINE)
    assert sorted(known) == sorted(walls.PROBES)
