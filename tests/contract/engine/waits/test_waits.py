"""Waiting for a signal: which one it is, when it may come, and whose it must be."""

import asyncio
from typing import Any

import pytest

from pulse import Action, Delay, Emit, Engine, Wait
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
    steps_of,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")
APPROVED = "order.approved"


async def test_the_payload_of_the_signal_is_the_result(engine: Engine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED), Action("ship")))
    run = await run_of(engine, signal())
    assert (run.status, run.due_at) == ("waiting", None)
    assert (await steps_of(engine, run))["approval"].status == "scheduled"
    await engine.emit(signal(APPROVED, payload={"by": "Ada"}))
    await run_until_idle(engine)
    assert (await again(engine, run)).context == {"approval": {"by": "Ada"}}
    assert done.calls[0].run.context == {"approval": {"by": "Ada"}}
    assert (await steps_of(engine, run))["approval"].result == {"by": "Ada"}


@pytest.mark.parametrize(
    ("match", "fits", "fits_not"),
    [
        ({"resource_id": "order_1"}, {"resource_id": "order_1"}, {"resource_id": "order_2"}),
        ({"payload.order.id": 7}, {"payload": {"order": {"id": 7}}}, {"payload": {"order": {"id": 8}}}),
        ({"payload.ok": True}, {"payload": {"ok": True}}, {"payload": {"ok": 1}}),
        ({"payload.items.1": "b"}, {"payload": {"items": ["a", "b"]}}, {"payload": {"items": ["b"]}}),
        ({"resource_id": "$.resource_id"}, {"resource_id": "mine"}, {"resource_id": "other"}),
        ({"payload.order": "$.payload.order"}, {"payload": {"order": [1]}}, {"payload": {"order": [2]}}),
        ({"payload.quote": "$.context.quote.id"}, {"payload": {"quote": "q1"}}, {"payload": {"quote": "q2"}}),
        (
            {"resource_id": "mine", "environment": "production"},
            {"resource_id": "mine", "environment": "production"},
            {"resource_id": "mine"},
        ),
    ],
)
async def test_only_a_signal_that_matches_ends_it(
    engine: Engine, match: dict[str, Any], fits: dict[str, Any], fits_not: dict[str, Any]
) -> None:
    recorder(engine, "quote", {"id": "q1"})
    await engine.create_workflow(workflow(Action("quote"), Wait("approval", signal_type=APPROVED, match=match)))
    run = await run_of(engine, signal(resource_id="mine", payload={"order": [1]}))
    await engine.emit(signal(APPROVED, **fits_not))
    await engine.emit(signal("order.denied", **fits))
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "waiting"
    await engine.emit(signal(APPROVED, **fits))
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"


async def test_a_signal_of_another_tenant_does_not_end_it(engine: Engine) -> None:
    for tenant in (A, B):
        await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED), tenant=tenant))
    mine, theirs = await run_of(engine, signal(tenant=A)), await run_of(engine, signal(tenant=B))
    await engine.emit(signal(APPROVED, B))
    await run_until_idle(engine)
    assert (await again(engine, mine)).status == "waiting"
    assert (await again(engine, theirs)).status == "completed"


async def test_one_that_came_before_the_wait_began_counts(engine: Engine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Delay("later", days=1), Wait("approval", signal_type=APPROVED)))
    trigger = await engine.emit(signal())
    clock.advance(hours=1)
    await engine.emit(signal(APPROVED, payload={"n": 1}))
    await engine.emit(signal(APPROVED, payload={"n": 2}))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    assert (run.status, run.context) == ("completed", {"approval": {"n": 1}})


async def test_one_that_came_before_the_run_began_does_not(engine: Engine, clock: FakeClock) -> None:
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED)))
    await engine.emit(signal(APPROVED, payload={"n": 1}))
    clock.advance(ms=1)
    run = await run_of(engine, signal())
    assert run.status == "waiting"


async def test_one_that_another_tenant_sent_before_the_wait_began_does_not_count(
    engine: Engine, clock: FakeClock
) -> None:
    await engine.create_workflow(workflow(Delay("later", days=1), Wait("approval", signal_type=APPROVED)))
    trigger = await engine.emit(signal())
    clock.advance(hours=1)
    await engine.emit(signal(APPROVED, B))
    await run_until_idle(engine)
    assert [run.status for run in await engine.get_runs_by_trigger(trigger.id)] == ["waiting"]


