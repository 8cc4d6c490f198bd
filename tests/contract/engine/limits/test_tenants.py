"""How many runs of one tenant go at once, whatever their workflows, over all processes."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from pulse import Action, Delay, Emit, Engine, WorkflowContext
from pulse.testing import run_until_idle
from tests.contract.engine.limits.test_concurrency import Busy, both
from tests.contract.engine.workshop import A, B, OpenEngine, runs_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")
LIMIT = 3


@pytest.fixture
def limited(open_engine: OpenEngine, engine: Engine) -> tuple[Engine, Engine]:
    """Two processes that hold each tenant to three runs."""
    return open_engine(tenant_concurrency=LIMIT), open_engine(tenant_concurrency=LIMIT)


async def test_no_more_runs_of_a_tenant_go_at_once_than_the_engine_says(limited: tuple[Engine, Engine]) -> None:
    busy = Busy()
    for each in limited:
        each.register_action("work", busy)
    for tenant in (A, B):
        for name in ("one", "two"):
            await limited[0].create_workflow(workflow(Action("work"), name=name, on=name, tenant=tenant))
    for emitter in limited:
        for tenant in (A, B):
            await emitter.emit_many([signal(name, tenant) for name in ("one", "two") for _ in range(10)])
    await both(*limited)
    assert (busy.calls[A], busy.calls[B]) == (40, 40)
    assert (busy.most[A], busy.most[B]) == (LIMIT, LIMIT)


async def test_nor_where_they_are_emitted_one_by_one_while_it_works(limited: tuple[Engine, Engine]) -> None:
    busy, done = Busy(), asyncio.Event()

    async def work(ctx: WorkflowContext) -> None:
        await busy(ctx)
        if busy.calls[A] == 40 and busy.now[A] == 0:
            done.set()

    for each in limited:
        each.register_action("work", work)
    await limited[0].create_workflow(workflow(Action("work"), tenant=A))
    async with limited[0], limited[1], asyncio.timeout(30):
        await asyncio.gather(*(each.emit(signal()) for each in limited for _ in range(20)))
        await done.wait()
    assert (busy.calls[A], busy.most[A]) == (40, LIMIT)


async def test_a_full_tenant_does_not_hold_up_the_next(limited: tuple[Engine, Engine]) -> None:
    free, order = asyncio.Event(), []

    async def stuck(_ctx: WorkflowContext) -> None:
        await free.wait()

    async def work(ctx: WorkflowContext) -> None:
        order.append(ctx.tenant_id)
        free.set()

    limited[0].register_action("stuck", stuck)
    limited[0].register_action("work", work)
    await limited[0].create_workflow(workflow(Action("stuck"), tenant=A))
    await limited[0].create_workflow(workflow(Action("work"), tenant=B))
    await limited[0].emit_many([signal(tenant=A) for _ in range(2 * LIMIT)] + [signal(tenant=B)])
    async with asyncio.timeout(30):
        await run_until_idle(limited[0])
    assert order == [B]
    assert {run.status for run in await runs_of(limited[0])} == {"completed"}


async def test_runs_that_wait_make_room(limited: tuple[Engine, Engine]) -> None:
    busy = Busy()
    limited[0].register_action("work", busy)
    await limited[0].create_workflow(workflow(Delay("later", days=1), Action("work")))
    await limited[0].emit_many([signal() for _ in range(4 * LIMIT)])
    await run_until_idle(limited[0])
    begun = {run.started_at for run in await runs_of(limited[0])}
    assert len(begun) == 1
    assert (busy.calls[A], busy.most[A]) == (4 * LIMIT, LIMIT)


@pytest.mark.parametrize("drawn", [False, True])
async def test_parents_do_not_keep_their_children_from_beginning(
    open_engine: OpenEngine, engine: Engine, drawn: bool
) -> None:
    """A handler, or an emit step, that waits for a run of its own tenant, which may run one at a time."""
    narrow = open_engine(tenant_concurrency=1)

    async def ask(ctx: WorkflowContext) -> None:
        await ctx.emit(signal("child", ctx.tenant_id), wait=True)

    narrow.register_action("ask", ask)
    narrow.register_action("answer", lambda _ctx: {"said": "yes"})
    parent: Any = Emit("ask", signal_type="child", wait=True) if drawn else Action("ask")
    await narrow.create_workflow(workflow(parent, name="Parent"))
    await narrow.create_workflow(workflow(Action("answer"), name="Child", on="child"))
    await narrow.emit_many([signal() for _ in range(3)])
    async with asyncio.timeout(30):
        await run_until_idle(narrow)
    runs = await runs_of(narrow, name="Parent") + await runs_of(narrow, name="Child")
    assert Counter(run.status for run in runs) == {"completed": 6}


@pytest.mark.parametrize("given", [{"concurrency": 0}, {"tenant_concurrency": 0}])
async def test_a_limit_that_lets_nothing_run_is_refused(open_engine: OpenEngine, given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"oncurrency must be at least 1, and is 0"):
        open_engine(**given)
