"""Users who must not come in any more: disabled, which can be taken back, or deleted.

An installation keeps a system administrator who can come in, and an organization an Admin, if it has one.
"""

from typing import Any

from sqlalchemy import Connection, delete, exists, select, update

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, NotFound
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note, unchanged
from pulse.tenancy.people.tickets import end_invitations
from pulse.tenancy.tables import TenancyTables

LAST_SYSTEM = "An installation needs a system administrator: make somebody else one first."


class Departures:
    """Disables, enables and deletes users.

    Sessions and tickets of who leaves, and what they have invited, end in the same transaction.
    """

    def __init__(self, database: Database, tables: TenancyTables, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock

    async def disable(self, user_id: str) -> None:
        """Raises NotFound; Conflict for the last system administrator, and for the last Admin of an organization."""
        c, tables = self._tables.users.c, self._tables

        def work(connection: Connection) -> None:
            self._require_others(connection, user_id)
            now = self._clock.now_ms()
            mine = (c.id == user_id) & c.disabled_at.is_(None)
            connection.execute(update(tables.users).where(mine).values(disabled_at=now, updated_at=now))
            note("user", user_id, disabled=True)
            self._end_ways_in(connection, user_id)
            end_invitations(connection, tables, user_id, now)

        await self._database.transact(work)

    async def enable(self, user_id: str) -> None:
        """Takes it back; who was disabled comes in by the password, and by nothing of before. Raises NotFound."""
        c = self._tables.users.c

        def work(connection: Connection) -> None:
            since = connection.execute(select(c.disabled_at).where(c.id == user_id).with_for_update()).first()
            if since is None:
                raise _no_user(user_id)
            if since.disabled_at is None:
                unchanged()
                return
            values = {"disabled_at": None, "updated_at": self._clock.now_ms()}
            connection.execute(update(self._tables.users).where(c.id == user_id).values(**values))
            note("user", user_id, disabled=False)
            self._end_ways_in(connection, user_id)

        await self._database.transact(work)

    async def delete(self, user_id: str) -> None:
        """The user, and all that belongs to nobody else. Raises NotFound, Conflict as `disable` does."""
        tables = self._tables

        def work(connection: Connection) -> None:
            self._require_others(connection, user_id)
            for table in (tables.sessions, tables.tickets, tables.members):
                connection.execute(delete(table).where(table.c.user_id == user_id))
            connection.execute(delete(tables.users).where(tables.users.c.id == user_id))
            note("user", user_id, deleted=True)
            end_invitations(connection, tables, user_id, self._clock.now_ms())

        await self._database.transact(work)

    def _end_ways_in(self, connection: Connection, user_id: str) -> None:
        for table in (self._tables.sessions, self._tables.tickets):
            connection.execute(delete(table).where(table.c.user_id == user_id))

    def _require_others(self, connection: Connection, user_id: str) -> None:
        """Locks the user, then what they are needed for: two who each remove the other meet there."""
        c = self._tables.users.c
        is_system = connection.execute(select(c.is_system).where(c.id == user_id)).scalar()
        which: Any = c.is_system if is_system else c.id == user_id
        locked = select(c.id, c.disabled_at).where(which).order_by(c.id).with_for_update()
        found = {row.id: row.disabled_at for row in connection.execute(locked)}
        if user_id not in found:
            raise _no_user(user_id)
        if is_system and not any(since is None for each, since in found.items() if each != user_id):
            raise Conflict(LAST_SYSTEM)
        self._require_other_admins(connection, user_id)

    def _require_other_admins(self, connection: Connection, user_id: str) -> None:
        m, o, u = self._tables.members, self._tables.organizations, self._tables.users
        owned = select(m.c.organization_id).where(m.c.user_id == user_id, m.c.role == "Admin")
        here = select(o.c.id, o.c.name).where(o.c.id.in_(owned)).order_by(o.c.id)
        organizations = connection.execute(here.with_for_update()).all()
        other = (m.c.role == "Admin") & (m.c.user_id != user_id) & (u.c.id == m.c.user_id) & u.c.disabled_at.is_(None)
        for organization_id, name in organizations:
            if not connection.scalar(select(exists().where(m.c.organization_id == organization_id, other))):
                raise Conflict(f"The organization {name!r} needs an Admin: make somebody else one first.")


def _no_user(user_id: str) -> NotFound:
    return NotFound(f"There is no user {user_id!r}.")
