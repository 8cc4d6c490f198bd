"""Messages a second and a core through the sandbox alone, beside a fresh isolated-vm isolate and context a message.

The sandbox process is pinned to one core, as the peer is; whoever feeds it runs on another. Both realm modes are
measured.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks.report import Series, options, publish
from benchmarks.workload import EXPECTED, PEERS, job, plan
from pulse.core.clock import SystemClock
from pulse.effects.functions import ScriptEffects
from pulse.messages.records import Work
from pulse.sandbox.deno.command import chosen_walls, command
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Tenant

CONCURRENT = 32
BAR, GOAL = 4.0, 8.0
EFFECTS = ScriptEffects([], SystemClock()).unrecorded(Work("msg", "org", "env", 1, 0, 0, None, b"{}"))


async def measure(realm: Literal["fresh", "verified"], rounds: int, seconds: float) -> tuple[Series, Series]:
    """Messages a second of wall time, and a second of the process's CPU time."""
    # One process for all rounds: its CPU time is what is measured.
    limits = Limits(realm=realm, busy_processes=1, spare_processes=0, messages_per_process=1_000_000_000)
    sandbox = DenoSandbox(limits, command(limits, chosen_walls("auto"), []))
    await sandbox.start()
    try:
        await _round(sandbox, 1.0)
        (pid,) = sandbox.pids(Tenant("org", "env"))
        pin(pid)
        await _round(sandbox, 1.0)
        wall, cpu = [], []
        for _ in range(rounds):
            before = cpu_seconds(pid)
            count, took = await _round(sandbox, seconds)
            wall.append(count / took)
            cpu.append(count / (cpu_seconds(pid) - before))
        return Series(wall), Series(cpu)
    finally:
        await sandbox.stop()


async def _round(sandbox: DenoSandbox, seconds: float) -> tuple[int, float]:
    compiled, effects, count = plan(), EFFECTS, 0
    began = time.perf_counter()

    async def worker() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            count += 1
            verdict = await sandbox.evaluate(job(count, compiled), effects)
            assert verdict.status == "success", verdict

    await asyncio.gather(*(worker() for _ in range(CONCURRENT)))
    return count, time.perf_counter() - began


async def check(realm: Literal["fresh", "verified"]) -> None:
    """The result must be the one that the peers reach."""
    limits = Limits(realm=realm)
    sandbox = DenoSandbox(limits, command(limits, (), []))
    await sandbox.start()
    try:
        verdict = await sandbox.evaluate(job(1, plan()), EFFECTS)
        assert json.loads(verdict.body)["result"] == EXPECTED, verdict.body
    finally:
        await sandbox.stop()


def peer(rounds: int, cache: str | None) -> dict[str, Any]:
    """The peer's own figures."""
    arguments = [sys.executable, str(PEERS / "isolated_vm" / "run.py"), "--rounds", str(rounds)]
    if cache:
        arguments += ["--cache", cache]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def pin(pid: int) -> None:
    """Binds the process and its threads to the last core, everybody else to the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:-1])
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(thread.name), cores[-1:])


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-cache", help="folder to keep the installed peer in")
    wanted = parser.parse_args()
    figures: dict[str, Any] = {}
    rows = []
    other = None if wanted.no_peer else peer(wanted.rounds, wanted.peer_cache)
    realms: tuple[Literal["fresh", "verified"], ...] = ("fresh", "verified")
    for realm in realms:
        asyncio.run(check(realm))
        wall, cpu = asyncio.run(measure(realm, wanted.rounds, wanted.seconds))
        ratio = {} if other is None else {"ratio": round(wall.median / other["perSecond"], 2)}
        figures[realm] = {"perSecond": wall.rounded(), "perCpuSecond": cpu.rounded(), **ratio}
        beside = "" if other is None else f", {ratio['ratio']}x the peer (bar {BAR}x, goal {GOAL}x)"
        rows.append((f"realm {realm}", f"{wall.median:,.0f} messages/s on one core{beside}"))
    if other is not None:
        rows.append(("isolated-vm, fresh isolate", f"{other['perSecond']:,.0f} messages/s"))
    publish("sandbox", rows, {**figures, "peer": other}, as_json=wanted.json)


if __name__ == "__main__":
    main()
