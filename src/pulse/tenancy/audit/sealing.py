"""Seals entries into the chain of their organization, in the order in which they were committed.

Ids are given before the commit, so an entry may appear after others with later ids: what is sealed is whatever is there
and has no place yet, and it gets the next places. Two processes never seal the same chain at once: its head is locked,
and whoever finds it locked leaves it to the other.
"""

from functools import partial

import structlog
from sqlalchemy import Connection, bindparam, select, update

from pulse.core.clock import Clock
from pulse.core.errors import Unavailable
from pulse.storage.database import Database
from pulse.storage.rows import insert_into
from pulse.tenancy.audit.chain import START, sealed
from pulse.tenancy.audit.records import Entry, Head
from pulse.tenancy.audit.tables import AuditTables

log = structlog.get_logger(__name__)
AT_ONCE = 500


class Sealer:
    """Gives entries their place and their hash. Each chain's end is logged, so that a copy of it is elsewhere."""

    def __init__(self, database: Database, tables: AuditTables, clock: Clock) -> None:
        self._database = database
        self._entries = tables.entries
        self._heads = tables.heads
        self._clock = clock

    async def seal(self) -> int:
        """Seals what was committed until now; how many entries that were."""
        c, count = self._entries.c, 0
        async with self._database.read() as connection:
            waiting = select(c.organization_id).where(c.sequence.is_(None)).distinct()
            chains = list((await connection.execute(waiting)).scalars())
        for organization_id in chains:
            try:
                count += await self.seal_chain(organization_id)
            except Unavailable:
                raise
            except Exception:
                # A chain that somebody has tampered with keeps the others from nothing.
                log.exception("chain_not_sealed", organization=organization_id or "(installation)")
        return count

    async def seal_chain(self, organization_id: str) -> int:
        """Seals what was committed of one chain."""
        count, part = 0, AT_ONCE
        while part == AT_ONCE:
            part, head = await self._database.transact(partial(self._seal, organization_id))
            count += part
            if head is not None:
                ends = {"entries": head.entries, "hash": head.hash.hex()}
                log.info("audit_sealed", organization=organization_id or "(installation)", **ends)
        return count

    def _seal(self, organization_id: str, connection: Connection) -> tuple[int, Head | None]:
        """How many entries it sealed, and the new end of the chain; none where another process is at it."""
        head, c = self._locked_head(connection, organization_id), self._entries.c
        if head is None:
            return 0, None
        waiting = select(self._entries).where(c.organization_id == organization_id, c.sequence.is_(None))
        found = [Entry(**row) for row in connection.execute(waiting.order_by(c.id).limit(AT_ONCE)).mappings()]
        if not found:
            return 0, None
        places, previous = [], head.hash
        for sequence, entry in enumerate(found, head.entries + 1):
            placed = sealed(entry, sequence, previous)
            previous = placed.hash or START
            places.append({"of_id": entry.id, "place": sequence, "made": previous})
        placing = update(self._entries).where(c.id == bindparam("of_id"))
        connection.execute(placing.values(sequence=bindparam("place"), hash=bindparam("made")), places)
        moved = Head(organization_id, head.entries + len(found), previous, self._clock.now_ms())
        mine = self._heads.c.organization_id == organization_id
        connection.execute(update(self._heads).where(mine).values(vars(moved)))
        return len(found), moved

    def _locked_head(self, connection: Connection, organization_id: str) -> Head | None:
        """The end of the chain, which nobody else moves before this transaction ends; None: somebody is moving it."""
        mine = self._heads.c.organization_id == organization_id
        if connection.scalar(select(self._heads.c.entries).where(mine)) is None:
            first = Head(organization_id, 0, START, self._clock.now_ms())
            connection.execute(insert_into(self._database.dialect, self._heads).on_conflict_do_nothing(), [vars(first)])
        row = connection.execute(self._database.locked(select(self._heads).where(mine))).mappings().first()
        return None if row is None else Head(**row)
