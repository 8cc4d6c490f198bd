"""Runs that failed, and go on."""

import pytest

from pulse import Action, Delay, Engine, RetryPolicy, RunFilter, Wait, WorkflowContext
from pulse.core.errors import NotFound
from pulse.engine.errors import IllegalTransition
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    again,
    parallel,
    recorder,
    run_of,
    signal,
    statuses,
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")
NO = ValueError("no")


async def test_a_retried_run_goes_on_at_the_failed_step(engine: Engine, clock: FakeClock) -> None:
    first, bad, last = (
        recorder(engine, "first", {"n": 1}),
        recorder(engine, "bad", fails=[NO]),
        recorder(engine, "last"),
    )
    await engine.create_workflow(workflow(Action("first"), Action("bad"), Action("last")))
    run = await run_of(engine, signal())
    clock.advance(hours=1)
    retried = await engine.retry_run(run.id)
    assert (retried.status, retried.failed_at, retried.error_message, retried.attempt) == ("running", None, None, 2)
    assert await statuses(engine, run) == {"first": "completed", "bad": "pending"}
    await run_until_idle(engine)
    found = await again(engine, run)
    assert (found.status, found.started_at, found.completed_at) == ("completed", run.started_at, clock.now)
    assert [len(each.calls) for each in (first, bad, last)] == [1, 2, 1]
    assert last.calls[0].run.context == {"first": {"n": 1}}


async def test_the_failed_step_has_all_its_attempts_again(engine: Engine) -> None:
    bad = recorder(engine, "bad", fails=[NO] * 5)
    retry = RetryPolicy(max_attempts=3, backoff_ms=100)
    await engine.create_workflow(workflow(Action("bad", retry_policy=retry)))
    run = await run_of(engine, signal())
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"
    assert [ctx.step.attempt for ctx in bad.calls] == [1, 2, 3, 1, 2, 3]
    assert len({ctx.step.id for ctx in bad.calls}) == 1


async def test_it_may_fail_and_be_retried_again(engine: Engine) -> None:
    bad = recorder(engine, "bad", fails=[ValueError(f"number {n}") for n in range(3)])
    await engine.create_workflow(workflow(Action("bad")))
    run = await run_of(engine, signal())
    for number in range(3):
        found = await again(engine, run)
        assert (found.status, found.attempt) == ("failed", number + 1)
        assert f"number {number}" in (found.error_message or "")
        await engine.retry_run(run.id)
        await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(bad.calls)) == ("completed", 4)


async def test_from_a_step_it_and_all_after_it_run_again(engine: Engine) -> None:
    order: list[str] = []

    def remember(ctx: WorkflowContext) -> dict[str, str]:
        order.append(ctx.step.name)
        return {"from": ctx.step.name}

    for name in ("a", "b", "c"):
        engine.register_action(name, remember)
    seen = recorder(engine, "bad", fails=[NO])
    await engine.create_workflow(workflow(*map(Action, ["a", "b", "c", "bad"])))
    run = await run_of(engine, signal())
    retried = await engine.retry_run(run.id, from_step="b")
    assert retried.context == {"a": {"from": "a"}}
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"
    assert order == ["a", "b", "c", "b", "c"]
    assert set(seen.calls[1].run.context) == {"a", "b", "c"}


async def test_from_a_delay_it_is_waited_for_again(still: Engine) -> None:
    recorder(still, "bad", fails=[NO])
    await still.create_workflow(workflow(Delay("later", ms=1), Action("bad")))
    run = await run_of(still, signal())
    still.plant.clock.ms += 1  # type: ignore[attr-defined]
    await run_until_idle(still)
    assert (await again(still, run)).status == "failed"
    await still.retry_run(run.id, from_step="later")
    await run_until_idle(still)
    assert (await statuses(still, run)) == {"later": "scheduled"}


async def test_from_a_step_in_a_branch_the_other_branch_stays(engine: Engine) -> None:
    one, two, bad = recorder(engine, "one"), recorder(engine, "two"), recorder(engine, "bad", fails=[NO])
    after = recorder(engine, "after")
    both = parallel("both", [Action("one"), Action("bad")], [Action("two")])
    await engine.create_workflow(workflow(both, Action("after")))
    run = await run_of(engine, signal())
    await engine.retry_run(run.id, from_step="one")
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"
    assert [len(each.calls) for each in (one, two, bad, after)] == [2, 1, 2, 1]
    assert set((await statuses(engine, run)).values()) == {"completed"}


