"""An engine on tables of its own, another on the same tables, and a second tenant to whom nothing may happen."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from pulse import Action, Engine, Wait
from pulse.engine.store.forms.tables import BRANCH
from pulse.testing import FakeClock, run_until_idle
from tests.contract.conftest import SetClock, drop_tables, sqlite_threads, sqlite_threads_ended
from tests.contract.engine.workshop import PLACED, OpenEngine, signal, workflow
from tests.contract.lending import lent

BYSTANDER = "tenant_bystander"


prefix = lent("engine", [BRANCH])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def open_engine(database_url: str, prefix: str, clock: FakeClock) -> AsyncIterator[OpenEngine]:
    opened: list[Engine] = []
    others = sqlite_threads()

    def open_one(**options: Any) -> Engine:
        given: dict[str, Any] = {"table_prefix": prefix, "clock": clock} | options
        opened.append(Engine(database_url, **given))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.stop()
    await sqlite_threads_ended(others)
    if database_url.startswith("postgresql"):
        await drop_tables(database_url, prefix)


@pytest.fixture
async def engine(open_engine: OpenEngine) -> Engine:
    """An engine whose tables are there."""
    made = open_engine()
    await made.migrate()
    return made


@pytest.fixture
def beside(open_engine: OpenEngine, engine: Engine) -> Engine:
    """Another process on the same tables."""
    return open_engine()


@pytest.fixture
def still_clock() -> SetClock:
    return SetClock()


@pytest.fixture
def still(open_engine: OpenEngine, engine: Engine, still_clock: SetClock) -> Engine:
    """An engine that `run_until_idle` leaves as soon as all that is left waits: time is moved by the test alone."""
    return open_engine(clock=still_clock)


@pytest.fixture
async def bystander(engine: Engine) -> AsyncIterator[str]:
    """Another tenant, with workflows, signals and runs that look like those of tests; all must stay as they are."""
    waiting = workflow(Wait("bystander", signal_type="order.approved"), tenant=BYSTANDER)
    failing = workflow(Action("bystander_fails"), tenant=BYSTANDER, name="Failing", on="order.failing")
    for each in (waiting, failing):
        await engine.create_workflow(each)
    engine.register_action("bystander_fails", _fail)
    await engine.emit(signal(PLACED, BYSTANDER, idempotency_key="key", resource_id="order_1"))
    await engine.emit(signal("order.failing", BYSTANDER))
    await run_until_idle(engine)
    before = await rows_of(engine, BYSTANDER)
    yield BYSTANDER
    assert await rows_of(engine, BYSTANDER) == before


async def rows_of(engine: Engine, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the tables hold of a tenant."""
    tables = engine.plant.store.ground.tables.metadata.sorted_tables
    async with engine.plant.store.database.read() as connection:
        return {
            table.name: sorted(
                tuple(row) for row in await connection.execute(select(*table.c).where(table.c.tenant_id == tenant))
            )
            for table in tables
            if "tenant_id" in table.c
        }


def _fail(_ctx: object) -> None:
    raise ValueError("as told")
