"""Hostile scripts, one after the other in one tenant's process: each ends as it must, reaches nothing of the host,
harms no other tenant, and leaves nothing behind for its own tenant's next message."""

import gc
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from pulse.sandbox.deno.limits import MIB, Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Answer, Asked, Job, Tenant, Verdict
from tests import sandbox_support as support
from tests.integration.sandbox.hostile import endless, escapes, memory, output, recursion, tampering
from tests.integration.sandbox.hostile.case import ANYTHING, CANARY, Case
from tests.integration.sandbox.hostile.probe import PROBE

Mode = Literal["fresh", "verified"]
MODES: tuple[Mode, ...] = ("fresh", "verified")
TIME = Limits(script_timeout_ms=500, isolate_memory=64)
PLAIN = Limits(script_timeout_ms=15_000, isolate_memory=64)
# Small, so that memory is used up soon; with all the time that this may take on a busy machine.
MEMORY = Limits(script_timeout_ms=15_000, isolate_memory=24)
CASES = [
    *(*endless.CASES, *memory.CASES, *recursion.CASES),
    *(*escapes.CASES, *tampering.CASES, *output.CASES),
]
LARGEST_BODY = 4 * MIB
LARGEST = (
    "const text = 'x'.repeat(1e6); await Promise.all(Array.from('12345678', () => call(text))); ___result___ = text"
)


class Answers(support.Echo):
    """Like Echo; what is asked to fail, fails."""

    async def call(self, job: Job, asked: Asked) -> Answer:
        answer = await super().call(job, asked)
        return support.failed("refused", "As you wish") if asked.arguments[:1] == ["fail"] else answer


@dataclass
class Arena:
    """A pool with an attacker, who is one tenant for all cases, and a neighbour."""

    sandbox: DenoSandbox
    reference: list[str]
    attacker: Tenant = field(default_factory=lambda: Tenant("attacker", "test"))
    neighbour: Tenant = field(default_factory=lambda: Tenant("neighbour", "test"))

    async def attack(self, case: Case, effects: Answers, job_id: str) -> tuple[Verdict, float]:
        return await self.timed(f"{CANARY}\n{case.script}", self.attacker, effects, case.message, job_id)

    async def timed(
        self, script: str, tenant: Tenant, effects: Answers, message: bytes = b"{}", job_id: str = ""
    ) -> tuple[Verdict, float]:
        began = time.monotonic()
        verdict = await self.sandbox.evaluate(support.job(script, tenant, message, job_id), effects)
        return verdict, time.monotonic() - began

    async def look(self) -> list[str]:
        """What the attacker's next message sees of its realm."""
        verdict, _ = await self.timed(PROBE, self.attacker, Answers())
        seen: list[str] = support.result(verdict)
        return seen


class Arenas:
    """Pools by mode and limits, started when they are first needed."""

    def __init__(self) -> None:
        self._started: dict[Limits, Arena] = {}

    async def get(self, limits: Limits) -> Arena:
        if limits not in self._started:
            sandbox = DenoSandbox(limits, support.argv(limits))
            await sandbox.start()
            first = await support.evaluate(sandbox, PROBE, Tenant("reference", "test"))
            arena = self._started[limits] = Arena(sandbox, support.result(first))
            for tenant in (arena.attacker, arena.neighbour):
                await support.evaluate(sandbox, "print('warm')", tenant)
        return self._started[limits]

    async def close(self) -> None:
        for arena in self._started.values():
            await arena.sandbox.stop()


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture(scope="module")
async def arenas() -> AsyncIterator[Arenas]:
    """The pools of this file; at the end, this process must not have grown by what the scripts did."""
    opened = Arenas()
    for mode in MODES:
        arena = await opened.get(limits_of(mode, "other"))
        # The largest frames that are allowed: what the allocator keeps of them is no growth.
        assert (await arena.timed(LARGEST, arena.attacker, Answers()))[0].status == "success"
    before = resident()
    yield opened
    grown = resident() - before
    await opened.close()
    assert grown < 32 * MIB, f"the parent has grown by {grown >> 20} MiB"


def limits_of(mode: Mode, kind: str) -> Limits:
    return replace({"time": TIME, "memory": MEMORY, "other": PLAIN}[kind], realm=mode)


def test_there_are_cases_enough() -> None:
    names = [case.name for case in CASES]
    assert len(CASES) >= 70
    assert len({case.script for case in CASES}) >= len(names) - len(output.CASES)


# Every case in both modes; those of memory, which take seconds, only now and then in `fresh`.
ATTACKS = [
    (case, mode)
    for at, case in enumerate(CASES)
    for mode in MODES
    if case.kind != "memory" or mode == "verified" or at % 3 == 0
]
NAMES = [f"{mode}-{case.kind}-{at}-{case.name}"[:70] for at, (case, mode) in enumerate(ATTACKS)]


@pytest.mark.parametrize(("case", "mode"), ATTACKS, ids=NAMES)
async def test_hostile(arenas: Arenas, case: Case, mode: Mode) -> None:
    limits = limits_of(mode, case.kind)
    arena = await arenas.get(limits)
    effects, job_id = Answers(), f"hostile-{mode}-{CASES.index(case)}"

    verdict, took = await arena.attack(case, effects, job_id)

    assert support.ending(verdict) in case.ends, (verdict.error_type, verdict.error)
    if case.kind == "time":
        assert took < limits.script_timeout_ms / 1000 + 0.5
    assert effects.runs_of(job_id) <= 4
    if case.result is not ANYTHING:
        assert support.result(verdict) == case.result
    check_body(verdict)
    await check_neighbour(arena)
    await check_realm(arena, killed=case.kind == "time")


def check_body(verdict: Verdict) -> None:
    """What is stored is JSON that every reader reads, and no larger than agreed."""
    assert len(verdict.body) < LARGEST_BODY
    read = json.loads(verdict.body, parse_constant=pytest.fail)
    json.dumps(read, ensure_ascii=False).encode()
    assert len(verdict.error or "") <= 2_000
    assert all(isinstance(error["suggestion"], str) for error in read["errors"])


async def check_realm(arena: Arena, *, killed: bool) -> None:
    """The attacker's next message sees a clean realm; in a new process, a look at the names is enough."""
    if killed:
        verdict, _ = await arena.timed("print(Object.keys(globalThis))", arena.attacker, Answers())
        assert support.prints(verdict) == [[[]]]
        return
    seen = await arena.look()
    if seen != arena.reference:
        # `assert` would take minutes to explain thousands of lines.
        changed = sorted(set(seen) ^ set(arena.reference))
        pytest.fail(f"the next message sees another realm: {changed[:10]}")


async def check_neighbour(arena: Arena) -> None:
    verdict, took = await arena.timed("___result___ = await call('well')", arena.neighbour, Answers())
    assert support.result(verdict) == "well"
    assert took < 1
