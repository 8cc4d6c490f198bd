"""The life of a run, in order; and the hooks that hear of it."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import pytest

from pulse import (
    Action,
    Condition,
    Delay,
    Engine,
    RunCompleteEvent,
    RunTimelineEntry,
    StepCompleteEvent,
    Wait,
    WorkflowContext,
    WorkflowRun,
)
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    OpenEngine,
    again,
    only_run,
    parallel,
    recorder,
    run_of,
    signal,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")


async def told(engine: Engine, run: WorkflowRun) -> list[str]:
    return [" ".join(filter(None, [entry.type, entry.step_name])) for entry in await engine.get_run_timeline(run.id)]


async def test_a_run_from_its_beginning_to_its_end(engine: Engine, clock: FakeClock) -> None:
    engine.register_condition("asked", lambda _ctx: False)
    recorder(engine, "skipped")

    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> dict[str, Any]:
        ctx.log("on its way", {"n": 1}, level="warn")
        clock.advance(seconds=1)
        return {"shipped": True}

    steps = (Delay("later", hours=1), Condition("asked", on_false="skip"), Action("skipped"), Action("ship"))
    await engine.create_workflow(workflow(*steps))
    run = await run_of(engine, signal())
    assert await told(engine, run) == [
        "run_created",
        "step_scheduled later",
        "step_completed later",
        "step_scheduled asked",
        "step_started asked",
        "step_completed asked",
        "step_scheduled skipped",
        "step_skipped skipped",
        "step_scheduled ship",
        "step_started ship",
        "log ship",
        "step_completed ship",
        "run_completed",
    ]
    entries = await engine.get_run_timeline(run.id)
    assert entries == sorted(entries, key=lambda entry: entry.timestamp)
    found = {entry.type: entry for entry in entries if entry.step_name in (None, "ship")}
    assert found["run_created"].detail["triggerId"] == run.trigger_id
    assert found["log"].detail == {"level": "warn", "message": "on its way", "data": {"n": 1}}
    assert found["step_completed"].detail == {"result": {"shipped": True}}
    assert (found["step_started"].step_index, found["step_started"].step_type) == (3, "action")


async def test_a_run_that_fails(engine: Engine) -> None:
    recorder(engine, "bad", fails=[ValueError("no")])
    await engine.create_workflow(workflow(Action("bad")))
    run = await run_of(engine, signal())
    assert await told(engine, run) == [
        "run_created",
        "step_scheduled bad",
        "step_started bad",
        "step_failed bad",
        "run_failed",
    ]
    failed, ended = (await engine.get_run_timeline(run.id))[-2:]
    assert failed.detail["error"] == "ValueError: no"
    assert ended.detail == {"error": "Step 'bad' failed: ValueError: no"}


async def test_a_run_that_is_canceled(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("approval", signal_type="order.approved")))
    run = await run_of(engine, signal())
    await engine.cancel_run(run.id, "enough")
    assert await told(engine, run) == [
        "run_created",
        "step_scheduled approval",
        "step_started approval",
        "step_skipped approval",
        "run_canceled",
    ]
    last = (await engine.get_run_timeline(run.id))[-1]
    assert isinstance(last, RunTimelineEntry)
    assert last.detail == {"reason": "enough"}


async def test_a_parallel_step_ends_after_what_is_in_it(engine: Engine) -> None:
    recorder(engine, "ship")
    both = parallel("both", [Action("one", handler="ship")], [Action("two", handler="ship")])
    await engine.create_workflow(workflow(both, Action("ship")))
    run = await run_of(engine, signal())
    found = await told(engine, run)
    assert found.index("step_started both") < found.index("step_started one")
    for name in ("one", "two"):
        assert found.index(f"step_completed {name}") < found.index("step_completed both")
    assert found.index("step_completed both") < found.index("step_scheduled ship")


async def test_another_tenant_sees_no_timeline(engine: Engine) -> None:
    recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert await engine.get_run_timeline(run.id, tenant_id=B) == []
    assert await engine.get_run_timeline("run_nothing") == []
    assert len(await engine.get_run_timeline(run.id, tenant_id=A)) == 5


# ---- hooks ------------------------------------------------------------------------------------------------------


class Ear:
    """Hears everything, and looks up at once what is stored."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.steps: list[tuple[str, str]] = []
        self.seen: list[tuple[str, str]] = []
        self.runs: list[tuple[str, str]] = []

    def step(self, event: StepCompleteEvent) -> Awaitable[None]:
        """Hooks are called in order; what they await, they await side by side."""
        self.steps.append((event.step.step_name, event.step.status))
        return self._look(event)

    async def _look(self, event: StepCompleteEvent) -> None:
        assert self.engine is not None
        rows = {row.id: row for row in await self.engine.get_run_steps(event.run.id)}
        assert rows[event.step.id].status == event.step.status
        self.seen.append((event.step.step_name, event.step.status))

    async def run(self, event: RunCompleteEvent) -> None:
        assert self.engine is not None
        assert (await again(self.engine, event.run)).status == event.status == event.run.status
        self.runs.append((event.run.tenant_id, event.status))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def heard(ear: Ear, open_engine: OpenEngine, engine: Engine) -> Engine:
    ear.engine = open_engine(on_step_complete=ear.step, on_run_complete=ear.run)
    return ear.engine


