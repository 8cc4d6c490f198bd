"""Waits that end by time, and signals that arrive from several processes at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pulse import Action, Delay, Engine, TriggerEnvelope, Wait
from pulse.testing import FakeClock, run_until_idle
from tests.contract.conftest import SetClock
from tests.contract.engine.workshop import (
    A,
    B,
    again,
    parallel,
    recorder,
    run_of,
    signal,
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")
APPROVED = "order.approved"
MINUTE = 60_000


@pytest.fixture
async def application(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(database_url)
    yield made
    await made.dispose()


async def test_a_wait_that_times_out_fails_the_run(engine: Engine, clock: FakeClock) -> None:
    after = recorder(engine, "after")
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE), Action("after")))
    began = clock.now
    run = await run_of(engine, signal())
    assert (run.status, run.failed_at) == ("failed", began + timedelta(minutes=1))
    assert "No signal 'order.approved' came within 60,000 ms" in (run.error_message or "")
    assert (await steps_of(engine, run))["approval"].status == "failed"
    assert after.calls == []


async def test_or_completes_it(engine: Engine) -> None:
    after = recorder(engine, "after")
    wait = Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE, on_timeout="complete")
    await engine.create_workflow(workflow(wait, Action("after")))
    run = await run_of(engine, signal())
    step = (await steps_of(engine, run))["approval"]
    assert (run.status, step.status, step.skip_reason) == ("completed", "skipped", "timeout")
    assert after.calls == []


async def test_or_is_skipped(engine: Engine) -> None:
    after = recorder(engine, "after")
    wait = Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE, on_timeout="skip")
    await engine.create_workflow(workflow(wait, Action("after")))
    run = await run_of(engine, signal())
    step = (await steps_of(engine, run))["approval"]
    assert (run.status, step.status, step.skip_reason) == ("completed", "skipped", "timeout")
    assert (run.context, len(after.calls)) == ({}, 1)


async def test_a_signal_in_time_ends_it_as_if_there_were_no_timeout(still: Engine, still_clock: SetClock) -> None:
    await still.create_workflow(
        workflow(Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE), Delay("later", days=1))
    )
    run = await run_of(still, signal())
    assert run.due_at == run.created_at + timedelta(minutes=1)
    still_clock.ms += MINUTE - 1
    await still.emit(signal(APPROVED, payload={"n": 1}))
    await run_until_idle(still)
    still_clock.ms += MINUTE
    await run_until_idle(still)
    found = await again(still, run)
    assert (found.status, found.context) == ("waiting", {"approval": {"n": 1}})


async def test_a_signal_that_comes_too_late_changes_nothing(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE)))
    run = await run_of(engine, signal())
    await engine.emit(signal(APPROVED))
    await run_until_idle(engine)
    assert await again(engine, run) == run


async def test_a_failed_wait_waits_anew_when_it_is_retried(engine: Engine, clock: FakeClock) -> None:
    wait = Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE)
    await engine.create_workflow(workflow(wait))
    run = await run_of(engine, signal())
    clock.advance(hours=1)
    await engine.retry_run(run.id)
    await engine.emit(signal(APPROVED, payload={"n": 1}))
    await run_until_idle(engine)
    found = await again(engine, run)
    assert (found.status, found.context) == ("completed", {"approval": {"n": 1}})


async def test_a_retry_does_not_count_a_signal_twice(engine: Engine) -> None:
    first = Wait("first", signal_type=APPROVED)
    second = Wait("second", signal_type=APPROVED, timeout_ms=MINUTE)
    await engine.create_workflow(workflow(first, second))
    run = await run_of(engine, signal())
    await engine.emit(signal(APPROVED, payload={"n": 1}))
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "failed"
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    found = await again(engine, run)
    assert (found.status, found.context) == ("failed", {"first": {"n": 1}})


async def test_a_timeout_of_one_tenant_leaves_the_wait_of_another(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED, timeout_ms=MINUTE), tenant=A))
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED), tenant=B))
    theirs = await run_of(engine, signal(tenant=B))
    mine = await run_of(engine, signal(tenant=A))
    assert (mine.status, (await again(engine, theirs)).status) == ("failed", "waiting")


async def test_signals_of_two_processes_at_once_end_a_wait_each(
    engine: Engine, beside: Engine, clock: FakeClock
) -> None:
    branches = [[Wait(f"number_{n}", signal_type=APPROVED)] for n in range(4)]
    await engine.create_workflow(workflow(parallel("all", *branches)))
    for _ in range(5):
        clock.advance(ms=1)
        run = await run_of(engine, signal())
        sent = [each.emit(signal(APPROVED, payload={"n": n})) for n, each in enumerate([engine, beside] * 2)]
        await asyncio.gather(*sent)
        await run_until_idle(engine)
        found = await again(engine, run)
        assert (found.status, sorted(each["n"] for each in found.context.values())) == ("completed", [0, 1, 2, 3])


async def test_a_signal_that_waits_for_the_commit_of_another_ends_the_other_wait(
    engine: Engine, database_url: str, application: AsyncEngine
) -> None:
    """Two transactions see the same two waits; the first takes one, and the second must not be left with nothing."""
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time: the second transaction begins after the first")
    branches = [[Wait(f"number_{n}", signal_type=APPROVED)] for n in range(2)]
    await engine.create_workflow(workflow(parallel("both", *branches)))
    run = await run_of(engine, signal())
    async with application.connect() as connection:
        await engine.emit(signal(APPROVED, payload={"n": 1}), connection=connection)
        second = asyncio.ensure_future(engine.emit(signal(APPROVED, payload={"n": 2})))
        await _blocked_or_done(application, second)
        await connection.commit()
    await second
    await run_until_idle(engine)
    found = await again(engine, run)
    assert (found.status, sorted(each["n"] for each in found.context.values())) == ("completed", [1, 2])


async def _blocked_or_done(application: AsyncEngine, task: "asyncio.Future[TriggerEnvelope]") -> None:
    """Returns when the task's transaction waits for a lock of another, or has ended."""
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10), application.connect() as connection:
        while not task.done() and not await connection.scalar(blocked):
            await connection.rollback()
