"""Messages that wait for their organization's limit to rise, or for the next month: released in the order they came."""

from functools import partial
from itertools import accumulate
from typing import Any

import structlog
from sqlalchemy import Connection, Row, case, select, update

from pulse.billing.meter import Meter
from pulse.core.clock import Clock
from pulse.messages.allowance import HeldCounts
from pulse.messages.intake import Intake
from pulse.messages.records import NewMessage
from pulse.messages.tables import MessageTables
from pulse.storage.claims import BLOCKED, HELD, READY, Claims
from pulse.storage.database import Database
from pulse.storage.locks import take_locks

log = structlog.get_logger(__name__)
BATCH, BATCH_BYTES = 500, 32 << 20


class HeldMessages:
    """Releases held messages as far as the limits allow."""

    def __init__(
        self, database: Database, tables: MessageTables, claims: Claims, meter: Meter, intake: Intake, clock: Clock
    ) -> None:
        self._database = database
        self._tables = tables
        self._claims = claims
        self._meter = meter
        self._counts = HeldCounts(tables.held_counts)
        self._intake = intake
        self._clock = clock

    async def release_all(self) -> int:
        """Looks at every organization of which some wait; how many messages were released."""
        c = self._tables.messages.c
        async with self._database.read() as connection:
            found = await connection.execute(select(c.organization_id).where(c.state == HELD).distinct())
            waiting = list(found.scalars())
        return sum([await self._release_if_possible(organization_id) for organization_id in waiting])

    async def _release_if_possible(self, organization_id: str) -> int:
        """What goes wrong with one organization's messages holds up nobody else's."""
        try:
            return await self.release(organization_id)
        except Exception:
            log.exception("release_failed", organization=organization_id)
            return 0

    async def release(self, organization_id: str) -> int:
        """Makes ready as many as may be evaluated now, the oldest first, and counts them; how many there were."""
        released = 0
        while True:
            done = await self._database.transact(partial(self._release, organization_id))
            released += done
            if done:
                self._intake.worker.hint()
                if self._intake.signals is not None:
                    self._intake.signals.stored()
            if not done:
                return released

    def _release(self, organization_id: str, connection: Connection) -> int:
        lanes = [row.lane for row in self._oldest(connection, organization_id, BATCH) if row.lane is not None]
        locks = [self._claims.lane_lock(organization_id, lane) for lane in lanes]
        take_locks(connection, [self._meter.lock(organization_id), *locks])
        # What came before the lock was there may have ended meanwhile; what is in other lanes waits for the next round.
        oldest = self._oldest(connection, organization_id, BATCH)
        if not oldest:
            self._counts.none_left(connection, organization_id)
        rows = [row for row in oldest if row.lane is None or row.lane in lanes]
        period = self._meter.period()
        standing = self._meter.count(connection, {organization_id: 0}, period)[organization_id]
        released = self._make_ready(connection, organization_id, rows[: standing.room] if standing.is_limited else rows)
        if released:
            self._counts.add(connection, organization_id, -len(released))
            self._meter.count(connection, {organization_id: len(released)}, period)
            if self._intake.signals is not None:
                self._intake.signals.put(connection, self._whole(connection, released))
        return len(released)

    def _oldest(self, connection: Connection, organization_id: str, limit: int) -> list[Row[*tuple[Any, ...]]]:
        """At most so many, and no more bytes of them than a transaction should read."""
        c = self._tables.messages.c
        mine = (c.organization_id == organization_id) & (c.state == HELD)
        found = connection.execute(select(c.id, c.lane, c.size).where(mine).order_by(c.id).limit(limit)).all()
        sizes = accumulate(row.size for row in found)
        return [row for at, (row, size) in enumerate(zip(found, sizes, strict=True)) if at == 0 or size <= BATCH_BYTES]

    def _make_ready(self, connection: Connection, organization_id: str, rows: list[Row[*tuple[Any, ...]]]) -> list[str]:
        """The ids of those that it has released: somebody may just have canceled one."""
        if not rows:
            return []
        c = self._tables.messages.c
        state = case((c.lane.is_(None), READY), else_=BLOCKED)
        held = c.id.in_([row.id for row in rows]) & (c.state == HELD)
        released = update(self._tables.messages).where(held).values(state=state, due_at=self._clock.now_ms())
        ids = sorted(connection.execute(released.returning(c.id)).scalars())
        self._claims.promote(connection, [(organization_id, row.lane) for row in rows if row.lane is not None])
        return ids

    def _whole(self, connection: Connection, ids: list[str]) -> list[NewMessage]:
        m, p = self._tables.messages.c, self._tables.payloads.c
        columns = (m.id, m.organization_id, m.environment_id, m.type, p.payload, m.received_at, m.lane, m.origin_id)
        query = select(*columns, m.pin, m.reuses).where(m.id == p.id, m.id.in_(ids)).order_by(m.id)
        return [NewMessage(**row) for row in connection.execute(query).mappings()]
