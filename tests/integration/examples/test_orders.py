"""examples/engine/orders.py: an application whose orders and workflows are stored in one transaction."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.contract.conftest import drop_tables, sqlite_threads, sqlite_threads_ended
from tests.integration.examples.conftest import example


@pytest.fixture
async def accounts(database_url: str, prefix: str) -> AsyncIterator[AsyncEngine]:
    """The application's own connections."""
    others = sqlite_threads()
    made = create_async_engine(database_url)
    yield made
    await made.dispose()
    await sqlite_threads_ended(others)
    if database_url.startswith("postgresql"):
        await drop_tables(database_url, prefix)


async def test_an_order_is_confirmed_and_a_refused_one_starts_nothing(accounts: AsyncEngine, prefix: str) -> None:
    done = await example("orders").main(accounts, prefix)
    assert done == {"order-1": "confirmed", "refused": 402, "order-2": 404, "runs": 1}


async def test_a_refused_order_leaves_no_signal(accounts: AsyncEngine, prefix: str) -> None:
    shop = example("orders").Shop(accounts, table_prefix=prefix)
    transport = httpx2.ASGITransport(shop.app)
    async with (
        shop.app.router.lifespan_context(shop.app),
        httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client,
    ):
        refused = await client.post("/orders", json={"number": "order-9", "amount": 5_000})
        placed = await client.post("/orders", json={"number": "order-9", "amount": 50})
        trigger = await shop.engine.get_trigger(placed.json()["trigger"])
        runs = await shop.engine.list_runs()
    assert refused.status_code == 402
    assert trigger.resource_id == "order-9"
    assert [run.trigger_id for run in runs] == [trigger.id]
