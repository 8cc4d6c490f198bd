"""The walls for real: Deno works behind them, an exploited Deno gets nowhere, and without them it would."""

import asyncio
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pulse.sandbox.deno import walls
from pulse.sandbox.deno.walls import PROBES, Program, SelfTest, Wall

OFFERED = walls.supported()
RUNTIME = walls.LAUNCHER.parent / "runtime"
BOTH: tuple[Wall, ...] = ("landlock", "seccomp")
AS_NOBODY = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
UP = "console.log('up'); setInterval(() => {}, 1000);"
# What another lock may refuse where we build none: Docker's seccomp profile, Yama, sysctl.
ELSEWHERE = {"io_uring", "bpf", "user_namespace", "trace_neighbour", "read_neighbour", "parent_memory"}

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp exist on Linux only"),
    pytest.mark.skipif(not OFFERED.landlock, reason=f"no Landlock: {OFFERED.landlock_remark}"),
    pytest.mark.skipif(not OFFERED.seccomp, reason=f"no seccomp: {OFFERED.seccomp_remark}"),
]


@pytest.fixture(scope="module")
def deno() -> Program:
    beside = Path(sys.executable).with_name("deno")
    found = str(beside) if beside.exists() else shutil.which("deno")
    if found is None:
        pytest.skip("no deno on this machine")
    return walls.examine(Path(found))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A runtime of our own that every user can read, which pytest's temporary folders are not."""
    with tempfile.TemporaryDirectory(prefix="walls-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


def command(deno: Program, folder: Path, script: str, built: Sequence[Wall], *flags: str) -> list[str]:
    """The command that runs a script as production would, with these walls."""
    main = folder / f"{abs(hash(script))}.js"
    main.write_text(script)
    main.chmod(0o644)
    options = [
        "--no-prompt",
        "--no-config",
        "--no-remote",
        "--no-npm",
        "--no-lock",
        "--v8-flags=--max-old-space-size=128",
    ]
    return walls.launch_arguments(deno, folder, ["run", *options, *flags, str(main)], built)


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a child to its end, which must be soon."""
    return subprocess.run(arguments, env={}, capture_output=True, text=True, timeout=5, check=False)


@contextlib.contextmanager
def started(arguments: list[str], pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[str]]:
    """A child that has said "up", and is killed afterwards."""
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, env={}, stdin=pipe, stdout=pipe, pass_fds=pass_fds, text=True) as child:
        try:
            assert said(child) == "up\n"
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def status(child: subprocess.Popen[str]) -> dict[str, str]:
    lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("built", [(), ("landlock",), ("seccomp",), BOTH], ids=lambda built: "+".join(built) or "none")
def test_deno_boots_and_evaluates(deno: Program, folder: Path, built: tuple[Wall, ...]) -> None:
    done = run(command(deno, folder, "console.log(1 + 1)", built))
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_v8_has_what_it_needs(deno: Program, folder: Path) -> None:
    script = """
        import vm from 'node:vm';
        const deep = () => deep() + 1;
        try { deep(); } catch (error) { console.log(error.name); }
        let hash = 0;
        for (let i = 0; i < 1e7; i++) hash = (hash * 31 + i) | 0;
        for (let i = 0; i < 1e6; i++) ({ garbage: [i] });
        console.log(hash, vm.runInContext('6 * 7', vm.createContext(Object.create(null))));
        await new Promise((resolve) => setTimeout(resolve, 1));
        console.log(new Uint8Array(50e6).length, crypto.randomUUID().length, 'ä'.normalize('NFD').length);
    """
    free, walled = (run(command(deno, folder, script, built)) for built in ((), BOTH))
    assert walled.stdout.splitlines()[::2] == ["RangeError", "50000000 36 2"]
    assert (walled.stdout, walled.stderr) == (free.stdout, "")


def test_the_parent_can_bound_its_memory(deno: Program, folder: Path) -> None:
    script = """
        console.log('up');
        const kept = [];
        for await (const _ of Deno.stdin.readable) {
            try { for (;;) kept.push(new Uint8Array(10e6).fill(1)); } catch (error) { console.log(error.name); }
        }
    """
    with started(command(deno, folder, script, BOTH)) as child:
        bound = int(status(child)["VmData"].split()[0]) * 1024 + (256 << 20)
        resource.prlimit(child.pid, resource.RLIMIT_DATA, (bound, bound))
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        assert said(child) == "RangeError\n"
        assert int(status(child)["VmRSS"].split()[0]) < 400 << 10


def test_the_child_starts_clean(deno: Program, folder: Path) -> None:
    script = "console.log(JSON.stringify([Object.keys(Deno.env.toObject()).sort(), Deno.cwd()]))"
    done = run(command(deno, folder, script, BOTH, "--allow-env", "--allow-read"))
    assert json.loads(done.stdout) == [["DENO_DIR", "DENO_NO_UPDATE_CHECK", "NO_COLOR"], "/"]


@pytest.mark.parametrize("built", [(), BOTH], ids=["none", "both"])
def test_the_child_holds_none_of_our_descriptors(deno: Program, folder: Path, built: tuple[Wall, ...]) -> None:
    ours, theirs = os.pipe()
    with started(command(deno, folder, UP, built), pass_fds=[theirs]):
        os.close(theirs)
        assert os.read(ours, 1) == b""  # nobody else holds the other end; the test's timeout is the failure
    os.close(ours)


def test_root_is_an_ordinary_user_behind_the_walls(deno: Program, folder: Path) -> None:
    with started(command(deno, folder, UP, BOTH)) as child:
        seen = status(child)
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
    assert int(seen["CapEff"], 16) & ~(1 << 2) == 0  # no more than reading files that Landlock allows
    assert int(seen["CapBnd"], 16) & ~(1 << 2) == 0 or os.geteuid() != 0


def test_an_ordinary_user_can_start_it(deno: Program, folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("all other tests run as an ordinary user already")
    arguments = command(deno, folder, "console.log(1 + 1)", BOTH)
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")  # ours may be in root's home
    if python is None or not Path(AS_NOBODY[0]).exists():
        pytest.skip("no setpriv, or no Python outside our environment")
    if run([*AS_NOBODY, python, "-c", f"open({str(walls.LAUNCHER)!r}), open({str(deno.path)!r})"]).returncode:
        pytest.skip("nobody may not read Pulse or Deno here")
    done = run([*AS_NOBODY, python, *arguments[1:]])
    assert (done.stdout, done.stderr) == ("2\n", "")


def attempts(deno: Program, data: Path, built: Sequence[Wall]) -> SelfTest:
    return asyncio.run(walls.self_test(deno, RUNTIME, data, built))


@pytest.fixture(scope="module")
def walled(deno: Program, folder: Path) -> SelfTest:
    return attempts(deno, folder, BOTH)


@pytest.fixture(scope="module")
def unwalled(deno: Program, folder: Path) -> SelfTest:
    return attempts(deno, folder, ())


def result(test: SelfTest, name: str) -> int | None:
    return next(probe.errno for probe in test.probes if probe.name == name)


@pytest.mark.parametrize("name", PROBES)
def test_an_exploited_process_is_refused(walled: SelfTest, name: str) -> None:
    assert next(probe for probe in walled.probes if probe.name == name).refused, result(walled, name)


def test_the_walls_hold(walled: SelfTest) -> None:
    assert walled.holds
    assert walled.complaint == ""


@pytest.mark.parametrize("name", PROBES)
def test_without_walls_it_would_not_be(unwalled: SelfTest, name: str) -> None:
    probe = next(probe for probe in unwalled.probes if probe.name == name)
    if probe.refused and name in ELSEWHERE:
        pytest.skip("this machine refuses it to everybody")
    # A process with threads cannot make a user namespace: the kernel's EINVAL is its own, not a wall's.
    assert probe.errno == (22 if name == "user_namespace" else 0)


def test_each_wall_is_built_only_if_asked(deno: Program, folder: Path) -> None:
    landlock, seccomp = attempts(deno, folder, ["landlock"]), attempts(deno, folder, ["seccomp"])
    assert (result(landlock, "read_data"), result(landlock, "tcp_socket")) == (13, 0)
    assert (result(seccomp, "read_data"), result(seccomp, "tcp_socket")) == (0, 1)
    assert not landlock.holds
    assert not seccomp.holds


def test_a_test_that_cannot_run_proves_nothing(deno: Program, folder: Path, tmp_path: Path) -> None:
    test = asyncio.run(walls.self_test(deno, tmp_path, folder, BOTH))
    assert not test.holds
    assert {probe.errno for probe in test.probes} == {None}
    assert "probe.js" in test.complaint


def test_the_self_test_leaves_nothing(deno: Program, tmp_path: Path) -> None:
    attempts(deno, tmp_path, ())
    assert list(tmp_path.iterdir()) == []


# Starts a child, says its number, and waits to be killed. The child's stdin is the test's, so that only the kernel can
# tell the child of its parent's death.
PARENT = """
import json, os, signal, subprocess, sys
arguments = json.loads(sys.argv[1])
if arguments[1] == "-I":
    arguments[-1] = json.dumps({**json.loads(arguments[-1]), "parent": os.getpid()})
print(subprocess.Popen(arguments, env={}, stdin=0).pid, flush=True)
signal.pause()
"""


def outlived(arguments: list[str], wait_s: float) -> bool:
    """Whether the child is still there this long after its parent was killed."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT, json.dumps(arguments)], stdin=pipe, stdout=pipe) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            assert parent.stdout.readline() == b"up\n"
            parent.kill()
            return select.select([child], [], [], wait_s)[0] == []
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child, signal.SIGKILL)
            os.close(child)


