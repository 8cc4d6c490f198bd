"""Counts accepted messages where they are accepted: within the transaction that stores them, so exactly once each.

One row an organization and month, which concurrent transactions add to one after another: whoever counts past the limit
learns it, whichever process it is in.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, Table, select, true, update

from pulse.billing.records import DEFAULT_POLICY, OveragePolicy, Standing, period_of
from pulse.billing.tables import BillingTables
from pulse.core.clock import Clock
from pulse.storage.database import Database, Dialect
from pulse.storage.locks import lock_number
from pulse.storage.rows import Given, Prepared, insert_into

# Of an organization without a subscription.
NO_LIMIT: tuple[int | None, OveragePolicy] = (None, DEFAULT_POLICY)


class Meter:
    """The counters. Every transaction that counts must hold `lock` of each organization that it counts for."""

    def __init__(self, database: Database, tables: BillingTables, clock: Clock) -> None:
        self._usage = tables.usage
        self._clock = clock
        self._counting = _counting(database.dialect, tables.usage)
        self._limits = _limits(database.dialect, tables.subscriptions)

    def lock(self, organization_id: str) -> int:
        """The number of the lock (storage/locks.py)."""
        return lock_number(self._usage.name, organization_id)

    def period(self) -> str:
        """The month that is; to be asked for once in a transaction, which may last over the end of it."""
        return period_of(self._clock.now_ms())

    def count(self, connection: Connection, more: Mapping[str, int], period: str) -> dict[str, Standing]:
        """Counts so many more for each organization; how each stands then."""
        counted = self._counting.execute(connection, sorted((each, period, count) for each, count in more.items()))
        limited = self._limits.execute(connection, ((each,) for each in more))
        limits: dict[str, tuple[int | None, OveragePolicy]] = {row[0]: (row[1], row[2]) for row in limited}
        return {row[0]: Standing(row[1], *limits.get(row[0], NO_LIMIT)) for row in counted}

    def give_back(self, connection: Connection, organization_id: str, count: int, period: str) -> None:
        """Takes back what `count` has counted in this transaction for messages that are not accepted after all."""
        c = self._usage.c
        mine = (c.organization_id == organization_id) & (c.period == period)
        connection.execute(update(self._usage).where(mine).values(count=c.count - count))


def _counting(dialect: Dialect, usage: Table) -> Prepared:
    names = ("organization_id", "period", "count")
    given = Given(dialect, {name: usage.c[name].type for name in names})
    # SQLite takes ON CONFLICT for a join's ON where the query has no WHERE.
    rows = select(*(given.rows.c[name] for name in names)).where(true())
    added = insert_into(dialect, usage).from_select(names, rows)
    more = {"count": usage.c.count + added.excluded.count}
    added = added.on_conflict_do_update(index_elements=["organization_id", "period"], set_=more)
    return Prepared(added.returning(usage.c.organization_id, usage.c.count), given)


def _limits(dialect: Dialect, subscriptions: Table) -> Prepared:
    c = subscriptions.c
    given = Given(dialect, {"organization_id": c.organization_id.type})
    theirs = c.organization_id.in_(select(given.rows.c.organization_id))
    return Prepared(select(c.organization_id, c.transaction_limit, c.overage_policy).where(theirs), given)
