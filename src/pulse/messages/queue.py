"""The queue as the consumer sees it: claimed messages with their payloads, leases, and what ends a message early."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, select, update

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, NotFound
from pulse.messages.allowance import HeldCounts
from pulse.messages.records import PENDING, Work
from pulse.messages.tables import MessageTables
from pulse.storage.claims import HELD, Claimed, Claims, chunks
from pulse.storage.database import Database

OnCancel = Callable[[str], None]


class MessageQueue:
    """Claims on the table of messages, for one worker. `on_cancel` hears of messages that were canceled."""

    def __init__(self, database: Database, tables: MessageTables, claims: Claims, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._claims = claims
        self._counts = HeldCounts(tables.held_counts)
        self._clock = clock
        self.on_cancel: OnCancel = lambda _message_id: None

    async def claim(self, limit: int) -> list[Work]:
        """At most `limit` messages of the organization whose turn it is."""
        return await self._with_payloads(await self._claims.claim(limit))

    async def claim_suspect(self) -> Work | None:
        """A message under which workers died before; to be run while nothing else runs."""
        claimed = await self._claims.claim_suspect()
        return (await self._with_payloads([claimed]))[0] if claimed else None

    async def suspects_wait(self) -> bool:
        return await self._claims.suspects_wait()

    async def renew(self, works: Sequence[Work]) -> set[str]:
        """Prolongs the leases of these messages; the ids of those that are still held."""
        return await self._claims.renew([(work.id, work.epoch) for work in works])

    async def sweep(self) -> int:
        return await self._claims.sweep()

    async def take_over(self) -> int:
        return await self._claims.take_over()

    async def release(self, works: Sequence[Work], delay_ms: int = 0) -> None:
        """Hands messages back, to be claimed again after the delay."""
        claimed = [Claimed(work.id, work.organization_id, work.epoch) for work in works]
        await self._claims.release(claimed, delay_ms)

    async def cancel(self, organization_id: str, message_id: str) -> None:
        """Ends a message that waits or runs as `canceled`. Raises NotFound; Conflict where it has an outcome already.

        What a running message has recorded stays recorded; whatever its worker writes later is refused by the fence.
        """
        await self._database.transact(partial(self._cancel, organization_id, message_id))
        self.on_cancel(message_id)

    def _cancel(self, organization_id: str, message_id: str, connection: Connection) -> None:
        c = self._tables.messages.c
        mine = (c.organization_id == organization_id) & (c.id == message_id)
        values = {"state": "canceled", "completed_at": self._clock.now_ms(), "epoch": c.epoch + 1, "elapsed_ms": 0}
        row = connection.execute(select(c.state, c.lane).where(mine)).first()
        if row is None:
            raise NotFound(f"There is no message {message_id!r}.")
        # The lane first, then the row, as outcomes do: in another order the two could wait for each other.
        self._claims.lock_lanes(connection, _lanes(organization_id, row))
        ended = update(self._tables.messages).where(mine).values(values)
        if connection.execute(ended.where(c.state == HELD)).rowcount:
            self._counts.add(connection, organization_id, -1)
        elif not connection.execute(ended.where(c.state.in_(PENDING))).rowcount:
            raise Conflict("This message has ended already.", status=row.state)
        self._claims.promote(connection, _lanes(organization_id, row))

    async def _with_payloads(self, claimed: list[Claimed]) -> list[Work]:
        if not claimed:
            return []
        by_id = {row.id: row for row in claimed}
        m, p = self._tables.messages, self._tables.payloads
        columns = (m.c.id, m.c.environment_id, m.c.received_at, m.c.lane, m.c.type, m.c.pin, m.c.reuses, p.c.payload)
        works: list[Work] = []
        async with self._database.read() as connection:
            for part in chunks(list(by_id)):
                rows = await connection.execute(select(*columns).join(p, p.c.id == m.c.id).where(m.c.id.in_(part)))
                works.extend(_work(by_id[row.id], row) for row in rows)
        return sorted(works, key=lambda work: work.id)


def _lanes(organization_id: str, row: Row[*tuple[Any, ...]]) -> list[tuple[str, str]]:
    return [(organization_id, row.lane)] if row.lane is not None else []


def _work(claimed: Claimed, row: Row[*tuple[Any, ...]]) -> Work:
    return Work(
        id=claimed.id,
        organization_id=claimed.tenant,
        environment_id=row.environment_id,
        epoch=claimed.epoch,
        lone_deaths=claimed.lone_deaths,
        received_at=row.received_at,
        lane=row.lane,
        payload=row.payload,
        type=row.type,
        pin=row.pin,
        reuses=row.reuses,
    )
