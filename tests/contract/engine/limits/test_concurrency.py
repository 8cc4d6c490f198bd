"""How many runs of a workflow go at once, and who is next."""

import asyncio
import hashlib
from collections import Counter
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from pulse import Action, Delay, Engine, WorkflowContext
from pulse.testing import run_until_idle
from tests.contract.engine.workshop import A, B, OpenEngine, again, recorder, run_of, runs_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")

LONG = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(100))


class Busy:
    """An action that counts how many of its calls there are at once, for each tenant and account."""

    def __init__(self) -> None:
        self.now: Counter[Any] = Counter()
        self.most: Counter[Any] = Counter()
        self.calls: Counter[Any] = Counter()

    async def __call__(self, ctx: WorkflowContext) -> None:
        keys = [ctx.tenant_id, (ctx.tenant_id, ctx.trigger.payload.get("account"))]
        self.now.update(keys)
        self.calls.update(keys)
        for key in keys:
            self.most[key] = max(self.most[key], self.now[key])
        for _ in range(20):
            await checkpoint()
        self.now.subtract(keys)


async def both(engine: Engine, beside: Engine) -> None:
    """Both go on until neither finds anything more."""
    await asyncio.gather(run_until_idle(engine), run_until_idle(beside))
    await asyncio.gather(run_until_idle(engine), run_until_idle(beside))


async def test_no_more_runs_of_a_workflow_go_at_once_than_it_says(engine: Engine, beside: Engine) -> None:
    busy = Busy()
    for each in (engine, beside):
        each.register_action("work", busy)
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("work"), tenant=tenant, concurrency=3))
    await engine.emit_many([signal(tenant=tenant) for tenant in (A, B) for _ in range(20)])
    await both(engine, beside)
    assert (busy.calls[A], busy.calls[B]) == (20, 20)
    assert (busy.most[A], busy.most[B]) == (3, 3)


async def test_nor_for_each_key(engine: Engine, beside: Engine) -> None:
    busy = Busy()
    for each in (engine, beside):
        each.register_action("work", busy)
    for tenant in (A, B):
        limited = workflow(Action("work"), tenant=tenant, concurrency=2, concurrency_key="payload.account")
        await engine.create_workflow(limited)
    accounts = ["one", "two", LONG, None]
    await engine.emit_many(
        [signal(tenant=tenant, payload={"account": name}) for tenant in (A, B) for name in accounts for _ in range(8)]
    )
    await both(engine, beside)
    for tenant in (A, B):
        assert busy.most[tenant] > 2
        for name in accounts:
            assert busy.calls[tenant, name] == 8
            assert busy.most[tenant, name] <= 2


async def test_runs_that_wait_do_not_count(engine: Engine) -> None:
    done = recorder(engine, "work")
    await engine.create_workflow(workflow(Delay("later", days=1), Action("work"), concurrency=1))
    triggers = await engine.emit_many([signal() for _ in range(5)])
    await run_until_idle(engine)
    assert len(done.calls) == 5
    assert len({ctx.run.started_at for ctx in done.calls}) == 1
    assert len(triggers) == 5


async def test_the_limit_holds_after_a_delay_too(engine: Engine, beside: Engine) -> None:
    busy = Busy()
    for each in (engine, beside):
        each.register_action("work", busy)
    await engine.create_workflow(workflow(Delay("later", days=1), Action("work"), concurrency=2))
    await engine.emit_many([signal() for _ in range(12)])
    await both(engine, beside)
    assert (busy.calls[A], busy.most[A]) == (12, 2)


async def test_failed_canceled_and_retried_runs_make_room(engine: Engine) -> None:
    recorder(engine, "bad", fails=[ValueError("no")] * 2)
    await engine.create_workflow(workflow(Action("bad"), concurrency=1))
    triggers = await engine.emit_many([signal() for _ in range(6)])
    last = (await runs_of(engine))[-1]
    await engine.cancel_run(last.id)
    await run_until_idle(engine)
    for run in await engine.get_failed_runs(A):
        await engine.retry_run(run.id)
    await run_until_idle(engine)
    found = Counter([run.status for trigger in triggers for run in await engine.get_runs_by_trigger(trigger.id)])
    assert found == {"completed": 5, "canceled": 1}


async def test_another_workflow_of_the_tenant_is_not_held_up(engine: Engine) -> None:
    stuck = asyncio.Event()

    @engine.action("stuck")
    async def wait(_ctx: WorkflowContext) -> None:
        await stuck.wait()

    @engine.action("free")
    async def free(_ctx: WorkflowContext) -> None:
        stuck.set()

    await engine.create_workflow(workflow(Action("stuck"), concurrency=1))
    await engine.create_workflow(workflow(Action("free"), name="Free", on="free"))
    await engine.emit_many([signal(), signal(), signal("free")])
    await run_until_idle(engine)
    assert {run.status for run in await runs_of(engine)} == {"completed"}


async def test_a_tenant_with_thousands_of_waiting_runs_delays_another_by_one_batch(engine: Engine) -> None:
    order: list[str] = []
    engine.register_action("work", lambda ctx: order.append(ctx.tenant_id))
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("work"), tenant=tenant))
    for _ in range(4):
        await engine.emit_many([signal(tenant=A) for _ in range(500)])
    await engine.emit(signal(tenant=B))
    await run_until_idle(engine)
    assert len(order) == 2_001
    assert order.index(B) <= 200


async def test_of_several_tenants_each_has_its_turn(open_engine: OpenEngine, engine: Engine) -> None:
    order: list[str] = []
    done = asyncio.Event()

    def work(ctx: WorkflowContext) -> None:
        order.append(ctx.tenant_id)
        if len(order) == 16:
            done.set()

    async def turn(ctx: WorkflowContext) -> None:
        work(ctx)

    narrow = open_engine(concurrency=1)
    narrow.register_action("work", turn)
    tenants = [f"tenant_{letter}" for letter in "cdef"]
    for tenant in tenants:
        await engine.create_workflow(workflow(Action("work"), tenant=tenant))
    await engine.emit_many([signal(tenant=tenant) for tenant in tenants for _ in range(4)])
    async with narrow, asyncio.timeout(20):
        await done.wait()
    assert order == tenants * 4


async def test_what_is_more_urgent_goes_first_within_a_tenant(open_engine: OpenEngine, engine: Engine) -> None:
    order: list[str] = []
    done = asyncio.Event()

    async def work(ctx: WorkflowContext) -> None:
        order.append(ctx.run.definition_snapshot["name"])
        if len(order) == 6:
            done.set()

    narrow = open_engine(concurrency=1)
    narrow.register_action("work", work)
    for name, priority in (("low", 200), ("usual", 100), ("high", 1)):
        await engine.create_workflow(workflow(Action("work"), name=name, on=name, priority=priority))
    for name in ("low", "usual", "high") * 2:
        await engine.emit(signal(name))
    async with narrow, asyncio.timeout(20):
        await done.wait()
    assert order == ["high", "high", "usual", "usual", "low", "low"]


async def test_a_limited_run_says_that_it_is_pending(engine: Engine) -> None:
    await engine.create_workflow(workflow(Delay("later", days=1), concurrency=1))
    trigger = await engine.emit(signal())
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    assert run.status == "pending"
    await run_until_idle(engine)
    assert (await again(engine, run)).status == "completed"
    assert (await run_of(engine, signal())).status == "completed"
