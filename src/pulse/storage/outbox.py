"""What Pulse itself sends leaves through here: written in the transaction that decides it, delivered after.

`put` is part of the caller's transaction. A relay takes entries in the order they were put, hands each to the handler
of its topic, and deletes it when that has returned. A crash in between delivers it again, under the same key: the
receiving end tells repeats by that key. An entry whose handler raises stays, and is tried again after a growing pause;
it never holds up the entries behind it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import PulseError
from pulse.storage.database import Database

log = logging.getLogger(__name__)
Handler = Callable[[str, bytes], Awaitable[None]]
MAX_PAUSE_MS = 300_000
BATCH = 100
LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Entry:
    """Something to send: `key` is the same at every attempt and unique within `topic`."""

    topic: str
    key: str
    payload: bytes


def outbox_table(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}outbox",
        metadata,
        Column(
            "position",
            BigInteger().with_variant(Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("topic", String, nullable=False),
        Column("key", String, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("due_at", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    Index(f"{prefix}outbox_due", table.c.due_at, table.c.position)
    Index(f"{prefix}outbox_once", table.c.topic, table.c.key, unique=True)
    return table


class Outbox:
    """The outbox kept in `table`."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table

    async def put(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
        """Adds entries to the caller's transaction."""
        await connection.run_sync(self.put_now, entries)

    def put_now(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """The same within a transaction that is a plain function."""
        if entries:
            rows = [
                {
                    "topic": entry.topic,
                    "key": entry.key,
                    "payload": entry.payload,
                    "due_at": 0,
                }
                for entry in entries
            ]
            connection.execute(insert(self._table), rows)

    async def deliver(self, handlers: Mapping[str, Handler]) -> int:
        """Delivers what is due, at most BATCH entries; how many were delivered."""
        c = self._table.c
        due = (
            select(c.position, c.topic, c.key, c.payload, c.attempts)
            .where(c.due_at <= self._database.now(), c.topic.in_(list(handlers)))
            .order_by(c.position)
            .limit(BATCH)
        )
        async with self._database.read() as connection:
            waiting = (await connection.execute(due)).all()
        delivered = 0
        for row in waiting:
            try:
                await handlers[row.topic](row.key, row.payload)
            except Exception as error:  # noqa: BLE001 - whatever it is, the entry stays and is tried again
                log.warning("%s %s was not delivered, and will be tried again: %r", row.topic, row.key, error)
                await self._postpone(row.position, row.attempts)
            else:
                await self._forget(row.position)
                delivered += 1
        return delivered

    async def _forget(self, position: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(self._table).where(self._table.c.position == position))

    async def _postpone(self, position: int, attempts: int) -> None:
        pause = min(1000 * 2**attempts, MAX_PAUSE_MS)
        later = (
            update(self._table)
            .where(self._table.c.position == position)
            .values(attempts=attempts + 1, due_at=self._database.now() + pause)
        )
        async with self._database.write() as connection:
            await connection.execute(later)


class Relay:
    """A duty: delivers what is in the outbox, at once when it is told of something, and now and then by itself."""

    name = "relay"

    def __init__(self, outbox: Outbox, handlers: Mapping[str, Handler]) -> None:
        self._outbox = outbox
        self._handlers = handlers
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def hint(self) -> None:
        """Something was put, and its transaction is committed."""
        self._something.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """What is being delivered is cut off: it stays, and is delivered again by whoever is next."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            self._something.clear()
            try:
                while await self._outbox.deliver(self._handlers):
                    pass
            except PulseError as error:
                log.warning("the outbox waits: %s", error.message)
            except Exception:
                log.exception("the outbox waits")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._something.wait()
