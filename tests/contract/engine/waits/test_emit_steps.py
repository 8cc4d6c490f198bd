"""Emit steps: what they send, and how a run fares with the runs that it waits for."""

import pytest

from pulse import Action, Delay, Emit, Engine, Wait, WorkflowRun
from pulse.engine.definition.steps import Step
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    again,
    parallel,
    recorder,
    run_of,
    runs_of,
    signal,
    statuses,
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")
PACKED = "order.packed"


async def child_of(engine: Engine, name: str = "Child") -> WorkflowRun:
    (run,) = await runs_of(engine, name=name)
    return run


async def test_it_emits_the_payload_of_the_run(engine: Engine) -> None:
    done = recorder(engine, "pack")
    await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED)))
    run = await run_of(engine, signal(payload={"n": 1}, resource_id="order_1", environment="production"))
    assert run.status == "completed"
    (ctx,) = done.calls
    sent = ctx.trigger
    assert (sent.tenant_id, sent.type, sent.source, dict(sent.payload)) == (A, PACKED, "workflow", {"n": 1})
    assert (sent.resource_id, sent.environment) == ("order_1", "production")
    assert (await steps_of(engine, run))[PACKED].result == {"triggerId": sent.id}
    assert (ctx.run.parent_run_id, ctx.run.parent_step_run_id) == (None, None)


async def test_or_a_payload_of_its_own_with_paths_in_it(engine: Engine) -> None:
    done = recorder(engine, "pack")
    recorder(engine, "quote", {"total": 7})
    payload = {"order": "$.payload.id", "total": "$.context.quote.total", "list": ["$.resource_id", "plain"]}
    await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Action("quote"), Emit("tell", signal_type=PACKED, payload=payload)))
    await run_of(engine, signal(payload={"id": 1}, resource_id="r"))
    assert done.payloads == [{"order": 1, "total": 7, "list": ["r", "plain"]}]


async def test_without_wait_the_run_goes_on_at_once(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("never", signal_type="never"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED)))
    assert (await run_of(engine, signal())).status == "completed"
    assert (await child_of(engine)).status == "waiting"


async def test_with_wait_it_ends_when_all_that_it_started_has_ended(engine: Engine) -> None:
    for name in ("One", "Two"):
        await engine.create_workflow(workflow(Wait(f"go_{name}", signal_type=f"go.{name}"), name=name, on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True)))
    run = await run_of(engine, signal())
    assert (run.status, (await steps_of(engine, run))[PACKED].status) == ("waiting", "scheduled")
    children = [await child_of(engine, "One"), await child_of(engine, "Two")]
    step = (await steps_of(engine, run))[PACKED]
    assert {(child.parent_run_id, child.parent_step_run_id) for child in children} == {(run.id, step.id)}
    await engine.emit(signal("go.One"))
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "waiting"
    await engine.emit(signal("go.Two"))
    await run_until_idle(engine)
    ended = await again(engine, run)
    assert ended.status == "completed"
    told = ended.context[PACKED]["runs"]
    assert sorted(told, key=lambda each: each["id"]) == sorted(
        ({"id": child.id, "status": "completed"} for child in children), key=lambda each: each["id"]
    )


async def test_with_nothing_to_wait_for_it_ends_at_once(engine: Engine) -> None:
    await engine.create_workflow(workflow(Emit("nobody.listens", wait=True)))
    run = await run_of(engine, signal())
    assert run.status == "completed"
    assert run.context["nobody.listens"]["runs"] == []


async def test_what_another_tenant_has_for_that_signal_is_not_started(engine: Engine) -> None:
    done = recorder(engine, "pack")
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED, tenant=tenant))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True)))
    assert (await run_of(engine, signal())).status == "completed"
    assert done.tenants == [A]
    assert await runs_of(engine, B, "Child") == []


async def test_a_failed_child_fails_the_step(engine: Engine) -> None:
    recorder(engine, "pack", fails=[ValueError("no box")])
    await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True)))
    run = await run_of(engine, signal())
    child = await child_of(engine)
    assert (run.status, child.status) == ("failed", "failed")
    assert child.id in (run.error_message or "")
    assert "no box" in (run.error_message or "")


async def test_a_canceled_child_fails_the_step(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("never", signal_type="never"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True)))
    run = await run_of(engine, signal())
    await engine.cancel_run((await child_of(engine)).id)
    await run_until_idle(engine)
    ended = await again(engine, run)
    assert ended.status == "failed"
    assert "canceled" in (ended.error_message or "")