async def test_one_that_an_emit_step_of_an_older_run_sent_counts(engine: Engine, clock: FakeClock) -> None:
    """Ids that are derived have the time of what they are derived from; the signal is as young as its emission."""
    await engine.create_workflow(workflow(Delay("two_days", days=2), Emit(APPROVED), name="Older", on="older"))
    await engine.create_workflow(workflow(Delay("three_days", days=3), Wait("approval", signal_type=APPROVED)))
    await engine.emit(signal("older", payload={"n": 1}))
    clock.advance(days=1)
    run = await run_of(engine, signal())
    assert (run.status, run.context) == ("completed", {"approval": {"n": 1}})


async def test_the_answer_of_a_run_that_was_asked_just_before_counts(engine: Engine) -> None:
    answer = Emit("answered", payload={"to": "$.payload.number"})
    await engine.create_workflow(workflow(answer, name="Answering", on="asked"))
    wait = Wait("answer", signal_type="answered", match={"payload.to": "$.payload.number"})
    await engine.create_workflow(workflow(Emit("asked", wait=True), wait))
    for number in range(8):
        run = await run_of(engine, signal(payload={"number": number}))
        assert run.status == "completed"


async def test_a_signal_counts_for_one_wait_of_a_run(engine: Engine) -> None:
    await engine.create_workflow(
        workflow(Wait("first", signal_type=APPROVED), Wait("second", signal_type=APPROVED)),
    )
    run = await run_of(engine, signal())
    await engine.emit(signal(APPROVED, payload={"n": 1}))
    await run_until_idle(engine)
    assert (await again(engine, run)).context == {"first": {"n": 1}}
    await engine.emit(signal(APPROVED, payload={"n": 2}))
    await run_until_idle(engine)
    assert (await again(engine, run)).context == {"first": {"n": 1}, "second": {"n": 2}}


async def test_of_waits_beside_each_other_a_signal_ends_one(engine: Engine) -> None:
    branches = [[Wait(f"number_{n}", signal_type=APPROVED)] for n in range(3)]
    await engine.create_workflow(workflow(parallel("all", *branches)))
    run = await run_of(engine, signal())
    for number in range(3):
        assert len((await again(engine, run)).context) == number
        await engine.emit(signal(APPROVED, payload={"n": number}))
        await run_until_idle(engine)
    ended = await again(engine, run)
    assert ended.status == "completed"
    assert sorted(each["n"] for each in ended.context.values()) == [0, 1, 2]


async def test_several_signals_in_one_transaction_end_several_waits(engine: Engine) -> None:
    branches = [[Wait(f"number_{n}", signal_type=APPROVED)] for n in range(3)]
    await engine.create_workflow(workflow(parallel("all", *branches)))
    run = await run_of(engine, signal())
    await engine.emit_many([signal(APPROVED, payload={"n": n}) for n in range(3)])
    await run_until_idle(engine)
    ended = await again(engine, run)
    assert sorted(each["n"] for each in ended.context.values()) == [0, 1, 2]


async def test_one_signal_ends_the_waits_of_many_runs(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED)))
    triggers = await engine.emit_many([signal() for _ in range(20)])
    await run_until_idle(engine)
    await engine.emit(signal(APPROVED))
    await run_until_idle(engine)
    for trigger in triggers:
        assert [run.status for run in await engine.get_runs_by_trigger(trigger.id)] == ["completed"]


async def test_a_repeat_of_the_signal_ends_nothing_more(engine: Engine) -> None:
    await engine.create_workflow(workflow(Wait("first", signal_type=APPROVED), Wait("second", signal_type=APPROVED)))
    run = await run_of(engine, signal())
    for _ in range(3):
        await engine.emit(signal(APPROVED, idempotency_key="approval"))
        await run_until_idle(engine)
    assert (await again(engine, run)).status == "waiting"


async def test_a_signal_may_end_a_wait_and_start_a_workflow(engine: Engine) -> None:
    done = recorder(engine, "thank")
    await engine.create_workflow(workflow(Action("thank"), name="Thanks", on=APPROVED))
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED)))
    run = await run_of(engine, signal())
    await engine.emit(signal(APPROVED))
    await run_until_idle(engine)
    assert ((await again(engine, run)).status, len(done.calls)) == ("completed", 1)


async def test_a_signal_of_another_process_that_comes_as_the_wait_begins_is_not_missed(
    engine: Engine, open_engine: OpenEngine, clock: FakeClock
) -> None:
    """Whoever is first: one of the two sees the other."""
    beside = open_engine()
    await engine.create_workflow(workflow(Wait("approval", signal_type=APPROVED, match={"payload": "$.payload"})))
    for number in range(20):
        trigger = await engine.emit(signal(payload={"n": number}))
        clock.advance(ms=1)
        approval = signal(APPROVED, payload={"n": number})
        await asyncio.gather(run_until_idle(engine), beside.emit(approval))
        await run_until_idle(engine)
        assert [run.status for run in await engine.get_runs_by_trigger(trigger.id)] == ["completed"]
