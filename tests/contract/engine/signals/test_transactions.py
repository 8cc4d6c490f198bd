"""A signal that is emitted in a transaction of the application's own: rolled back with it, visible with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from pulse import Action, Engine, Wait
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import (
    A,
    B,
    OpenEngine,
    again,
    only_run,
    recorder,
    run_of,
    runs_of,
    signal,
    workflow,
)

pytestmark = pytest.mark.usefixtures("bystander")


@pytest.fixture
async def application(database_url: str, prefix: str) -> AsyncIterator[AsyncEngine]:
    """The application's own engine, with a table of orders."""
    made = create_async_engine(database_url)
    async with made.begin() as connection:
        await connection.run_sync(orders_table(prefix).create)
    yield made
    async with made.begin() as connection:
        await connection.run_sync(orders_table(prefix).drop)
    await made.dispose()


def orders_table(prefix: str) -> Table:
    return Table(f"{prefix}orders", MetaData(), Column("id", Integer, primary_key=True))


async def orders(application: AsyncEngine, prefix: str) -> list[int]:
    async with application.connect() as connection:
        return list(await connection.scalars(select(orders_table(prefix).c.id)))


async def test_it_is_committed_with_the_transaction(engine: Engine, application: AsyncEngine, prefix: str) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    async with application.begin() as connection:
        await connection.execute(orders_table(prefix).insert().values(id=1))
        trigger = await engine.emit(signal(payload={"order": 1}), connection=connection)
    await run_until_idle(engine)
    assert await orders(application, prefix) == [1]
    assert await engine.get_trigger(trigger.id) == trigger
    assert (await only_run(engine, trigger.id)).status == "completed"
    assert done.payloads == [{"order": 1}]


async def test_it_is_rolled_back_with_the_transaction(engine: Engine, application: AsyncEngine, prefix: str) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    async with application.connect() as connection:
        await connection.execute(orders_table(prefix).insert().values(id=1))
        trigger = await engine.emit(signal(idempotency_key="key"), connection=connection)
        await connection.rollback()
    await run_until_idle(engine)
    assert await orders(application, prefix) == []
    assert await engine.get_trigger(trigger.id) is None
    assert await engine.get_runs_by_trigger(trigger.id) == []
    assert done.calls == []
    later = await engine.emit(signal(idempotency_key="key"))
    assert later.id != trigger.id


async def test_it_is_seen_by_nobody_before_the_commit(engine: Engine, application: AsyncEngine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    async with application.connect() as connection:
        trigger = await engine.emit(signal(), connection=connection)
        assert await engine.get_trigger(trigger.id) is None
        assert await engine.get_runs_by_trigger(trigger.id) == []
        assert done.calls == []
        await connection.commit()
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_a_session_is_taken_too(engine: Engine, application: AsyncEngine, prefix: str) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    async with AsyncSession(application) as session:
        await session.execute(orders_table(prefix).insert().values(id=1))
        await engine.emit(signal(payload={"n": "rolled back"}), connection=session)
        await session.rollback()
        await session.execute(orders_table(prefix).insert().values(id=2))
        await engine.emit(signal(payload={"n": "committed"}), connection=session)
        await session.commit()
    await run_until_idle(engine)
    assert await orders(application, prefix) == [2]
    assert done.payloads == [{"n": "committed"}]


async def test_an_error_of_the_application_takes_the_signal_with_it(engine: Engine, application: AsyncEngine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    with pytest.raises(ZeroDivisionError):
        async with application.begin() as connection:
            await engine.emit(signal(), connection=connection)
            raise ZeroDivisionError
    await run_until_idle(engine)
    assert done.calls == []


async def test_a_repeat_within_a_transaction_returns_the_first(engine: Engine, application: AsyncEngine) -> None:
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    first = await engine.emit(signal(idempotency_key="key"))
    async with application.begin() as connection:
        assert await engine.emit(signal(idempotency_key="key"), connection=connection) == first
    await run_until_idle(engine)
    assert len(done.calls) == 1


async def test_it_starts_nothing_of_another_tenant(engine: Engine, application: AsyncEngine) -> None:
    done = recorder(engine, "ship")
    for tenant in (A, B):
        await engine.create_workflow(workflow(Action("ship"), tenant=tenant))
    async with application.begin() as connection:
        await engine.emit(signal(tenant=B), connection=connection)
    await run_until_idle(engine)
    assert done.tenants == [B]
    assert await runs_of(engine, A) == []


async def test_it_ends_a_wait_when_it_is_committed(engine: Engine, application: AsyncEngine) -> None:
    await engine.create_workflow(workflow(Wait("approved", signal_type="order.approved")))
    run = await run_of(engine, signal())
    async with application.connect() as connection:
        await engine.emit(signal("order.approved", payload={"by": "nobody"}), connection=connection)
        await connection.rollback()
        await run_until_idle(engine)
        assert (await again(engine, run)).status == "waiting"
        await engine.emit(signal("order.approved", payload={"by": "Ada"}), connection=connection)
        await connection.commit()
    await run_until_idle(engine)
    ended = await again(engine, run)
    assert (ended.status, ended.context) == ("completed", {"approved": {"by": "Ada"}})


async def test_a_running_engine_begins_it_right_after_the_commit(
    open_engine: OpenEngine, application: AsyncEngine
) -> None:
    ended = asyncio.Event()
    engine = open_engine(on_run_complete=lambda _event: ended.set())
    await engine.migrate()
    done = recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    async with engine:
        async with application.begin() as connection:
            await engine.emit(signal(), connection=connection)
        async with asyncio.timeout(10):
            await ended.wait()
    assert len(done.calls) == 1


async def test_an_engine_on_the_applications_own_leaves_it_open(
    application: AsyncEngine, engine: Engine, prefix: str, clock: FakeClock
) -> None:
    ours = Engine(application, table_prefix=prefix, clock=clock)
    done = recorder(ours, "ship")
    await ours.create_workflow(workflow(Action("ship")))
    async with application.begin() as connection:
        await ours.emit(signal(), connection=connection)
    await run_until_idle(ours)
    await ours.stop()
    assert len(done.calls) == 1
    assert await orders(application, prefix) == []
