"""An outbox in an empty database."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import MetaData, select

from pulse.storage.database import Database
from pulse.storage.outbox import Entry, Outbox, outbox_table


@dataclass
class Post:
    """An outbox in an empty database."""

    database: Database
    outbox: Outbox

    async def put(self, *keys: str, topic: str = "mail") -> None:
        async with self.database.write() as connection:
            await self.outbox.put(connection, entries(keys, topic))

    async def waiting(self) -> list[str]:
        async with self.database.read() as connection:
            table = self.outbox._table
            return list(await connection.scalars(select(table.c.key).order_by(table.c.position)))


def entries(keys: Sequence[str], topic: str = "mail") -> list[Entry]:
    return [Entry(topic, key, f"payload of {key}".encode()) for key in keys]


async def open_post(database: Database) -> Post:
    metadata = MetaData()
    table = outbox_table(metadata, database.prefix)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    return Post(database, Outbox(database, table))
