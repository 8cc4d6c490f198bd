"""Retention: what is older than it may be goes, in small transactions, and the disk gets its room back."""

from typing import Any

from sqlalchemy import Table, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, NotFound
from pulse.core.ids import first_id_at
from pulse.messages.journal import Forgetting
from pulse.messages.keeping.archive import Archive
from pulse.messages.keeping.partitions import Partitions
from pulse.messages.links import Links
from pulse.messages.records import DELETED, OUTCOMES
from pulse.messages.tables import MessageTables
from pulse.storage.claims import chunks
from pulse.storage.database import Database

DAY_MS = 86_400_000
KEYS_DAYS = 7
BATCH = 500
PAGES = 2_000


class Retention:
    """Deletes ended messages after `days`, and idempotency keys after a week."""

    def __init__(self, database: Database, tables: MessageTables, archive: Archive, clock: Clock, days: int) -> None:
        self._database = database
        self._tables = tables
        self._journals = Forgetting(database, tables)
        self._archive = archive
        self._clock = clock
        self._days = days
        self._partitions = Partitions(database, tables, clock)
        self._links = Links(database, tables)

    async def enforce(self) -> int:
        """Deletes everything that is too old; how many messages that were."""
        cutoff = self._clock.now_ms() - self._days * DAY_MS
        await self.make_room()
        await self._partitions.drop_before(cutoff)
        gone = 0
        while (batch := await self._old_messages(cutoff)) != []:
            async with self._database.write() as connection:
                await self._drop(connection, batch)
            gone += len(batch)
        await self._old_keys()
        await self._links.forget_before(first_id_at("msg", cutoff))
        await self._old_journals(cutoff)
        await self._archive.drop_segments(cutoff)
        if gone:
            await self.give_back()
        return gone

    async def make_room(self) -> None:
        """Makes the partitions for what is to come, where there are any."""
        await self._partitions.make_ahead()

    async def delete(self, organization_id: str, message_id: str) -> None:
        """Deletes one message. Raises NotFound; Conflict while it has no outcome (cancel it first)."""
        m = self._tables.messages
        mine = (m.c.organization_id == organization_id) & (m.c.id == message_id) & (m.c.state != DELETED)
        async with self._database.write() as connection:
            query = select(m.c.state, m.c.segment_id).where(mine).with_for_update()
            row = (await connection.execute(query)).first()
            if row is None:
                raise NotFound(f"There is no message {message_id!r}.")
            if row.state not in OUTCOMES:
                raise Conflict("This message has no outcome yet: cancel it first.", status=row.state)
            if row.segment_id is None:
                await self._drop(connection, [message_id])
            else:
                await connection.execute(m.update().where(mine).values(state=DELETED))

    async def give_back(self) -> None:
        """Gives free pages of an SQLite file back to the disk, some at a time: others write in between."""
        if self._database.dialect != "sqlite":
            return
        before, free = -1, await self._vacuum()
        while free not in (0, before):
            before, free = free, await self._vacuum()
        async with self._database.raw_writer() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    async def _vacuum(self) -> int:
        """How many pages are free after some were given back."""
        async with self._database.raw_writer() as connection:
            # The pragma frees a page at each step; of the driver's methods, only this one takes all steps.
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.executescript(f"PRAGMA incremental_vacuum({PAGES})")
            return await connection.scalar(text("PRAGMA freelist_count")) or 0

    async def _old_messages(self, cutoff: int) -> list[str]:
        c = self._tables.messages.c
        # Nothing that ended before the cutoff came after it: the bound on the id lets the index answer.
        old = (c.id < first_id_at("msg", cutoff)) & (c.completed_at < cutoff)
        async with self._database.read() as connection:
            return list((await connection.execute(select(c.id).where(old).order_by(c.id).limit(BATCH))).scalars())

    async def _drop(self, connection: AsyncConnection, ids: list[str]) -> None:
        tables: tuple[Table, ...] = (self._tables.results, self._tables.payloads, self._tables.messages)
        for part in chunks(ids):
            for table in tables:
                await connection.execute(delete(table).where(table.c.id.in_(part)))
            await connection.run_sync(self._journals.execute, part)

    async def _old_journals(self, cutoff: int) -> None:
        """Journals of messages that went with their partition."""
        journals, c = self._tables.journals, self._tables.messages.c
        gone = (journals.c.id < first_id_at("msg", cutoff)) & ~select(c.id).where(c.id == journals.c.id).exists()
        async with self._database.read() as connection:
            ids = list((await connection.execute(select(journals.c.id).where(gone))).scalars())
        for part in chunks(ids):
            async with self._database.write() as connection:
                await connection.run_sync(self._journals.execute, part)

    async def _old_keys(self) -> None:
        keys = self._tables.keys
        before = self._clock.now_ms() - KEYS_DAYS * DAY_MS
        async with self._database.write() as connection:
            await connection.execute(delete(keys).where(keys.c.created_at < before))
