"""What tests of the sandbox share: pools, plans of one script, messages, and effects that do as they are told."""

import asyncio
import contextlib
import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pulse.sandbox.deno.command import chosen_walls, command
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.functions import EFFECTS
from pulse.sandbox.port import Answer, Asked, Effects, Job, Plan, Tenant, Verdict

FUNCTIONS = ("call", "other", *EFFECTS)
AT = 1_700_000_000_000
SEED = (1, 2, 3, 4)
# Little memory; time enough for a busy machine, but where a test is about time.
SMALL = Limits(script_timeout_ms=10_000, isolate_memory=64)
QUICK = replace(SMALL, script_timeout_ms=500)

_numbers = itertools.count(1)


def tenant(name: str = "") -> Tenant:
    """A tenant by name, or one that no other test has."""
    return Tenant(name or f"organization-{next(_numbers)}", "test")


def event(script: str | None = None, **fields: Any) -> dict[str, Any]:
    """An event that everything passes, with a script after it."""
    node = {"kind": "event", "entityId": "e", "name": "Event", "type": "Event", "mode": "Single Path", "arguments": []}
    return {**node, **({} if script is None else {"post": script}), **fields}


def action(script: str, **fields: Any) -> dict[str, Any]:
    node = {"kind": "action", "entityId": "a", "name": "Action", "type": "Action", "arguments": []}
    return {**node, "post": script, **fields}


def plan(*nodes: dict[str, Any], name: str = "workflow") -> Plan:
    """A workflow whose first node has all others as children; its id names its contents, as a compiled plan's does."""
    children = [{"node": at, "children": []} for at in range(1, len(nodes))]
    tree = {"node": 0, "children": children}
    contents = {"workflowId": name, "name": name, "version": 1, "nodes": nodes, "tree": tree}
    plan_id = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
    return Plan(plan_id, json.dumps({"id": plan_id, **contents}))


def job(script: str | Sequence[Plan], of: Tenant, message: bytes = b"{}", job_id: str = "") -> Job:
    """A message for one script, or for several plans."""
    plans = [plan(event(script))] if isinstance(script, str) else script
    return Job(job_id or f"message-{next(_numbers)}", of, plans, message, AT, SEED)


def body(verdict: Verdict) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(verdict.body)
    return read


def result(verdict: Verdict) -> Any:
    """What the script left in `___result___`; a failed message shows why."""
    assert verdict.status == "success", (verdict.error_type, verdict.error)
    return body(verdict).get("result")


def ending(verdict: Verdict) -> str:
    """The error's type, or the status where there is no error."""
    return verdict.error_type or verdict.status


def prints(verdict: Verdict) -> list[list[Any]]:
    return [entry["args"] for entry in body(verdict)["log"] if entry["type"] == "print"]


def ok(value: Any) -> Answer:
    return Answer(ok=True, payload=json.dumps(value).encode())


def failed(code: str, message: str, *, retryable: bool = False) -> Answer:
    error = {"code": code, "message": message, "retryable": retryable, "effect": "call"}
    return Answer(ok=False, payload=json.dumps(error).encode())


@dataclass(frozen=True)
class Call:
    job: Job
    seq: int
    function: str
    arguments: list[Any]


@dataclass
class Echo:
    """Answers each effect with its first argument, and remembers what was asked."""

    calls: list[Call] = field(default_factory=list)

    def begin(self) -> None:
        return None

    def rest(self, waiting: AbstractSet[int]) -> None:
        return None

    async def call(self, job: Job, asked: Asked) -> Answer:
        self.calls.append(Call(job, asked.seq, asked.function, asked.arguments))
        return ok(asked.arguments[0] if asked.arguments else None)

    def runs_of(self, job_id: str) -> int:
        """How often this message has asked for its first effect, which is how often it was begun."""
        return sum(call.job.id == job_id and call.seq == 1 for call in self.calls)


@dataclass
class Held:
    """Effects that are answered when the test says so."""

    asked: asyncio.Queue[Call] = field(default_factory=asyncio.Queue)
    at_once: int = 0
    most_at_once: int = 0
    _answers: dict[tuple[str, int], asyncio.Future[Answer]] = field(default_factory=dict)

    def begin(self) -> None:
        return None

    def rest(self, waiting: AbstractSet[int]) -> None:
        return None

    async def call(self, job: Job, asked: Asked) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[job.id, asked.seq] = answer
        self.asked.put_nowait(Call(job, asked.seq, asked.function, asked.arguments))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            return await answer
        finally:
            self.at_once -= 1

    async def next(self, count: int) -> list[Call]:
        """The next so many effects that are asked for."""
        async with asyncio.timeout(20):
            return [await self.asked.get() for _ in range(count)]

    def answer(self, call: Call, answer: Answer) -> None:
        self._answers[call.job.id, call.seq].set_result(answer)


def argv(limits: Limits) -> Callable[[], list[str]]:
    """What starts a child with these limits, behind the walls this machine has."""
    return command(limits, chosen_walls("auto"), FUNCTIONS)


@contextlib.asynccontextmanager
async def running(limits: Limits = SMALL, start: Callable[[], list[str]] | None = None) -> AsyncIterator[DenoSandbox]:
    """A started sandbox, stopped at the end."""
    sandbox = DenoSandbox(limits, start or argv(limits))
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()


async def evaluate(
    sandbox: DenoSandbox, script: str | Sequence[Plan], of: Tenant, effects: Effects | None = None, **fields: Any
) -> Verdict:
    """One message, which must end within half a minute."""
    async with asyncio.timeout(30):
        return await sandbox.evaluate(job(script, of, **fields), effects or Echo())


def with_limits(**changes: Any) -> Limits:
    return replace(SMALL, **changes)


def is_alive(pid: int) -> bool:
    """Whether the process runs: one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
