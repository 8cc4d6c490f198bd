"""Reading messages: one whole, or a page of the list. What is archived reads the same as what is not."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import NotFound
from pulse.messages.allowance import HeldCounts
from pulse.messages.records import DELETED, PENDING, MessageRow, StoredMessage
from pulse.messages.result import payload_of
from pulse.messages.tables import MessageTables
from pulse.storage.database import Database

MAX_TOTAL = 10_000
# The line of an archived message, from its segment.
Fetch = Callable[[str, str], Awaitable[bytes]]


@dataclass(frozen=True)
class Filter:
    """Which messages are wanted. Times are ms since 1970; `text` looks into ids, types and names.

    `after`: only those whose id comes behind this one.
    """

    environment_id: str | None = None
    status: str | None = None
    type: str | None = None
    workflow_id: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None
    ids: tuple[str, ...] = ()
    after: str | None = None


@dataclass(frozen=True)
class MessagePage:
    """A page of the list. `total` stops at MAX_TOTAL; then `more` is true."""

    rows: list[MessageRow] = field(default_factory=list)
    total: int = 0
    more: bool = False


class MessageReader:
    """Reads messages of one organization at a time."""

    def __init__(self, database: Database, tables: MessageTables, fetch: Fetch) -> None:
        self._database = database
        self._tables = tables
        self._fetch = fetch
        self._counts = HeldCounts(tables.held_counts)

    async def message(self, organization_id: str, message_id: str) -> StoredMessage:
        """The message with its payload and, once it has an outcome, its body. Raises NotFound."""
        m, p, r = self._tables.messages, self._tables.payloads, self._tables.results
        joined = m.outerjoin(p, p.c.id == m.c.id).outerjoin(r, r.c.id == m.c.id)
        query = select(m, p.c.payload, r.c.body).select_from(joined)
        async with self._database.read() as connection:
            mine = (m.c.organization_id == organization_id) & (m.c.id == message_id)
            row = (await connection.execute(query.where(mine))).mappings().first()
        if row is None or row["state"] == DELETED:
            raise NotFound(f"There is no message {message_id!r}.")
        if row["segment_id"] is not None:
            line = await self._fetch(row["segment_id"], message_id)
            return StoredMessage(_record(row), payload_of(line), archived=line)
        return StoredMessage(_record(row), row["payload"], row["body"])

    async def page(
        self, organization_id: str, wanted: Filter, *, page: int = 1, limit: int = 10, newest_first: bool = True
    ) -> MessagePage:
        """A page of the list, by time received."""
        query = self._query(organization_id, wanted)
        async with self._database.read() as connection:
            total = await self._count(connection, query)
            c = self._tables.messages.c
            ordered = query.order_by(c.id.desc() if newest_first else c.id)
            rows = await connection.execute(ordered.offset((page - 1) * limit).limit(limit))
            found = [_record(row) for row in rows.mappings()]
        return MessagePage(found, min(total, MAX_TOTAL), total > MAX_TOTAL)

    async def held(self, organization_id: str) -> int:
        """How many messages are held, all of them counted."""
        async with self._database.read() as connection:
            return await self._counts.of(connection, organization_id)

    async def rows(self, organization_id: str, ids: Sequence[str]) -> list[MessageRow]:
        """The index rows of these messages, as far as they are there."""
        query = self._query(organization_id, Filter(ids=tuple(ids)))
        async with self._database.read() as connection:
            return [_record(row) for row in (await connection.execute(query)).mappings()]

    async def ids(self, organization_id: str, wanted: Filter, limit: int) -> list[str]:
        """The ids of the wanted messages, oldest first, at most `limit`."""
        c = self._tables.messages.c
        query = self._query(organization_id, wanted).with_only_columns(c.id).order_by(c.id).limit(limit)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def _count(self, connection: AsyncConnection, query: Select[Any]) -> int:
        bounded = query.with_only_columns(self._tables.messages.c.id).limit(MAX_TOTAL + 1).subquery()
        return await connection.scalar(select(func.count()).select_from(bounded)) or 0

    def _query(self, organization_id: str, wanted: Filter) -> Select[Any]:
        c = self._tables.messages.c
        mine = (c.organization_id == organization_id) & (c.state != DELETED)
        return select(self._tables.messages).where(mine, *self._conditions(wanted))

    def _conditions(self, wanted: Filter) -> list[ColumnElement[bool]]:
        c = self._tables.messages.c
        exact = {c.environment_id: wanted.environment_id, c.type: wanted.type, c.workflow_id: wanted.workflow_id}
        conditions = [column == value for column, value in exact.items() if value is not None]
        if wanted.status is not None:
            conditions.append(c.state.in_(PENDING) if wanted.status == "pending" else c.state == wanted.status)
        if wanted.text:
            columns = (c.id, c.type, c.workflow_name, c.error)
            conditions.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
        if wanted.since is not None:
            conditions.append(c.received_at >= wanted.since)
        if wanted.until is not None:
            conditions.append(c.received_at < wanted.until)
        if wanted.after is not None:
            conditions.append(c.id > wanted.after)
        if wanted.ids:
            conditions.append(c.id.in_(wanted.ids))
        return conditions


def _record(row: RowMapping) -> MessageRow:
    fields = {name: row[name] for name in MessageRow.__struct_fields__ if name != "status"}
    return MessageRow(**fields, status=row["state"])
