"""A web application that stores an order and starts its workflow in one transaction: both are there, or neither is.

The application has tables, an SQLAlchemy engine and a FastAPI app of its own; the workflow engine runs inside it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx2
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pulse import Action, Engine, Signal, Workflow, WorkflowContext

CONFIRMATION = Workflow("acme", "Confirm the order", "shop.order", steps=(Action("confirm"),))


class Order(BaseModel):
    number: Annotated[str, Field(min_length=1)]
    amount: int


class Shop:
    """The application: what it stores, what it answers, and what its workflow does."""

    def __init__(self, database: AsyncEngine, *, table_prefix: str) -> None:
        self.database = database
        self.engine = Engine(database, table_prefix=table_prefix)
        self.engine.register_action("confirm", self.confirm)
        columns = (Column("number", String, primary_key=True), Column("amount", Integer), Column("state", String))
        self.orders = Table(f"{table_prefix}orders", MetaData(), *columns)
        self.app = FastAPI(lifespan=self.lifespan)
        self.app.post("/orders", status_code=201)(self.place)
        self.app.get("/orders/{number}")(self.look)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        async with self.database.begin() as connection:
            await connection.run_sync(self.orders.metadata.create_all)
        await self.engine.migrate()
        await self.engine.create_workflow(CONFIRMATION)
        async with self.engine:
            yield

    async def place(self, order: Order) -> dict[str, str]:
        async with self.database.begin() as connection:
            await connection.execute(insert(self.orders).values(**order.model_dump(), state="placed"))
            signal = Signal("acme", "shop", "shop.order", resource_id=order.number)
            trigger = await self.engine.emit(signal, connection=connection)
            await self.check_credit(order, connection)
        return {"trigger": trigger.id}

    async def check_credit(self, order: Order, _connection: AsyncConnection) -> None:
        """Refuses late, on purpose: order and signal are rolled back together."""
        if order.amount > 1_000:
            raise HTTPException(402, "That is more than you have.")

    async def look(self, number: str) -> dict[str, str]:
        async with self.database.connect() as connection:
            state = await connection.scalar(select(self.orders.c.state).where(self.orders.c.number == number))
        if state is None:
            raise HTTPException(404, "There is no such order.")
        return {"state": state}

    async def confirm(self, ctx: WorkflowContext) -> None:
        """The action: it may be called again after a crash, and says the same then."""
        mine = self.orders.c.number == ctx.trigger.resource_id
        async with self.database.begin() as connection:
            await connection.execute(update(self.orders).where(mine).values(state="confirmed"))


async def main(database: AsyncEngine, table_prefix: str) -> dict[str, int | str]:
    """Places an order that is confirmed, and one that is refused; what became of each."""
    shop = Shop(database, table_prefix=table_prefix)
    transport = httpx2.ASGITransport(shop.app)
    async with (
        shop.app.router.lifespan_context(shop.app),
        httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client,
    ):
        await client.post("/orders", json={"number": "order-1", "amount": 20})
        refused = await client.post("/orders", json={"number": "order-2", "amount": 5_000})
        state = "placed"
        while state != "confirmed":
            state = (await client.get("/orders/order-1")).json()["state"]
            await asyncio.sleep(0.02)
        gone = await client.get("/orders/order-2")
        runs = await shop.engine.list_runs()
    await database.dispose()
    print(f"order-1: {state}; order-2: {refused.status_code}, then {gone.status_code}; runs: {len(runs)}")
    return {"order-1": state, "refused": refused.status_code, "order-2": gone.status_code, "runs": len(runs)}


if __name__ == "__main__":
    from running import PREFIX
    from running import database as chosen

    with chosen() as address:
        asyncio.run(main(create_async_engine(address), PREFIX))
