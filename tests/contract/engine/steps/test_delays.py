"""Delays: nothing is held meanwhile, and a test does not wait for them."""

import time
from datetime import timedelta

import pytest

from pulse import Action, Delay, Engine
from pulse.engine.definition.steps import Step
from pulse.testing import FakeClock, run_until_idle
from tests.contract.conftest import SetClock
from tests.contract.engine.workshop import A, B, again, parallel, recorder, run_of, signal, steps_of, workflow

pytestmark = pytest.mark.usefixtures("bystander")


async def test_a_delay_of_30_days_takes_no_time(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "remind")
    await engine.create_workflow(workflow(Delay("month", days=30), Action("remind")))
    began, started = clock.now, time.monotonic()
    run = await run_of(engine, signal())
    assert time.monotonic() - started < 5
    assert (run.status, len(done.calls)) == ("completed", 1)
    assert run.completed_at == began + timedelta(days=30)


async def test_while_it_is_pending_the_run_waits_and_the_step_is_scheduled(
    still: Engine, still_clock: SetClock
) -> None:
    done = recorder(still, "remind")
    await still.create_workflow(workflow(Delay("later", minutes=5, seconds=30, ms=1), Action("remind")))
    run = await run_of(still, signal())
    due = run.created_at + timedelta(minutes=5, seconds=30, milliseconds=1)
    step = (await steps_of(still, run))["later"]
    assert (run.status, run.due_at, run.current_step_index) == ("waiting", due, 0)
    assert (step.status, step.scheduled_for, step.step_type) == ("scheduled", due, "delay")
    still_clock.ms += 330_000
    await run_until_idle(still)
    assert (await again(still, run)).status == "waiting"
    still_clock.ms += 1
    await run_until_idle(still)
    assert ((await again(still, run)).status, len(done.calls)) == ("completed", 1)
    assert (await steps_of(still, run))["later"].status == "completed"


async def test_another_process_goes_on_after_the_delay(still: Engine, engine: Engine) -> None:
    done = recorder(engine, "remind")
    await still.create_workflow(workflow(Delay("later", days=1), Action("remind")))
    run = await run_of(still, signal())
    assert run.status == "waiting"
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(done.calls)) == ("completed", 1)


async def test_delays_follow_each_other(engine: Engine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Delay("one", hours=1), Delay("two", hours=2)))
    began = clock.now
    run = await run_of(engine, signal())
    assert run.completed_at == began + timedelta(hours=3)


async def test_delays_beside_each_other_pass_together(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "remind")
    branches: list[list[Step]] = [
        [Delay("one", hours=1)],
        [Delay("two", hours=2), Action("remind")],
        [Delay("three", hours=3)],
    ]
    await engine.create_workflow(workflow(parallel("all", *branches)))
    began = clock.now
    run = await run_of(engine, signal())
    assert run.completed_at == began + timedelta(hours=3)
    assert done.calls[0].step.started_at == began + timedelta(hours=2)


async def test_runs_are_woken_in_the_order_of_their_times(engine: Engine, clock: FakeClock) -> None:
    order: list[str] = []
    engine.register_action("remind", lambda ctx: order.append(ctx.config["name"]))
    for name, hours, tenant in (("late", 3, A), ("soon", 1, B), ("middle", 2, A)):
        steps = (Delay("later", hours=hours), Action("remind"))
        await engine.create_workflow(workflow(*steps, tenant=tenant, name=name, config={"name": name}))
    for tenant in (A, B):
        await engine.emit(signal(tenant=tenant))
    began = clock.now
    await run_until_idle(engine)
    assert order == ["soon", "middle", "late"]
    assert clock.now == began + timedelta(hours=3)


async def test_many_runs_wait_at_once(engine: Engine) -> None:
    done = recorder(engine, "remind")
    await engine.create_workflow(workflow(Delay("later", days=1), Action("remind")))
    await engine.emit_many([signal() for _ in range(300)])
    await run_until_idle(engine)
    assert len(done.calls) == 300
