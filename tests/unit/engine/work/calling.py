"""An executor that calls one handler, with everything around it in memory."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from pulse.core.ids import Ids
from pulse.engine.definition.steps import Action, Condition
from pulse.engine.records import Signal, TriggerEnvelope
from pulse.engine.registration import Registrations
from pulse.engine.rules.outcomes import Outcome
from pulse.engine.store.held import Held
from pulse.engine.work.executor import Executor
from pulse.engine.work.telemetry import Telemetry
from pulse.testing import FakeClock
from tests.unit.engine import made


class Calling:
    """`execute` calls a handler; `emitted` and `held.logs` are what it did meanwhile."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.registered = Registrations()
        self.clock = FakeClock(made.NOW)
        self.emitted: list[tuple[Signal, bool]] = []
        self.executor = Executor(
            self.registered._registry,
            Ids(self.clock),
            self.clock,
            threads,
            Telemetry(),
        )
        self.held = Held(
            id=made.RUN_ID,
            epoch=1,
            lone_deaths=0,
            run=made.run(context={"earlier": {"n": 1}}),
            workflow=made.workflow(Action("a"), config={"severity": "high"}),
            trigger=made.trigger(environment="production"),
            steps={},
            context={},
            due=made.NOW,
        )

    async def execute(self, handler: Any, **step: Any) -> Outcome:
        self.registered._registry.actions.clear()
        self.registered.register_action("a", handler)
        return await self.step(Action("a", **step))

    async def ask(self, handler: Any, **step: Any) -> Outcome:
        self.registered._registry.conditions.clear()
        self.registered.register_condition("a", handler)
        return await self.step(Condition("a", **step))

    async def step(self, step: Action | Condition) -> Outcome:
        row = made.row("0", "a", "running", attempt=1)
        return await self.executor.execute(self.held, row, step, self._emit)

    async def _emit(self, signal: Signal, *, wait: bool = False) -> TriggerEnvelope:
        self.emitted.append((signal, wait))
        return made.trigger(type=signal.type, idempotency_key=signal.idempotency_key)


@asynccontextmanager
async def calling() -> AsyncIterator[Calling]:
    threads = ThreadPoolExecutor(2, thread_name_prefix="handler")
    try:
        yield Calling(threads)
    finally:
        await asyncio.to_thread(threads.shutdown)
