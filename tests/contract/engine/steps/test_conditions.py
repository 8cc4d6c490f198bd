"""What follows when a condition does not hold."""

from typing import Any, Literal

import pytest

from pulse import Action, Condition, Delay, Engine
from tests.contract.engine.workshop import A, B, parallel, recorder, run_of, signal, statuses, steps_of, workflow

pytestmark = pytest.mark.usefixtures("bystander")


def condition(engine: Engine, answer: Any, name: str = "is_paid") -> None:
    engine.register_condition(name, lambda _ctx: answer)


async def test_where_it_holds_the_next_step_follows(engine: Engine) -> None:
    condition(engine, True)
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Condition("is_paid"), Action("ship")))
    run = await run_of(engine, signal())
    assert (run.status, len(done.calls)) == ("completed", 1)
    assert (await steps_of(engine, run))["is_paid"].result == {"result": True}
    assert run.context == {}


async def test_where_it_does_not_the_run_is_completed_early(engine: Engine) -> None:
    condition(engine, False)
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Condition("is_paid"), Action("ship"), Action("thank")))
    run = await run_of(engine, signal())
    assert (run.status, run.error_message, done.calls) == ("completed", None, [])
    assert (await statuses(engine, run))["is_paid"] == "completed"


@pytest.mark.parametrize(
    ("on_false", "called"),
    [("skip", ["b", "c"]), (1, ["b", "c"]), (2, ["c"]), (3, []), (100, [])],
)
async def test_or_some_steps_are_skipped(engine: Engine, on_false: Literal["skip"] | int, called: list[str]) -> None:
    condition(engine, False)
    order: list[str] = []
    for name in "abc":
        engine.register_action(name, lambda ctx: order.append(ctx.step.name))
    await engine.create_workflow(workflow(Condition("is_paid", on_false=on_false), *map(Action, "abc")))
    run = await run_of(engine, signal())
    assert (run.status, order) == ("completed", called)
    found = await steps_of(engine, run)
    skipped = [name for name in "abc" if name not in called]
    assert [(found[name].status, found[name].skip_reason) for name in skipped] == [("skipped", "condition")] * len(
        skipped
    )


async def test_a_skipped_delay_is_not_waited_for(still: Engine) -> None:
    condition(still, False)
    done = recorder(still, "ship")
    await still.create_workflow(workflow(Condition("is_paid", on_false="skip"), Delay("later", days=1), Action("ship")))
    run = await run_of(still, signal())
    assert (run.status, len(done.calls)) == ("completed", 1)


async def test_a_skipped_parallel_step_is_skipped_with_all_that_is_in_it(engine: Engine) -> None:
    condition(engine, False)
    done = recorder(engine, "ship")
    both = parallel("both", [Action("one", handler="ship")], [Action("two", handler="ship")])
    await engine.create_workflow(workflow(Condition("is_paid", on_false="skip"), both, Action("ship")))
    run = await run_of(engine, signal())
    assert [ctx.step.name for ctx in done.calls] == ["ship"]
    assert (await statuses(engine, run))["both"] == "skipped"


async def test_in_a_branch_it_ends_the_branch_alone(engine: Engine) -> None:
    condition(engine, False)
    order: list[str] = []
    for name in ("inside", "beside", "after"):
        engine.register_action(name, lambda ctx: order.append(ctx.step.name))
    both = parallel("both", [Condition("is_paid"), Action("inside")], [Action("beside")])
    await engine.create_workflow(workflow(both, Action("after")))
    run = await run_of(engine, signal())
    assert (run.status, order) == ("completed", ["beside", "after"])


@pytest.mark.parametrize("answer", [None, 0, 1, "yes", {}])
async def test_what_is_neither_true_nor_false_fails_the_run(engine: Engine, answer: Any) -> None:
    condition(engine, answer)
    await engine.create_workflow(workflow(Condition("is_paid")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert "True or False" in (run.error_message or "")


async def test_a_condition_that_raises_fails_the_run(engine: Engine) -> None:
    def broken(_ctx: object) -> bool:
        raise ValueError("cannot tell")

    engine.register_condition("is_paid", broken)
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Condition("is_paid"), Action("ship")))
    run = await run_of(engine, signal())
    assert (run.status, done.calls) == ("failed", [])
    assert "cannot tell" in (run.error_message or "")


async def test_it_sees_the_context_the_config_and_the_tenant(engine: Engine) -> None:
    recorder(engine, "quote", {"total": 7})
    done = recorder(engine, "ship")

    @engine.condition("is_cheap")
    async def is_cheap(ctx: Any) -> bool:
        return bool(ctx.run.context["quote"]["total"] < ctx.config["limit"] and ctx.tenant_id == A)

    for tenant in (A, B):
        steps = (Action("quote"), Condition("is_cheap"), Action("ship"))
        await engine.create_workflow(workflow(*steps, tenant=tenant, config={"limit": 10}))
        await run_of(engine, signal(tenant=tenant))
    assert done.tenants == [A]
