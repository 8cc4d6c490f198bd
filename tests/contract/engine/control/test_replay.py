"""Stored signals run again; runs that fail start the workflow for failures."""

import pytest

from pulse import Action, Condition, Delay, Emit, Engine, WorkflowContext
from pulse.core.errors import NotFound
from pulse.testing import run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    again,
    recorder,
    run_of,
    runs_of,
    signal,
    statuses,
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")


async def test_a_replay_runs_the_signal_through_the_matcher_again(engine: Engine) -> None:
    done = recorder(engine, "ship", {"n": 1}, replay_safe=True)
    await engine.create_workflow(workflow(Action("ship")))
    first = await run_of(engine, signal(payload={"n": 1}))
    (replayed,) = await engine.replay(first.trigger_id)
    assert (replayed.is_replay, replayed.trigger_id, replayed.id == first.id) == (True, first.trigger_id, False)
    await run_until_idle(engine)
    assert (await again(engine, replayed)).status == "completed"
    assert [ctx.is_replay for ctx in done.calls] == [False, True]
    assert done.calls[0].trigger == done.calls[1].trigger
    assert await again(engine, first) == first


async def test_actions_that_are_not_replay_safe_are_skipped(engine: Engine) -> None:
    safe, unsafe = recorder(engine, "safe", replay_safe=True), recorder(engine, "unsafe")
    asked: list[bool] = []

    @engine.condition("asked")
    def ask(ctx: WorkflowContext) -> bool:
        asked.append(ctx.is_replay)
        return True

    await engine.create_workflow(workflow(Action("unsafe"), Condition("asked"), Action("safe")))
    first = await run_of(engine, signal())
    (replayed,) = await engine.replay(first.trigger_id)
    await run_until_idle(engine)
    assert (len(unsafe.calls), len(safe.calls), asked) == (1, 2, [False, True])
    steps = await steps_of(engine, replayed)
    assert (steps["unsafe"].status, steps["unsafe"].skip_reason) == ("skipped", "replay")
    assert (await again(engine, replayed)).status == "completed"


async def test_a_dry_run_skips_all_actions_and_what_they_would_emit(engine: Engine) -> None:
    safe = recorder(engine, "safe", replay_safe=True)
    packed = recorder(engine, "pack", replay_safe=True)
    engine.register_condition("asked", lambda _ctx: True)
    await engine.create_workflow(workflow(Action("pack"), name="Child", on="packed"))
    steps = (Condition("asked"), Action("safe"), Delay("later", days=1), Emit("packed"), Emit("more", wait=True))
    await engine.create_workflow(workflow(*steps))
    first = await run_of(engine, signal())
    (replayed,) = await engine.replay(first.trigger_id, dry_run=True)
    await run_until_idle(engine)
    found = await again(engine, replayed)
    assert (found.status, found.is_dry_run, found.is_replay) == ("completed", True, True)
    assert (len(safe.calls), len(packed.calls)) == (1, 1)
    assert await statuses(engine, replayed) == {
        "asked": "completed",
        "safe": "skipped",
        "later": "completed",
        "packed": "skipped",
        "more": "skipped",
    }


async def test_what_a_replay_emits_is_a_replay(engine: Engine) -> None:
    unsafe = recorder(engine, "unsafe")
    await engine.create_workflow(workflow(Action("unsafe"), name="Child", on="packed"))
    await engine.create_workflow(workflow(Emit("packed")))
    first = await run_of(engine, signal())
    await engine.replay(first.trigger_id)
    await run_until_idle(engine)
    assert sorted(run.is_replay for run in await runs_of(engine, name="Child")) == [False, True]
    assert len(unsafe.calls) == 1


async def test_it_can_be_replayed_again_and_again_whatever_its_key(engine: Engine) -> None:
    done = recorder(engine, "ship", replay_safe=True)
    await engine.create_workflow(workflow(Action("ship")))
    first = await run_of(engine, signal(idempotency_key="key"))
    replays = [(await engine.replay(first.trigger_id))[0].id for _ in range(3)]
    await run_until_idle(engine)
    assert (len(set(replays)), len(done.calls)) == (3, 4)
    assert len(await engine.get_runs_by_trigger(first.trigger_id)) == 4