@pytest.mark.parametrize("built", [(), BOTH], ids=["none", "both"])
def test_the_child_dies_with_its_parent(deno: Program, folder: Path, built: tuple[Wall, ...]) -> None:
    assert not outlived(command(deno, folder, UP, built), wait_s=1)


def test_without_the_launcher_it_would_not(deno: Program, folder: Path) -> None:
    order = json.loads(command(deno, folder, UP, ())[-1])
    assert outlived([order["program"], *order["arguments"]], wait_s=0.2)


def test_a_child_whose_parent_is_gone_does_not_start(deno: Program, folder: Path) -> None:
    arguments = command(deno, folder, "console.log(1 + 1)", BOTH)
    order = {**json.loads(arguments[-1]), "parent": os.getppid()}
    done = run([*arguments[:-1], json.dumps(order)])
    assert (done.returncode, done.stdout) == (1, "")


def test_a_wall_that_cannot_be_built_ends_the_launch(deno: Program, folder: Path) -> None:
    arguments = command(deno, folder, "console.log(1 + 1)", BOTH)
    order = {**json.loads(arguments[-1]), "read": ["/no/such/folder"]}
    done = run([*arguments[:-1], json.dumps(order)])
    assert (done.returncode, done.stdout) == (126, "")
    assert "could not be launched" in done.stderr
    assert "/no/such/folder" in done.stderr


def test_the_launcher_imports_next_to_nothing() -> None:
    look = """
import sys
names = {"__name__": "launcher"}
exec(open(sys.argv[1]).read(), names)
names["understood"]("{}")
print(*sys.modules)
"""
    done = run([sys.executable, "-I", "-S", "-c", look, str(walls.LAUNCHER)])
    assert done.stderr == ""
    assert not {"json", "re", "typing", "pathlib", "enum", "dataclasses", "pulse"} & set(done.stdout.split())
