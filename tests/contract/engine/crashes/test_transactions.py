"""Signals and effects that are part of somebody's transaction: there with it, or gone with it, wherever it ends."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pulse import Engine, Signal, WorkflowContext
from pulse.testing import run_until_idle
from pulse.testing.faults import When
from tests.contract.engine.crashes.conftest import NewStage
from tests.contract.engine.crashes.fates import Crash
from tests.contract.engine.crashes.plays import act, workflow
from tests.contract.engine.crashes.stage import Stage

MOST = 40


@pytest.fixture
async def shop(database_url: str, prefix: str) -> AsyncIterator[AsyncEngine]:
    """The application's own connections, and its own table in the same database."""
    made = create_async_engine(database_url)
    async with made.begin() as connection:
        await connection.execute(
            text(f"CREATE TABLE {prefix}shop (tenant TEXT, entry TEXT, PRIMARY KEY (tenant, entry))")
        )
    yield made
    async with made.begin() as connection:
        await connection.execute(text(f"DROP TABLE {prefix}shop"))
    await made.dispose()


async def entries(shop: AsyncEngine, stage: Stage) -> list[str]:
    async with shop.connect() as connection:
        found = await connection.scalars(
            text(SELECT.format(stage.prefix)),
            {"tenant": stage.tenant},
        )
        return list(found)


SELECT = "SELECT entry FROM {}shop WHERE tenant = :tenant ORDER BY entry"
INSERT = "INSERT INTO {}shop VALUES (:tenant, :entry)"


async def order(shop: AsyncEngine, stage: Stage, engine: Engine, *, commits: bool) -> None:
    """An order and its signal, in one transaction, which is cut off before its end unless it `commits`."""
    async with shop.connect() as connection:
        values = {"tenant": stage.tenant, "entry": "order"}
        await connection.execute(text(INSERT.format(stage.prefix)), values)
        await engine.emit(Signal(stage.tenant, "shop", "start", idempotency_key="order"), connection=connection)
        if commits:
            await connection.commit()


@pytest.mark.parametrize("commits", [True, False])
async def test_a_signal_is_there_if_and_only_if_its_transaction_is(
    new_stage: NewStage, shop: AsyncEngine, *, commits: bool
) -> None:
    """Whoever emitted it is gone at once; another engine runs what is there."""
    stage = new_stage()
    await stage.hand.create_workflow(workflow(stage, act("a")))
    first = stage.engine()
    await order(shop, stage, first, commits=commits)
    await first.stop()
    second = stage.engine()
    await run_until_idle(second)
    await second.stop()
    rows = await stage.rows()
    assert await entries(shop, stage) == ["order"] * commits
    assert len(rows["triggers"]) == commits
    assert [run.status for run in rows["runs"]] == ["completed"] * commits
    assert len(stage.ledger.calls) == commits


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_effect_that_is_stored_under_the_steps_key_happens_once(
    new_stage: NewStage, shop: AsyncEngine, when: When
) -> None:
    """The handler writes into the application's table, under its key: wherever it crashes, one row is there."""
    for number in range(1, MOST):
        stage = new_stage()
        await stage.hand.create_workflow(workflow(stage, act("a", handler="ship"), act("b", handler="ship")))
        engine = shipping(stage, shop)
        await order(shop, stage, engine, commits=True)
        fate = Crash(engine)
        fate.crash(when, number)
        crashed = await fate.during(run_until_idle(engine))
        if not crashed:
            await engine.stop()
        await stage.leases_end()
        second = shipping(stage, shop)
        await run_until_idle(second)
        await second.stop()
        rows = await stage.rows()
        assert [run.status for run in rows["runs"]] == ["completed"]
        assert await entries(shop, stage) == sorted(["order", *(step.id for step in rows["steps"])])
        if not crashed:
            assert len(stage.ledger.calls) == 2
            return
    pytest.fail("there are more transactions than that")


def shipping(stage: Stage, shop: AsyncEngine) -> Engine:
    """An engine whose handler `ship` does its work once for each key."""
    engine = stage.engine()

    @engine.action("ship")
    async def ship(ctx: WorkflowContext) -> None:
        stage.ledger.note_call(ctx)
        values = {"tenant": stage.tenant, "entry": ctx.step.id}
        try:
            async with shop.begin() as connection:
                await connection.execute(text(INSERT.format(stage.prefix)), values)
        except IntegrityError:
            return

    return engine
