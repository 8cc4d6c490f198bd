"""Whose turn it is: tenants are served one after another, and a limit may say how many rows of each run at once.

The limit is exact, however many processes claim: with one, claims are made one at a time (an advisory lock on
PostgreSQL; SQLite has one writer anyway). Without one, they do not know of each other.
"""

from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, and_, func, select, text, true

from pulse.storage.database import Database
from pulse.storage.locks import lock_number


@dataclass(frozen=True)
class TenantLimit:
    """At most `limit` rows of a tenant run at once; running ones for which `counts` is false are not counted."""

    limit: int
    counts: ColumnElement[bool]


@dataclass(frozen=True)
class Turn:
    """The tenant whose turn it is, and how many of its rows may be begun (None: any number)."""

    tenant: str
    room: int | None

    def at_most(self, limit: int) -> int:
        return limit if self.room is None else min(limit, self.room)


class Turns:
    """Tenants in turn. Keeps nothing but whose turn it was last."""

    def __init__(
        self, database: Database, tenant: Column[str], running: ColumnElement[bool], limit: TenantLimit | None
    ) -> None:
        """`tenant`: the column that names it; `running`: which rows are held by somebody."""
        self._dialect = database.dialect
        self._tenant = tenant
        self._limit = limit
        self._running = running if limit is None else and_(running, limit.counts)
        self._lock = lock_number("turns", tenant.table.name)
        self._last = ""

    @property
    def are_limited(self) -> bool:
        return self._limit is not None

    def next(self, connection: Connection, ready: ColumnElement[bool]) -> Turn | None:
        """The turn of the next tenant that has `ready` rows and may begin some; None when there is none."""
        first = select(func.min(self._tenant)).where(ready, self.has_room(connection))
        tenant: str | None = connection.scalar(first.where(self._tenant > self._last))
        if tenant is None and self._last:
            tenant = connection.scalar(first)
        self._last = tenant or ""
        return None if tenant is None else Turn(tenant, self._room(connection, tenant))

    def has_room(self, connection: Connection) -> ColumnElement[bool]:
        """Rows of tenants that are below their limit. Until the transaction ends, nobody else takes that room."""
        if self._limit is None:
            return true()
        if self._dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": self._lock})
        full = select(self._tenant).where(self._running).group_by(self._tenant)
        return self._tenant.not_in(full.having(func.count() >= self._limit.limit))

    def _room(self, connection: Connection, tenant: str) -> int | None:
        if self._limit is None:
            return None
        running = select(func.count()).where(self._running, self._tenant == tenant)
        return self._limit.limit - (connection.scalar(running) or 0)