async def test_it_runs_what_matches_now_or_as_it_ran_first(engine: Engine) -> None:
    old, new = recorder(engine, "old", replay_safe=True), recorder(engine, "new", replay_safe=True)
    made = await engine.create_workflow(workflow(Action("old")))
    first = await run_of(engine, signal())
    await engine.create_workflow(workflow(Action("new")))
    (current,) = await engine.replay(first.trigger_id)
    (original,) = await engine.replay(first.trigger_id, definition="original")
    await run_until_idle(engine)
    assert (current.definition_version, original.definition_version) == (2, 1)
    assert (len(old.calls), len(new.calls)) == (2, 1)
    await engine.disable_workflow(made.id)
    assert await engine.replay(first.trigger_id) == []
    assert len(await engine.replay(first.trigger_id, definition="original")) == 1


async def test_a_workflow_that_was_made_later_is_run_by_a_replay(engine: Engine) -> None:
    trigger = await engine.emit(signal())
    done = recorder(engine, "ship", replay_safe=True)
    await engine.create_workflow(workflow(Action("ship")))
    await engine.replay(trigger.id)
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_another_tenant_cannot_replay_it(engine: Engine) -> None:
    done = recorder(engine, "ship", replay_safe=True)
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("ship"), tenant=tenant))
    trigger = await engine.emit(signal())
    with pytest.raises(NotFound):
        await engine.replay("trg_nothing")
    with pytest.raises(NotFound):
        await engine.replay(trigger.id, tenant_id=B)
    assert len(await engine.replay(trigger.id, tenant_id=A)) == 1
    await run_until_idle(engine)
    assert done.tenants == [A, A]


async def test_replaying_ends_no_wait(engine: Engine) -> None:
    trigger = await engine.emit(signal("order.approved"))
    await engine.replay(trigger.id)
    await run_until_idle(engine)
    assert await engine.get_runs_by_trigger(trigger.id) == []


# ---- on_failure -------------------------------------------------------------------------------------------------


async def test_a_run_that_failed_for_good_starts_the_workflow_for_failures(engine: Engine) -> None:
    told = recorder(engine, "tell")
    recorder(engine, "bad", fails=[ValueError("no")])
    await engine.create_workflow(workflow(Action("tell"), name="Failures", on="unused"))
    await engine.create_workflow(workflow(Action("bad"), on_failure="Failures"))
    run = await run_of(engine, signal(payload={"n": 1}))
    (payload,) = told.payloads
    assert payload == {
        "runId": run.id,
        "workflow": "Workflow",
        "error": "Step 'bad' failed: ValueError: no",
        "trigger": {"id": run.trigger_id, "type": "order.placed", "payload": {"n": 1}},
    }
    assert told.tenants == [A]


async def test_each_failure_of_a_retried_run_starts_it_once(engine: Engine) -> None:
    told = recorder(engine, "tell")
    recorder(engine, "bad", fails=[ValueError("no")] * 2)
    await engine.create_workflow(workflow(Action("tell"), name="Failures", on="unused"))
    await engine.create_workflow(workflow(Action("bad"), on_failure="Failures"))
    run = await run_of(engine, signal())
    for _ in range(2):
        await engine.retry_run(run.id)
        await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(told.calls)) == ("completed", 2)


async def test_the_workflow_for_failures_is_the_tenants_own(engine: Engine) -> None:
    told = recorder(engine, "tell")
    recorder(engine, "bad", fails=[ValueError("no")] * 2)
    await engine.create_workflow(workflow(Action("tell"), name="Failures", on="unused", tenant=B))
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("bad"), on_failure="Failures", tenant=tenant))
        assert (await run_of(engine, signal(tenant=tenant))).status == "failed"
    assert told.tenants == [B]


async def test_a_workflow_for_failures_that_fails_starts_nothing_more(engine: Engine) -> None:
    recorder(engine, "bad", fails=[ValueError("no")] * 9)
    await engine.create_workflow(workflow(Action("bad"), on_failure="Workflow"))
    run = await run_of(engine, signal())
    assert [each.status for each in await runs_of(engine)] == ["failed", "failed"]
    assert run.status == "failed"


async def test_neither_success_nor_cancel_starts_it(engine: Engine) -> None:
    told = recorder(engine, "tell")
    recorder(engine, "good")
    await engine.create_workflow(workflow(Action("tell"), name="Failures", on="unused"))
    await engine.create_workflow(workflow(Delay("later", days=1), Action("good"), on_failure="Failures"))
    trigger = await engine.emit(signal())
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    await engine.cancel_run(run.id)
    await run_of(engine, signal())
    assert told.calls == []
