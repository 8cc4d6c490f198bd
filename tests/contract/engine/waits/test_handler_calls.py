"""What a handler may do besides answering: emit, send to the platform, log."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from pulse import Action, Delay, Engine, RetryPolicy, Wait, WorkflowContext
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import A, B, again, recorder, run_of, runs_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")
TWICE = RetryPolicy(max_attempts=2, backoff_ms=100, jitter=False)


async def test_it_emits_signals_that_start_workflows(engine: Engine) -> None:
    @engine.action("fix")
    async def fix(ctx: WorkflowContext) -> dict[str, Any]:
        trigger = await ctx.emit(signal("service.recovered", ctx.tenant_id, payload={"fix": 1}))
        return {"trigger": trigger.id}

    done = recorder(engine, "close")
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("close"), name="Close", on="service.recovered", tenant=tenant))
    await engine.create_workflow(workflow(Action("fix")))
    run = await run_of(engine, signal())
    assert (done.payloads, done.tenants) == ([{"fix": 1}], [A])
    assert run.context["fix"]["trigger"] == done.calls[0].trigger.id
    assert done.calls[0].run.parent_run_id is None


async def test_it_emits_once_however_often_the_step_is_tried(engine: Engine) -> None:
    sent: list[str] = []

    @engine.action("fix")
    async def fix(ctx: WorkflowContext) -> None:
        told = [signal("fixed", payload={"n": number, "attempt": ctx.step.attempt}) for number in range(2)]
        sent.extend([(await ctx.emit(each)).id for each in told])
        if ctx.step.attempt == 1:
            raise ValueError("after it was sent")

    done = recorder(engine, "close")
    await engine.create_workflow(workflow(Action("close"), name="Close", on="fixed"))
    await engine.create_workflow(workflow(Action("fix", retry_policy=TWICE)))
    await run_of(engine, signal())
    assert sent[:2] == sent[2:]
    assert sorted((payload["n"], payload["attempt"]) for payload in done.payloads) == [(0, 1), (1, 1)]


async def test_other_runs_and_other_steps_emit_their_own(engine: Engine) -> None:
    @engine.action("fix")
    async def fix(ctx: WorkflowContext) -> None:
        await ctx.emit(signal("fixed"))

    done = recorder(engine, "close")
    await engine.create_workflow(workflow(Action("close"), name="Close", on="fixed"))
    await engine.create_workflow(workflow(Action("fix"), Action("again", handler="fix")))
    for _ in range(2):
        await run_of(engine, signal())
    assert len(done.calls) == 4


async def test_with_wait_it_returns_when_all_that_it_started_has_ended(engine: Engine, clock: FakeClock) -> None:
    order: list[str] = []

    @engine.action("fix")
    async def fix(ctx: WorkflowContext) -> None:
        await ctx.emit(signal("fixed"), wait=True)
        order.append("returned")

    engine.register_action("close", lambda _ctx: order.append("closed"))
    await engine.create_workflow(workflow(Action("close"), name="Close", on="fixed"))
    await engine.create_workflow(workflow(Action("fix")))
    run = await run_of(engine, signal())
    assert (run.status, order) == ("completed", ["closed", "returned"])
    (child,) = await runs_of(engine, name="Close")
    assert child.parent_run_id == run.id


async def test_with_wait_nested_within_others(engine: Engine) -> None:
    for level in range(3):

        async def descend(ctx: WorkflowContext, below: str = f"level.{level + 1}") -> None:
            await ctx.emit(signal(below), wait=True)

        engine.register_action(f"level_{level}", descend)
        await engine.create_workflow(workflow(Action(f"level_{level}"), name=f"Level {level}", on=f"level.{level}"))
    done = recorder(engine, "bottom")
    await engine.create_workflow(workflow(Action("bottom"), name="Bottom", on="level.3"))
    run = await run_of(engine, signal("level.0"))
    assert (run.status, len(done.calls)) == ("completed", 1)


async def test_cancelling_the_run_cancels_what_its_handler_waits_for(engine: Engine) -> None:
    started = asyncio.Event()

    @engine.action("fix")
    async def fix(ctx: WorkflowContext) -> None:
        started.set()
        await ctx.emit(signal("fixed"), wait=True)

    await engine.create_workflow(workflow(Wait("never", signal_type="never"), name="Close", on="fixed"))
    await engine.create_workflow(workflow(Action("fix")))
    trigger = await engine.emit(signal())
    driving = asyncio.ensure_future(run_until_idle(engine))
    await started.wait()
    while [run.status for run in await runs_of(engine, name="Close")] != ["waiting"]:
        continue
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    await engine.cancel_run(run.id)
    await driving
    (child,) = await runs_of(engine, name="Close")
    assert ((await again(engine, run)).status, child.status) == ("canceled", "canceled")


async def test_it_sends_messages_with_the_same_key_on_every_attempt(engine: Engine) -> None:
    sent: list[tuple[dict[str, Any], str, str, str | None]] = []

    async def send(message: Mapping[str, Any], *, key: str, tenant_id: str, environment: str | None) -> str:
        sent.append((dict(message), key, tenant_id, environment))
        return f"msg_{key}"

    @engine.action("tell")
    async def tell(ctx: WorkflowContext) -> dict[str, Any]:
        ids = [await ctx.send({"n": number}) for number in range(2)]
        if ctx.step.attempt == 1:
            raise ValueError("after it was sent")
        return {"ids": ids}

    engine.send_with(send)
    await engine.create_workflow(workflow(Action("tell", retry_policy=TWICE)))
    run = await run_of(engine, signal(environment="production"))
    assert sent[:2] == sent[2:]
    assert [message for message, *_ in sent[:2]] == [{"n": 0}, {"n": 1}]
    assert len({key for _, key, *_ in sent}) == 2
    assert {(tenant, environment) for *_, tenant, environment in sent} == {(A, "production")}
    assert run.context["tell"]["ids"] == [f"msg_{key}" for _, key, *_ in sent[:2]]


async def test_without_a_platform_sending_fails_the_step_and_says_so(engine: Engine) -> None:
    @engine.action("tell")
    async def tell(ctx: WorkflowContext) -> None:
        await ctx.send({})

    await engine.create_workflow(workflow(Action("tell")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert "pulse up --app" in (run.error_message or "")


async def test_it_logs_and_the_lines_are_kept_in_order(engine: Engine, clock: FakeClock) -> None:
    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> None:
        ctx.log("begins")
        ctx.log("asks", {"carrier": {"name": "boat"}}, level="debug")
        clock.advance(seconds=1)
        ctx.log("hesitates", level="warn")

    await engine.create_workflow(workflow(Action("ship"), Delay("later", days=1), Action("more", handler="ship")))
    run = await run_of(engine, signal())
    logs = await engine.get_run_logs(run.id)
    assert [(log.message, log.level, log.data) for log in logs] == 2 * [
        ("begins", "info", None),
        ("asks", "debug", {"carrier": {"name": "boat"}}),
        ("hesitates", "warn", None),
    ]
    first, second = [step.id for step in await engine.get_run_steps(run.id) if step.step_type == "action"]
    assert [log.step_run_id for log in logs] == [first] * 3 + [second] * 3
    assert {(log.run_id, log.tenant_id) for log in logs} == {(run.id, A)}
    assert (logs[2].created_at - logs[0].created_at).total_seconds() == 1


async def test_what_a_failed_attempt_logged_is_kept(engine: Engine) -> None:
    @engine.action("ship")
    def ship(ctx: WorkflowContext) -> None:
        ctx.log(f"attempt {ctx.step.attempt}")
        raise ValueError("no")

    await engine.create_workflow(workflow(Action("ship", retry_policy=TWICE)))
    run = await run_of(engine, signal())
    said = [log.message for log in await engine.get_run_logs(run.id)]
    assert said == ["attempt 1", "Attempt 1 failed: ValueError: no", "attempt 2", "Attempt 2 failed: ValueError: no"]


async def test_another_tenant_does_not_see_the_logs(engine: Engine) -> None:
    engine.register_action("ship", lambda ctx: ctx.log("secret"))
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    assert await engine.get_run_logs(run.id, tenant_id=B) == []
    assert len(await engine.get_run_logs(run.id, tenant_id=A)) == 1
    assert await engine.get_run_logs("run_nothing") == []
