"""Branches beside each other: the next step follows when all have ended."""

import asyncio

import pytest

from pulse import Action, Delay, Engine, RetryPolicy, Wait, WorkflowContext
from pulse.testing import run_until_idle
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


async def test_branches_run_at_once_and_the_next_step_follows_all(engine: Engine) -> None:
    order: list[str] = []
    met = asyncio.Barrier(3)

    async def meet(ctx: WorkflowContext) -> None:
        await met.wait()
        order.append(ctx.step.name)

    engine.register_action("meet", meet)
    branches = [[Action(name, handler="meet")] for name in ("email", "slack", "sms")]
    engine.register_action("after", lambda ctx: order.append(ctx.step.name))
    await engine.create_workflow(workflow(parallel("notify", *branches), Action("after")))
    run = await run_of(engine, signal())
    assert run.status == "completed"
    assert sorted(order[:3]) == ["email", "slack", "sms"]
    assert order[3:] == ["after"]


async def test_results_of_branches_are_in_the_context_of_what_follows(engine: Engine) -> None:
    for name in ("one", "two", "three"):
        recorder(engine, name, {"from": name})
    after = recorder(engine, "after")
    await engine.create_workflow(
        workflow(parallel("all", [Action("one"), Action("two")], [Action("three")]), Action("after"))
    )
    run = await run_of(engine, signal())
    assert after.calls[0].run.context == {name: {"from": name} for name in ("one", "two", "three")}
    assert run.context == after.calls[0].run.context


async def test_rows_of_branches_say_where_they_stand(engine: Engine) -> None:
    recorder(engine, "ship")
    branches = [[Action("a", handler="ship"), Action("b", handler="ship")], [Action("c", handler="ship")]]
    await engine.create_workflow(workflow(Action("ship"), parallel("both", *branches)))
    run = await run_of(engine, signal())
    rows = await engine.get_run_steps(run.id)
    found = [(row.step_name, row.path, row.step_index, row.branch_index) for row in rows]
    assert found == [
        ("ship", "0", 0, None),
        ("both", "1", 1, None),
        ("a", "1.0.0", 0, 0),
        ("b", "1.0.1", 1, 0),
        ("c", "1.1.0", 0, 1),
    ]
    assert {row.parent_step_run_id for row in rows[2:]} == {rows[1].id}


async def test_branches_hold_any_steps_nested_ones_too(engine: Engine) -> None:
    order: list[str] = []
    for name in ("deep", "deeper", "beside", "after"):
        engine.register_action(name, lambda ctx: order.append(ctx.step.name))
    inner = parallel("inner", [Delay("day", days=1), Action("deep")], [Wait("go", signal_type="go"), Action("deeper")])
    await engine.create_workflow(workflow(parallel("outer", [inner], [Action("beside")]), Action("after")))
    run = await run_of(engine, signal())
    assert (run.status, order) == ("waiting", ["beside", "deep"])
    await engine.emit(signal("go"))
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"
    assert order == ["beside", "deep", "deeper", "after"]
    assert set((await statuses(engine, run)).values()) == {"completed"}


async def test_a_failed_branch_fails_the_step_and_the_run(engine: Engine) -> None:
    recorder(engine, "bad", fails=[ValueError("broken")])
    recorder(engine, "good", {"n": 1})
    after = recorder(engine, "after")
    both = parallel("both", [Action("bad"), Action("never", handler="good")], [Action("good"), Delay("later", days=1)])
    await engine.create_workflow(workflow(both, Action("after")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert "Step 'bad' failed: ValueError: broken" in (run.error_message or "")
    found = await statuses(engine, run)
    assert (found["both"], found["bad"], found["good"]) == ("failed", "failed", "completed")
    assert not set(found.values()) & {"pending", "running", "scheduled"}
    assert after.calls == []


async def test_what_runs_beside_a_failed_branch_is_finished_and_recorded(engine: Engine) -> None:
    @engine.action("bad")
    async def bad(_ctx: WorkflowContext) -> None:
        raise ValueError("broken")

    @engine.action("slow")
    async def slow(ctx: WorkflowContext) -> dict[str, int]:
        while (await steps_of(engine, ctx.run))["bad"].status != "failed":
            continue
        return {"n": 1}

    never = recorder(engine, "never")
    both = parallel("both", [Action("bad")], [Action("slow"), Action("never")])
    await engine.create_workflow(workflow(both))
    run = await run_of(engine, signal())
    assert (run.status, run.context, never.calls) == ("failed", {"slow": {"n": 1}}, [])


async def test_a_branch_may_try_again_while_others_go_on(engine: Engine) -> None:
    retry = RetryPolicy(max_attempts=3, backoff_ms=60_000, jitter=False)
    tried = recorder(engine, "tried", fails=[ValueError("no")] * 2)
    done = recorder(engine, "done")
    both = parallel("both", [Action("tried", retry_policy=retry)], [Action("done"), Delay("later", seconds=30)])
    await engine.create_workflow(workflow(both))
    run = await run_of(engine, signal())
    assert (run.status, len(tried.calls), len(done.calls)) == ("completed", 3, 1)


async def test_many_branches_of_two_tenants_converge_once_each(engine: Engine, beside: Engine) -> None:
    branches = [[Action(f"number_{n}", handler="ship")] for n in range(12)]
    done = recorder(engine, "ship")
    more = recorder(beside, "ship")
    after, after_beside = recorder(engine, "after"), recorder(beside, "after")
    for tenant in (A, B):
        await engine.create_workflow(workflow(parallel("all", *branches), Action("after"), tenant=tenant))
        await engine.emit_many([signal(tenant=tenant) for _ in range(3)])
    await asyncio.gather(run_until_idle(engine), run_until_idle(beside))
    assert sorted(done.tenants + more.tenants) == [A] * 36 + [B] * 36
    assert sorted(after.tenants + after_beside.tenants) == [A] * 3 + [B] * 3
