"""Which of the messages that come are evaluated, which wait, and which are over their organization's limit.

Decided within the transaction that stores them, and counted there (billing/meter.py): exactly so many are accepted as
the limit says, in however many processes they arrive. What waits is bounded, too: an organization has at most MOST_HELD
messages held, counted in the same transaction. What comes after them is ignored, and says why.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import structlog
from sqlalchemy import Connection, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.billing.meter import Meter
from pulse.billing.records import Standing
from pulse.messages.records import OVER_LIMIT, TOO_MANY_HELD, NewMessage
from pulse.messages.tables import MessageTables
from pulse.storage.claims import HELD
from pulse.storage.database import Dialect
from pulse.storage.rows import insert_into

log = structlog.get_logger(__name__)
# How seldom the log repeats the same of an organization.
SAY_AGAIN_S = 60.0
MOST_HELD = 1_000_000
Refusal = Literal["held", "over_limit", "too_many_held"]
# Those that are an outcome.
ENDS: tuple[str, ...] = (OVER_LIMIT, TOO_MANY_HELD)


class Allowance:
    """Asks the meter. A transaction that asks must hold `lock` of the organization of each message."""

    def __init__(self, meter: Meter, tables: MessageTables) -> None:
        self._meter = meter
        self._messages = tables.messages
        self._held = HeldCounts(tables.held_counts)
        self._said: dict[tuple[str, str], float] = {}

    def lock(self, organization_id: str) -> int:
        return self._meter.lock(organization_id)

    def refusals(self, connection: Connection, messages: Sequence[NewMessage]) -> dict[str, Refusal]:
        """What becomes of those that are not accepted, by id; the others are, and counted."""
        counts, period = Counter(message.organization_id for message in messages), self._meter.period()
        refused: dict[str, Refusal] = {}
        for organization_id, standing in self._meter.count(connection, counts, period).items():
            if standing.limit is not None:
                theirs = [message.id for message in messages if message.organization_id == organization_id]
                beyond = self._beyond(connection, organization_id, standing, theirs)
                if beyond:
                    self._meter.give_back(connection, organization_id, len(beyond), period)
                refused.update(beyond)
        return refused

    def _beyond(
        self, connection: Connection, organization_id: str, standing: Standing, ids: list[str]
    ) -> dict[str, Refusal]:
        before = standing._replace(used=standing.used - len(ids))
        if standing.used > (standing.limit or 0):
            self._say_once(OVER_LIMIT, organization_id, limit=standing.limit, overage_policy=standing.policy)
        if not standing.is_limited:
            return {}
        holds = standing.policy == "hold"
        # Those that wait keep their order: whoever comes waits behind them.
        room = 0 if holds and self._some_wait(connection, organization_id) else before.room
        beyond = ids[room:]
        return self._hold(connection, organization_id, beyond) if holds else dict.fromkeys(beyond, OVER_LIMIT)

    def _hold(self, connection: Connection, organization_id: str, ids: list[str]) -> dict[str, Refusal]:
        """The first of them wait, as many as may."""
        if not ids:
            return {}
        count = self._held.add(connection, organization_id, len(ids))
        too_many = min(len(ids), max(0, count - MOST_HELD))
        if not too_many:
            return dict.fromkeys(ids, "held")
        self._held.add(connection, organization_id, -too_many)
        self._say_once(TOO_MANY_HELD, organization_id, most=MOST_HELD)
        waiting, refused = ids[: len(ids) - too_many], ids[len(ids) - too_many :]
        return {**dict.fromkeys(waiting, "held"), **dict.fromkeys(refused, TOO_MANY_HELD)}

    def _some_wait(self, connection: Connection, organization_id: str) -> bool:
        c = self._messages.c
        waiting = select(c.id).where(c.organization_id == organization_id, c.state == HELD)
        return connection.execute(waiting.limit(1)).first() is not None

    def _say_once(self, event: str, organization_id: str, **told: int | str | None) -> None:
        now, what = time.monotonic(), (event, organization_id)
        if now - self._said.get(what, -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said[what] = now
            log.warning(event, organization=organization_id, **told)


class HeldCounts:
    """How many messages of an organization are held: one row each, changed by whatever holds or frees some.

    Whoever holds messages holds the lock of the meter, too. A transaction touches the row after the messages: no two
    wait for each other.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, connection: Connection, organization_id: str, more: int) -> int:
        """Counts so many more, or fewer; how many there are then."""
        c = self._table.c
        dialect: Dialect = "sqlite" if connection.dialect.name == "sqlite" else "postgresql"
        first = insert_into(dialect, self._table).values(organization_id=organization_id, count=more)
        added = first.on_conflict_do_update(index_elements=["organization_id"], set_={"count": c.count + more})
        return int(connection.execute(added.returning(c.count)).scalar_one())

    def none_left(self, connection: Connection, organization_id: str) -> None:
        """Says that none is held: whatever a process of an older version did not count is set right."""
        c = self._table.c
        wrong = (c.organization_id == organization_id) & (c.count != 0)
        connection.execute(update(self._table).where(wrong).values(count=0))

    async def of(self, connection: AsyncConnection, organization_id: str) -> int:
        c = self._table.c
        return await connection.scalar(select(c.count).where(c.organization_id == organization_id)) or 0
