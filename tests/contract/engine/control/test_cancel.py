"""Ending runs before their time."""

import asyncio
from datetime import timedelta

import pytest

from pulse import Action, Delay, Engine, RunFilter, Wait, WorkflowContext, WorkflowRun
from pulse.core.errors import NotFound
from pulse.engine.definition.steps import Step
from pulse.engine.errors import IllegalTransition
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
    statuses,
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")


async def test_a_pending_run_is_canceled(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    run = await only_run(engine, (await engine.emit(signal())).id)
    assert run.status == "pending"
    canceled = await engine.cancel_run(run.id, "No longer needed")
    assert (canceled.status, canceled.cancel_reason, canceled.canceled_at) == (
        "canceled",
        "No longer needed",
        clock.now,
    )
    await run_until_idle(engine)
    assert await again(engine, run) == canceled
    assert done.calls == []


async def test_a_waiting_run_is_canceled_and_its_steps_are_skipped(engine: Engine) -> None:
    done = recorder(engine, "ship")
    both = parallel("both", [Wait("approval", signal_type="order.approved")], [Action("first", handler="ship")])
    await engine.create_workflow(workflow(both, Action("ship")))
    run = await run_of(engine, signal())
    await engine.cancel_run(run.id)
    await engine.emit(signal("order.approved"))
    await run_until_idle(engine)
    found = await again(engine, run)
    assert (found.status, found.cancel_reason) == ("canceled", None)
    assert await statuses(engine, run) == {"both": "skipped", "approval": "skipped", "first": "completed"}
    assert (await steps_of(engine, run))["approval"].skip_reason == "canceled"
    assert len(done.calls) == 1


async def test_a_run_that_is_delayed_does_not_go_on_later(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Delay("later", days=1), Action("ship")))
    run = await only_run(engine, (await engine.emit(signal())).id)
    work = asyncio.ensure_future(run_until_idle(engine))
    await engine.cancel_run(run.id)
    await work
    clock.advance(days=2)
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, done.calls) == ("canceled", [])


async def running(engine: Engine) -> tuple[WorkflowRun, asyncio.Event, "asyncio.Future[None]"]:
    """A run in whose handler somebody waits for ever; the event that says that it was cut off; who drives it."""
    started, cut = asyncio.Event(), asyncio.Event()

    @engine.action("slow")
    async def slow(_ctx: WorkflowContext) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    await engine.create_workflow(workflow(Action("slow"), Action("after", handler="slow")))
    trigger = await engine.emit(signal())
    driving = asyncio.ensure_future(run_until_idle(engine))
    await started.wait()
    return await only_run(engine, trigger.id), cut, driving


async def test_a_running_handler_is_cut_off(engine: Engine) -> None:
    run, cut, driving = await running(engine)
    assert run.status == "running"
    await engine.cancel_run(run.id, "enough")
    await driving
    assert cut.is_set()
    assert (await again(engine, run)).status == "canceled"
    assert await statuses(engine, run) == {"slow": "skipped"}


async def test_a_running_handler_of_another_process_is_cut_off_too(engine: Engine, open_engine: OpenEngine) -> None:
    holder = open_engine(lease_ms=300)
    started, cut = asyncio.Event(), asyncio.Event()

    @holder.action("slow")
    async def slow(_ctx: WorkflowContext) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    await engine.create_workflow(workflow(Action("slow")))
    async with holder:
        trigger = await holder.emit(signal())
        await started.wait()
        run = await only_run(engine, trigger.id)
        await engine.cancel_run(run.id)
        async with asyncio.timeout(10):
            await cut.wait()
    assert (await again(engine, run)).status == "canceled"


