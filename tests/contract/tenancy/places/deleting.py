"""An environment that is being deleted, seen from what happens at the same moment."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.storage.database import Database
from pulse.tenancy.places.changing import Contents, PlaceStore
from pulse.tenancy.tables import tenancy_tables

BLOCKED = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


class Pausing:
    """Contents that make whoever deletes a place stop where it looks what is there; implements `Contents`."""

    def __init__(self) -> None:
        self.is_there, self.goes_on = asyncio.Event(), asyncio.Event()

    async def count(
        self, _connection: AsyncConnection, _organization_id: str, _environment_id: str | None
    ) -> Mapping[str, int]:
        self.is_there.set()
        await self.goes_on.wait()
        return {}

    async def remove(self, connection: AsyncConnection, organization_id: str, environment_id: str | None) -> None:
        await self.count(connection, organization_id, environment_id)


async def blocked_or_done(database: Database, task: "asyncio.Task[Any]") -> None:
    """Returns when the task's transaction waits for another, or has ended."""
    if database.dialect == "sqlite":
        # One writer at a time: it waits for its turn.
        await asyncio.wait([task], timeout=0.01)
        return
    async with asyncio.timeout(10):
        while not (task.done() or await _somebody_waits(database)):
            pass


async def _somebody_waits(database: Database) -> bool:
    async with database.read() as connection:
        return bool(await connection.scalar(BLOCKED))


@asynccontextmanager
async def deleting(
    database: Database, place: tuple[str, str], contents: Sequence[Contents] = (), *, whole: str = ""
) -> AsyncIterator[asyncio.Task[Any]]:
    """While the block runs, somebody is about to delete an environment; or the organization of that name, `whole`.

    It goes on when the block ends, and is over then, whatever became of it.
    """
    pausing = Pausing()
    places = PlaceStore(database, tenancy_tables(database.prefix), [*contents, pausing])
    work = places.delete_organization(place[0], whole, force=True) if whole else places.delete_environment(*place)
    task: asyncio.Task[Any] = asyncio.create_task(work)
    await pausing.is_there.wait()
    try:
        yield task
    finally:
        pausing.goes_on.set()
        await asyncio.wait([task])