async def test_cancelling_the_parent_cancels_what_it_waits_for(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("never", signal_type="never"), name="Grandchild", on="deeper"))
    await engine.create_workflow(workflow(Emit("deeper", wait=True), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Wait("never", signal_type="never"), name="Loose", on="loose"))
    await engine.create_workflow(workflow(Emit("loose"), Emit(PACKED, wait=True)))
    run = await run_of(engine, signal())
    canceled = await engine.cancel_run(run.id, "no longer needed")
    await run_until_idle(engine)
    assert (canceled.status, canceled.cancel_reason) == ("canceled", "no longer needed")
    for name in ("Child", "Grandchild"):
        child = await child_of(engine, name)
        assert (child.status, child.cancel_reason) == ("canceled", "no longer needed")
    assert (await child_of(engine, "Loose")).status == "waiting"


async def test_a_retry_of_the_parent_retries_the_child_and_waits_again(engine: Engine) -> None:
    packed = recorder(engine, "pack", {"n": 1}, fails=[ValueError("no box")])
    after = recorder(engine, "after")
    await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True), Action("after")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, (await child_of(engine)).status) == ("completed", "completed")
    assert (len(packed.calls), len(after.calls)) == (2, 1)


async def test_a_child_that_was_retried_by_itself_lets_a_retry_of_the_parent_go_on(engine: Engine) -> None:
    packed = recorder(engine, "pack", fails=[ValueError("no box")])
    await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True)))
    run = await run_of(engine, signal())
    await engine.retry_run((await child_of(engine)).id)
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "failed"
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(packed.calls)) == ("completed", 2)


async def test_a_retry_of_a_run_whose_other_branch_failed_waits_for_the_same_child(engine: Engine) -> None:
    recorder(engine, "bad", fails=[ValueError("broken")])
    packed = recorder(engine, "pack")
    await engine.create_workflow(workflow(Delay("later", days=1), Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(parallel("both", [Emit(PACKED, wait=True)], [Action("bad")])))
    run = await run_of(engine, signal())
    assert (run.status, (await child_of(engine)).status) == ("failed", "completed")
    await engine.retry_run(run.id)
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(packed.calls)) == ("completed", 1)


async def test_a_retry_from_the_step_emits_anew(engine: Engine, clock: FakeClock) -> None:
    packed = recorder(engine, "pack")
    recorder(engine, "bad", fails=[ValueError("broken")])
    await engine.create_workflow(workflow(Action("pack"), name="Child", on=PACKED))
    await engine.create_workflow(workflow(Emit(PACKED, wait=True), Action("bad")))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    clock.advance(ms=1)
    await engine.retry_run(run.id, from_step=PACKED)
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(packed.calls)) == ("completed", 2)


async def test_waiting_for_a_debounced_run_ends(engine: Engine) -> None:
    packed = recorder(engine, "pack")
    held = workflow(Action("pack"), name="Child", on=PACKED, debounce_key="tenant_id", debounce_ms=60_000)
    await engine.create_workflow(held)
    await engine.create_workflow(workflow(Emit(PACKED, wait=True)))
    triggers = await engine.emit_many([signal(), signal()])
    await run_until_idle(engine)
    runs = [run for trigger in triggers for run in await engine.get_runs_by_trigger(trigger.id)]
    assert [run.status for run in runs] == ["completed", "completed"]
    assert len(packed.calls) == 1


async def test_branches_wait_for_their_own_children(engine: Engine) -> None:
    recorder(engine, "pack")
    for name in ("one", "two"):
        await engine.create_workflow(workflow(Delay(f"later_{name}", days=1), name=name, on=name))
    two: list[Step] = [Emit("two", wait=True), Action("pack")]
    await engine.create_workflow(workflow(parallel("both", [Emit("one", wait=True)], two)))
    run = await run_of(engine, signal())
    assert run.status == "completed"
    assert set((await statuses(engine, run)).values()) == {"completed"}


async def test_a_run_that_the_engine_cannot_go_on_with_fails_and_says_why(engine: Engine) -> None:
    engine.register_action("write", lambda _ctx: {"text": "x" * 1_500_000})
    twice = {"first": "$.context.write.text", "second": "$.context.write.text"}
    await engine.create_workflow(workflow(Action("write"), Emit("book.written", payload=twice)))
    run = await run_of(engine, signal())
    assert run.status == "failed"
    assert run.error_message is not None
    assert "could not go on: NotStorable: the payload of a signal has" in run.error_message
    assert (await statuses(engine, run))["book.written"] == "failed"
