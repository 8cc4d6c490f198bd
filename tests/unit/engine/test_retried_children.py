"""A run that is retried waits for the runs that it started before: also for those that ended meanwhile."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pulse.engine.context import WorkflowContext
from pulse.engine.definition.steps import Action, Delay, Emit, Parallel, Step
from pulse.engine.engine import Engine
from pulse.engine.records import Signal, WorkflowRun
from pulse.testing import FakeClock, run_until_idle
from tests.unit.engine.made import workflow


class Shop:
    """An engine with an action that fails while `is_broken`, and one that the child runs call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_broken = True
        self.called: list[str] = []
        engine.register_action("pay", self.pay)
        engine.register_action("pack", self.pack)

    async def pay(self, context: WorkflowContext) -> None:
        self.called.append("pay")
        if self.is_broken:
            raise RuntimeError("no")

    async def pack(self, context: WorkflowContext) -> None:
        self.called.append("pack")

    async def failed(self, *steps: Step) -> WorkflowRun:
        await self.engine.create_workflow(
            workflow(Delay("wait", minutes=1), Action("pack"), name="child", trigger_type="packed")
        )
        await self.engine.create_workflow(workflow(*steps))
        trigger = await self.engine.emit(Signal("acme", "tests", "go"))
        await run_until_idle(self.engine)
        (run,) = await self.engine.get_runs_by_trigger(trigger.id)
        assert run.status == "failed"
        self.is_broken = False
        return run

    async def retried(self, run: WorkflowRun, from_step: str | None = None) -> str:
        await self.engine.retry_run(run.id, from_step=from_step)
        await run_until_idle(self.engine)
        again = await self.engine.get_run(run.id)
        assert again is not None
        return again.status


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    engine = Engine(f"sqlite+aiosqlite:///{tmp_path}/pulse.db", clock=FakeClock())
    await engine.migrate()
    try:
        yield Shop(engine)
    finally:
        await engine.stop()


async def test_a_child_that_ended_while_its_parent_was_failed_is_not_waited_for_in_vain(shop: Shop) -> None:
    run = await shop.failed(Parallel("p", ((Emit("packed", wait=True),), (Action("pay"),))))
    assert shop.called == ["pay", "pack"]
    assert await shop.retried(run) == "completed"
    assert shop.called == ["pay", "pack", "pay"]


async def test_a_retry_from_a_step_that_emitted_comes_to_its_end(shop: Shop) -> None:
    run = await shop.failed(Emit("packed", wait=True), Action("pay"))
    assert shop.called == ["pack", "pay"]
    assert await shop.retried(run, "packed") == "completed"
    assert shop.called[-1] == "pay"
