"""A run that reaches a handler which its worker lacks is handed back, and fails after the grace with the name."""

import logging
from datetime import timedelta

import pytest

from pulse import Action, Condition, Engine
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    OpenEngine,
    again,
    parallel,
    recorder,
    run_of,
    signal,
    statuses,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")


async def test_a_workflow_that_names_what_nobody_registered_is_accepted_with_a_warning(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    recorder(engine, "known")
    inner = parallel("both", [Condition("asked")], [Action("known")])
    with caplog.at_level(logging.WARNING, "pulse"):
        await engine.create_workflow(workflow(Action("known2", handler="lost"), inner))
    assert "action 'lost', condition 'asked'" in caplog.messages[-1]


async def test_a_worker_that_has_it_goes_on(engine: Engine, open_engine: OpenEngine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Action("first"), Action("ship")))
    recorder(engine, "first", {"n": 1})
    run = await run_of(engine, signal())
    assert run.status == "running"
    assert await statuses(engine, run) == {"first": "completed", "ship": "running"}
    other = open_engine()
    done = recorder(other, "ship")
    clock.advance(seconds=10)
    await run_until_idle(other)
    assert (await again(engine, run)).status == "completed"
    assert done.calls[0].run.context == {"first": {"n": 1}}
    assert done.calls[0].step.attempt == 1


async def test_it_is_not_taken_again_at_once(engine: Engine, beside: Engine, clock: FakeClock) -> None:
    done = recorder(beside, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    await run_until_idle(beside)
    assert (done.calls, (await again(engine, run)).status) == ([], "running")
    clock.advance(seconds=10)
    await run_until_idle(beside)
    assert len(done.calls) == 1


async def test_it_fails_after_the_grace_with_the_name(engine: Engine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    clock.advance(minutes=59, seconds=59)
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "running"
    clock.advance(seconds=10)
    await run_until_idle(engine)
    failed = await again(engine, run)
    assert failed.status == "failed"
    assert "action 'ship'" in (failed.error_message or "")


async def test_the_grace_is_the_applications_choice(open_engine: OpenEngine, clock: FakeClock) -> None:
    engine = open_engine(handler_grace=timedelta(seconds=5))
    await engine.migrate()
    await engine.create_workflow(workflow(Condition("is_paid")))
    run = await run_of(engine, signal())
    assert run.status == "running"
    clock.advance(seconds=6)
    await run_until_idle(engine)
    failed = await again(engine, run)
    assert failed.status == "failed"
    assert "condition 'is_paid'" in (failed.error_message or "")


async def test_a_failed_one_can_be_retried_where_the_handler_is(
    engine: Engine, beside: Engine, clock: FakeClock
) -> None:
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    clock.advance(hours=2)
    await run_until_idle(engine)
    done = recorder(beside, "ship")
    await engine.retry_run(run.id)
    await run_until_idle(beside)
    assert ((await again(engine, run)).status, len(done.calls)) == ("completed", 1)


async def test_the_branch_beside_it_goes_on(engine: Engine, beside: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "known")
    lost = recorder(beside, "lost")
    recorder(beside, "known")
    await engine.create_workflow(workflow(parallel("both", [Action("lost")], [Action("known")])))
    run = await run_of(engine, signal())
    assert (run.status, len(done.calls)) == ("running", 1)
    clock.advance(seconds=10)
    await run_until_idle(beside)
    assert ((await again(engine, run)).status, len(lost.calls)) == ("completed", 1)


async def test_a_tenant_whose_handler_is_missing_does_not_hold_up_another(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("lost"), tenant=A))
    await engine.create_workflow(workflow(Action("ship"), tenant=B))
    await engine.emit_many([signal(tenant=A) for _ in range(150)])
    await engine.emit(signal(tenant=B))
    await run_until_idle(engine)
    assert done.tenants == [B]