async def test_hooks_hear_of_what_is_stored(heard: Engine, ear: Ear) -> None:
    recorder(heard, "good")
    recorder(heard, "bad", fails=[ValueError("no")])
    await heard.create_workflow(workflow(Action("good"), Delay("later", days=1), Action("bad")))
    await run_of(heard, signal())
    assert ear.steps == [("good", "completed"), ("later", "completed"), ("bad", "failed")]
    assert sorted(ear.seen) == sorted(ear.steps)
    assert ear.runs == [(A, "failed")]


async def test_hooks_hear_of_a_cancel(heard: Engine, ear: Ear) -> None:
    await heard.create_workflow(workflow(Wait("never", signal_type="never")))
    run = await run_of(heard, signal())
    await heard.cancel_run(run.id)
    await run_until_idle(heard)
    assert ear.runs == [(A, "canceled")]


async def test_hooks_hear_of_every_tenant_and_of_nothing_that_another_process_did(
    heard: Engine, ear: Ear, engine: Engine
) -> None:
    for each in (heard, engine):
        recorder(each, "good")
    for tenant in (A, B):
        await heard.create_workflow(workflow(Action("good"), tenant=tenant))
        await heard.emit(signal(tenant=tenant))
    await run_until_idle(heard)
    await run_of(engine, signal())
    assert sorted(ear.runs) == [(A, "completed"), (B, "completed")]


def fails(_event: object) -> None:
    raise ValueError("in a hook")


async def fails_later(_event: object) -> None:
    raise ValueError("in a hook")


@pytest.mark.parametrize("hook", [fails, fails_later])
async def test_an_error_in_a_hook_is_logged_and_nothing_else(
    open_engine: OpenEngine, engine: Engine, caplog: pytest.LogCaptureFixture, hook: Any
) -> None:
    broken = open_engine(on_step_complete=hook, on_run_complete=hook)
    recorder(broken, "one", {"n": 1})
    recorder(broken, "two")
    await broken.create_workflow(workflow(Action("one"), Action("two")))
    with caplog.at_level(logging.ERROR, "pulse"):
        run = await run_of(broken, signal())
    assert (run.status, run.context) == ("completed", {"one": {"n": 1}})
    assert [record.message for record in caplog.records] == ["a hook failed"] * 3


async def test_a_slow_hook_holds_up_nobody(open_engine: OpenEngine, engine: Engine) -> None:
    released, seen = asyncio.Event(), asyncio.Event()

    async def slow(_event: StepCompleteEvent) -> None:
        await released.wait()

    patient = open_engine(on_step_complete=slow, on_run_complete=lambda _event: seen.set())
    recorder(patient, "ship")
    await patient.create_workflow(workflow(Action("ship"), Action("more", handler="ship")))
    async with patient:
        trigger = await patient.emit(signal())
        async with asyncio.timeout(10):
            await seen.wait()
        assert (await only_run(patient, trigger.id)).status == "completed"
        released.set()