async def test_what_a_handler_answers_after_the_cancel_changes_nothing(engine: Engine, beside: Engine) -> None:
    canceled: list[WorkflowRun] = []

    @engine.action("stubborn")
    async def stubborn(ctx: WorkflowContext) -> dict[str, int]:
        canceled.append(await beside.cancel_run(ctx.run.id))
        ctx.log("too late")
        return {"n": 1}

    after = recorder(engine, "after")
    await engine.create_workflow(workflow(Action("stubborn"), Action("after")))
    run = await run_of(engine, signal())
    assert [run] == canceled
    assert (run.context, after.calls, await engine.get_run_logs(run.id)) == ({}, [], [])
    assert await statuses(engine, run) == {"stubborn": "skipped"}


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
async def test_a_run_that_has_ended_is_not_canceled_and_nothing_changes(engine: Engine, status: str) -> None:
    steps: dict[str, Step] = {
        "completed": Action("ship"),
        "failed": Action("bad"),
        "canceled": Wait("never", signal_type="never"),
    }
    recorder(engine, "ship")
    recorder(engine, "bad", fails=[ValueError("no")])
    await engine.create_workflow(workflow(steps[status]))
    run = await run_of(engine, signal())
    if status == "canceled":
        run = await engine.cancel_run(run.id, "first")
    assert run.status == status
    before = await engine.get_run_timeline(run.id)
    with pytest.raises(IllegalTransition):
        await engine.cancel_run(run.id, "second")
    assert await again(engine, run) == run
    assert await engine.get_run_timeline(run.id) == before


async def test_a_run_that_is_not_there_or_not_the_tenants_is_not_found(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("never", signal_type="never")))
    run = await run_of(engine, signal())
    for run_id, tenant in (("run_nothing", None), (run.id, B)):
        with pytest.raises(NotFound):
            await engine.cancel_run(run_id, tenant_id=tenant)
    assert await again(engine, run) == run
    assert (await engine.cancel_run(run.id, tenant_id=A)).status == "canceled"


async def test_many_are_canceled_by_filter(engine: Engine, clock: FakeClock) -> None:
    never = Wait("never", signal_type="never")
    for name, tenant in (("One", A), ("Two", A), ("One", B)):
        await engine.create_workflow(workflow(never, name=name, on=f"start.{name}", tenant=tenant))
    for tenant, kind in [(A, "start.One")] * 130 + [(A, "start.Two"), (B, "start.One")]:
        await engine.emit(signal(kind, tenant))
    await run_until_idle(engine)
    assert await engine.cancel_runs(RunFilter(tenant_id=A, workflow="One"), "over") == 130
    left = [run for run in await engine.list_runs(limit=1000) if run.tenant_id in (A, B)]
    unfinished = [(run.tenant_id, run.definition_snapshot["name"]) for run in left if run.status == "waiting"]
    assert sorted(unfinished) == [(A, "Two"), (B, "One")]
    assert {run.cancel_reason for run in left if run.status == "canceled"} == {"over"}
    assert await engine.cancel_runs(RunFilter(tenant_id=A, workflow="One")) == 0


async def test_filters_name_runs_by_status_type_and_time(engine: Engine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Wait("never", signal_type="never")))
    old = await run_of(engine, signal())
    clock.advance(days=1)
    middle = clock.now
    young = await run_of(engine, signal())
    assert await engine.cancel_runs(RunFilter(tenant_id=A, trigger_type="other")) == 0
    assert await engine.cancel_runs(RunFilter(tenant_id=A, status="running")) == 0
    assert await engine.list_runs(RunFilter(tenant_id=A, created_before=middle)) == [await again(engine, old)]
    assert await engine.list_runs(RunFilter(tenant_id=A, created_after=middle - timedelta(hours=1))) == [young]
    assert await engine.cancel_runs(RunFilter(tenant_id=A, created_before=middle, status="waiting")) == 1
    assert (await again(engine, old)).status == "canceled"
    assert (await again(engine, young)).status == "waiting"
    assert await engine.list_runs(RunFilter(tenant_id=B)) == []


async def test_runs_are_listed_the_newest_first_in_pages(engine: Engine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Wait("never", signal_type="never")))
    ids = []
    for _ in range(5):
        clock.advance(ms=1)
        ids.append((await run_of(engine, signal())).id)
    where = RunFilter(tenant_id=A)
    first = await engine.list_runs(where, limit=3)
    rest = await engine.list_runs(where, limit=3, before=first[-1].id)
    assert [run.id for run in first + rest] == ids[::-1]
