"""A sandbox that says what the test wants it to say, and remembers what it was asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from pulse.messages.records import Work
from pulse.messages.result import empty_body
from pulse.sandbox.port import Effects, Job, Sandbox, Verdict


@dataclass
class FakeSandbox:
    """Implements `Sandbox`: answers with `verdict`, or with what `decide` makes of the job (or raises)."""

    verdict: Verdict = field(default_factory=lambda: Verdict("success", empty_body()))
    decide: Callable[[Job], Verdict] | None = None
    jobs: list[Job] = field(default_factory=list)
    effects: list[Effects] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def start(self) -> None:
        return None

    async def evaluate(self, job: Job, effects: Effects) -> Verdict:
        self.jobs.append(job)
        self.effects.append(effects)
        if self.gate is not None:
            await self.gate.wait()
        return self.verdict if self.decide is None else self.decide(job)

    async def stop(self) -> None:
        return None


FAKE: Sandbox = FakeSandbox()


def work(message_id: str = "msg_1", **more: object) -> Work:
    """A claimed message of the environment that tests draw in."""
    fields: dict[str, object] = {
        "organization_id": "org_1",
        "environment_id": "env_1",
        "epoch": 4,
        "lone_deaths": 0,
        "received_at": 1_000,
        "lane": None,
        "payload": b'{"type":"x"}',
    }
    return Work(id=message_id, **{**fields, **more})  # type: ignore[arg-type]
