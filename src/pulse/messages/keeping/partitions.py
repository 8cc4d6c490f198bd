"""Daily partitions of the tables of messages on PostgreSQL: made ahead of time, dropped when they are over-age.

An id begins with the time it was made, so a day is a range of ids. What fits no partition (a clock that runs ahead)
goes into the default one, where retention deletes it row by row. A partition that still holds something unfinished, or
something that ended within the time, is never dropped.
"""

from datetime import UTC, datetime

import structlog
from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.ids import first_id_at
from pulse.messages.tables import MessageTables
from pulse.storage.claims import UNFINISHED
from pulse.storage.database import Database

log = structlog.get_logger(__name__)
DAY_MS = 86_400_000
DAYS_AHEAD = 3


class Partitions:
    """Makes and drops partitions; on SQLite there are none, and it does nothing."""

    def __init__(self, database: Database, tables: MessageTables, clock: Clock) -> None:
        self._database = database
        self._messages = tables.messages
        self._tables: tuple[Table, ...] = (tables.messages, tables.payloads, tables.results)
        self._clock = clock

    async def make_ahead(self) -> None:
        """Makes the partitions of today and of the next days. Safe to run from many processes."""
        if self._database.dialect != "postgresql":
            return
        today = self._clock.now_ms() // DAY_MS
        for day in range(today, today + DAYS_AHEAD + 1):
            for table in self._tables:
                await self._make(table, day)

    async def drop_before(self, cutoff: int) -> int:
        """Drops the partitions of days that were over before `cutoff` (ms since 1970); how many days that were."""
        if self._database.dialect != "postgresql":
            return 0
        dropped = 0
        for day in await self._days():
            if (day + 1) * DAY_MS <= cutoff and await self._drop(day, cutoff):
                dropped += 1
        return dropped

    async def _make(self, table: Table, day: int) -> None:
        bounds = f"FROM ('{first_id_at('msg', day * DAY_MS)}') TO ('{first_id_at('msg', (day + 1) * DAY_MS)}')"
        name = _name(table, day)
        try:
            async with self._database.write() as connection:
                if not await self._exists(connection, name):
                    await connection.execute(
                        text(f'CREATE TABLE "{name}" PARTITION OF "{table.name}" FOR VALUES {bounds}')
                    )
        except DBAPIError as error:
            # Made by another process meanwhile, or the default partition has rows of that day already.
            log.info("partition_not_made", partition=name, reason=str(error.orig))

    async def _exists(self, connection: AsyncConnection, name: str) -> bool:
        return await connection.scalar(text("SELECT to_regclass(:name)"), {"name": f'"{name}"'}) is not None

    async def _days(self) -> list[int]:
        """The days that the table of messages has partitions for."""
        query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:parent AS regclass)")
        async with self._database.read() as connection:
            names = (await connection.execute(query, {"parent": f'"{self._messages.name}"'})).scalars()
            return sorted(day for day in map(_day, names) if day is not None)

    async def _drop(self, day: int, cutoff: int) -> bool:
        c = self._messages.c
        here = (c.id >= first_id_at("msg", day * DAY_MS)) & (c.id < first_id_at("msg", (day + 1) * DAY_MS))
        async with self._database.write() as connection:
            await connection.execute(text(f'LOCK TABLE "{_name(self._messages, day)}" IN ACCESS EXCLUSIVE MODE'))
            # A message of that day may have ended much later.
            needed = c.state.in_(UNFINISHED) | (c.completed_at >= cutoff)
            if await connection.scalar(select(c.id).where(here, needed).limit(1)) is not None:
                return False
            for table in self._tables:
                await connection.execute(text(f'DROP TABLE IF EXISTS "{_name(table, day)}"'))
        log.info("partitions_dropped", day=_shown(day))
        return True


def _name(table: Table, day: int) -> str:
    return f"{table.name}_{_shown(day)}"


def _shown(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y%m%d}"


def _day(name: str) -> int | None:
    suffix = name.strip('"').rpartition("_")[2]
    if len(suffix) != 8 or not suffix.isdigit():
        return None
    return round(datetime.strptime(suffix, "%Y%m%d").replace(tzinfo=UTC).timestamp() * 1000) // DAY_MS
