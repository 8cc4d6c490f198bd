"""Reads the audit: pages for people, whole chains for export, and the verification of everything."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.storage.database import Database
from pulse.tenancy.audit.chain import Broken, Verification
from pulse.tenancy.audit.records import Entry, Head, Wanted
from pulse.tenancy.audit.tables import AuditTables

MOST_COUNTED = 10_000
AT_ONCE = 500


@dataclass(frozen=True)
class EntryPage:
    """`total` stops at MOST_COUNTED, with `more`."""

    entries: Sequence[Entry]
    total: int
    more: bool


@dataclass(frozen=True)
class Verified:
    """What was found: `broken` has the first broken place of each chain that is; `unsealed` entries have no place yet.

    `is_whole`: everything was looked at, and not only what the time was enough for.
    """

    broken: Sequence[Broken]
    chains: int
    entries: int
    unsealed: int
    is_whole: bool


class AuditReader:
    """Reads the entries of one chain: of an organization, or of the installation ("")."""

    def __init__(self, database: Database, tables: AuditTables) -> None:
        self._database = database
        self._entries = tables.entries
        self._heads = tables.heads

    async def page(self, organization_id: str, wanted: Wanted, *, offset: int, limit: int) -> EntryPage:
        """Newest first."""
        c, found = self._entries.c, self._found(organization_id, wanted)
        counted = found.with_only_columns(c.id).limit(MOST_COUNTED + 1).subquery()
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(counted)) or 0
            ordered = found.order_by(c.at.desc(), c.id.desc()).offset(offset).limit(limit)
            entries = [Entry(**row) for row in (await connection.execute(ordered)).mappings()]
        return EntryPage(entries, min(total, MOST_COUNTED), total > MOST_COUNTED)

    async def sealed(self, organization_id: str, wanted: Wanted) -> AsyncIterator[Entry]:
        """Everything that matches and is sealed, in the order of the chain, read a part at a time."""
        c, found, last = self._entries.c, self._found(organization_id, wanted), 0
        while True:
            part = await self._part(found.where(c.sequence > last).order_by(c.sequence))
            for entry in part:
                yield entry
            if len(part) < AT_ONCE:
                return
            last = part[-1].sequence or last

    async def verify(self, within_s: float) -> Verified:
        """Looks at every chain from its beginning, in one snapshot, for at most about `within_s` seconds."""
        deadline, c = time.monotonic() + within_s, self._entries.c
        broken: list[Broken] = []
        entries = 0
        async with self._database.read() as connection:
            heads = {row["organization_id"]: Head(**row) for row in await _rows(connection, select(self._heads))}
            present = select(c.organization_id).where(c.sequence.is_not(None)).distinct()
            chains = sorted({*heads, *(await connection.execute(present)).scalars()})
            waiting = select(func.count()).select_from(self._entries).where(c.sequence.is_(None))
            unsealed = await connection.scalar(waiting) or 0
            for organization_id in chains:
                fault, count = await self._verify_chain(connection, organization_id, heads, deadline)
                entries += count
                broken += [fault] if fault is not None else []
        return Verified(broken, len(chains), entries, unsealed, is_whole=time.monotonic() <= deadline)

    async def _verify_chain(
        self, connection: AsyncConnection, organization_id: str, heads: dict[str, Head], deadline: float
    ) -> tuple[Broken | None, int]:
        """The first broken place, and how many entries were looked at."""
        c, along, count, last = self._entries.c, Verification(organization_id), 0, 0
        chain = select(self._entries).where(c.organization_id == organization_id).order_by(c.sequence)
        while time.monotonic() <= deadline:
            part = [Entry(**row) for row in await _rows(connection, chain.where(c.sequence > last).limit(AT_ONCE))]
            for entry in part:
                count += 1
                fault = along.follow(entry)
                if fault is not None:
                    return fault, count
            if len(part) < AT_ONCE:
                return along.end(heads.get(organization_id)), count
            last = part[-1].sequence or last
        return None, count

    async def _part(self, query: Select[Any]) -> list[Entry]:
        async with self._database.read() as connection:
            return [Entry(**row) for row in await _rows(connection, query.limit(AT_ONCE))]

    def _found(self, organization_id: str, wanted: Wanted) -> Select[Any]:
        c = self._entries.c
        query = select(self._entries).where(c.organization_id == organization_id)
        if wanted.actor is not None:
            query = query.where(or_(c.actor_id == wanted.actor, c.actor_kind == wanted.actor))
        if wanted.action is not None:
            query = query.where(c.action == wanted.action)
        if wanted.subject_kind is not None or wanted.subject_id is not None:
            query = query.where(c.subjects.contains(_subject(wanted), autoescape=True))
        if wanted.since is not None:
            query = query.where(c.at >= wanted.since)
        if wanted.until is not None:
            query = query.where(c.at < wanted.until)
        if wanted.text is not None:
            columns = (c.subjects, c.path, c.action, c.actor_id, c.address)
            query = query.where(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
        return query


def _subject(wanted: Wanted) -> str:
    """What stands in an entry's subjects, as log.py writes them, where one of them is what is wanted."""
    text = "" if wanted.subject_id is None else f'"id":{json.dumps(wanted.subject_id, ensure_ascii=False)},'
    kind = "" if wanted.subject_kind is None else f'{json.dumps(wanted.subject_kind, ensure_ascii=False)},"name":'
    return f'{text}"kind":{kind}'


async def _rows(connection: AsyncConnection, query: Select[Any]) -> Sequence[RowMapping]:
    rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
    return rows