async def test_what_was_skipped_because_of_the_failure_runs_after_a_retry(engine: Engine) -> None:
    recorder(engine, "bad", fails=[NO])
    slow, never = recorder(engine, "slow"), recorder(engine, "never")
    both = parallel("both", [Action("bad")], [Delay("later", days=1), Action("slow")])
    await engine.create_workflow(workflow(both, Action("never")))
    run = await run_of(engine, signal())
    assert (await steps_of(engine, run))["later"].skip_reason == "failed"
    assert slow.calls == []
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"
    assert (len(slow.calls), len(never.calls)) == (1, 1)
    assert (await steps_of(engine, run))["later"].skip_reason is None


async def test_an_unknown_step_is_refused_and_nothing_changes(engine: Engine) -> None:
    recorder(engine, "bad", fails=[NO])
    await engine.create_workflow(workflow(Action("bad")))
    run = await run_of(engine, signal())
    with pytest.raises(NotFound, match="it has: bad"):
        await engine.retry_run(run.id, from_step="good")
    assert await again(engine, run) == run


@pytest.mark.parametrize("status", ["pending", "waiting", "completed", "canceled"])
async def test_what_has_not_failed_is_not_retried_and_nothing_changes(engine: Engine, status: str) -> None:
    recorder(engine, "ship")
    await engine.create_workflow(
        workflow(Action("ship") if status == "completed" else Wait("never", signal_type="never"))
    )
    trigger = await engine.emit(signal())
    if status != "pending":
        await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    if status == "canceled":
        run = await engine.cancel_run(run.id)
    assert run.status == status
    with pytest.raises(IllegalTransition):
        await engine.retry_run(run.id)
    assert await again(engine, run) == run


async def test_a_run_of_another_tenant_is_not_found(engine: Engine) -> None:
    recorder(engine, "bad", fails=[NO])
    await engine.create_workflow(workflow(Action("bad")))
    run = await run_of(engine, signal())
    for run_id, tenant in (("run_nothing", None), (run.id, B)):
        with pytest.raises(NotFound):
            await engine.retry_run(run_id, tenant_id=tenant)
    assert await again(engine, run) == run
    assert (await engine.retry_run(run.id, tenant_id=A)).status == "running"


async def test_failed_runs_are_listed_for_all_or_for_a_tenant(engine: Engine, clock: FakeClock) -> None:
    recorder(engine, "bad", fails=[NO] * 3)
    failed = []
    for tenant in (A, B, A):
        clock.advance(ms=1)
        await engine.create_workflow(workflow(Action("bad"), tenant=tenant))
        failed.append(await run_of(engine, signal(tenant=tenant)))
    recorder(engine, "good")
    await engine.create_workflow(workflow(Action("good"), name="Good", on="good"))
    await run_of(engine, signal("good"))
    assert await engine.get_failed_runs(A) == [failed[2], failed[0]]
    assert await engine.get_failed_runs(B) == [failed[1]]
    assert [run for run in await engine.get_failed_runs() if run.tenant_id in (A, B)] == failed[::-1]
    assert await engine.get_failed_runs("tenant_c") == []


async def test_many_are_retried_by_filter(engine: Engine) -> None:
    bad = recorder(engine, "bad", fails=[NO] * 122)
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("bad"), tenant=tenant))
    await engine.emit_many([signal() for _ in range(120)] + [signal(tenant=B)] * 2)
    await run_until_idle(engine)
    assert await engine.retry_runs(RunFilter(tenant_id=A, workflow="Workflow")) == 120
    await run_until_idle(engine)
    assert await engine.get_failed_runs(A) == []
    assert len(await engine.get_failed_runs(B)) == 2
    assert len(bad.calls) == 242
    assert await engine.retry_runs(RunFilter(tenant_id=A)) == 0


async def test_a_run_with_much_in_its_context_is_retried_too(engine: Engine) -> None:
    for name in ("one", "two"):
        recorder(engine, name, {"text": "x" * 1_200_000})
    recorder(engine, "bad", fails=[NO])
    await engine.create_workflow(workflow(*map(Action, ["one", "two", "bad"])))
    run = await run_of(engine, signal())
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    found = await again(engine, run)
    assert (found.status, set(found.context)) == ("completed", {"one", "two"})


async def test_a_retry_of_a_new_version_keeps_the_old_one(engine: Engine) -> None:
    bad, other = recorder(engine, "bad", fails=[NO]), recorder(engine, "other")
    await engine.create_workflow(workflow(Action("bad")))
    run = await run_of(engine, signal())
    await engine.create_workflow(workflow(Action("other")))
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(bad.calls), other.calls) == ("completed", 2, [])


async def test_a_retry_is_written_in_the_log(engine: Engine) -> None:
    recorder(engine, "bad", fails=[NO])
    await engine.create_workflow(workflow(Action("bad")))
    run = await run_of(engine, signal())
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert any("Retried" in log.message for log in await engine.get_run_logs(run.id))
