"""Who belongs to an organization, and with which role."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, NotFound
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note, unchanged
from pulse.tenancy.people.records import Member, Reach
from pulse.tenancy.people.sessions import end_sessions
from pulse.tenancy.people.tickets import end_invitations, may_invite
from pulse.tenancy.records import Organization
from pulse.tenancy.roles import Role
from pulse.tenancy.store import gone
from pulse.tenancy.tables import TenancyTables

LAST = "An organization needs an Admin: make somebody else one first."


class MemberStore:
    """Reads and writes memberships. An organization that has an Admin keeps at least one who can come in.

    Whose rights change is signed out everywhere, in the same transaction; who may invite nobody any more, of them what
    they have invited ends.
    """

    def __init__(self, database: Database, tables: TenancyTables, clock: Clock) -> None:
        self._database = database
        self._members = tables.members
        self._users = tables.users
        self._organizations = tables.organizations
        self._tables = tables
        self._clock = clock

    async def add(self, organization_id: str, user_id: str, role: Role) -> Member:
        """Raises Conflict where the user is a member already, NotFound where user or organization is gone."""
        now = self._clock.now_ms()
        row = {"organization_id": organization_id, "user_id": user_id, "role": role, "created_at": now}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(self._members), [row])
                note("member", user_id, organization_id=organization_id, role=role)
        except IntegrityError as error:
            missing = await gone(self._database, error, [(self._members, row)])
            raise missing or Conflict("This user is a member already.") from None
        return await self.member(organization_id, user_id)

    async def members(self, organization_id: str) -> list[Member]:
        return await self._found(self._members.c.organization_id == organization_id)

    async def member(self, organization_id: str, user_id: str) -> Member:
        """Raises NotFound."""
        found = await self._found(self._is(organization_id, user_id))
        if not found:
            raise NotFound(f"There is no member {user_id!r}.")
        return found[0]

    async def places(self, user_id: str) -> list[tuple[Organization, Role]]:
        """The organizations of a user, with the role in each."""
        m, o = self._members.c, self._organizations
        query = select(o, m.role).join(self._members, m.organization_id == o.c.id).where(m.user_id == user_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(o.c.name))).mappings()
            return [(Organization(row["id"], row["name"], row["created_at"]), row["role"]) for row in rows]

    async def change(
        self, organization_id: str, user_id: str, role: Role, environments: Reach | None = None, *, by: str = ""
    ) -> Member:
        """`environments`: where the role holds; None: as before. An Admin's holds in all of them.

        `by`: the token of the session that does it, which does not end.

        Raises NotFound; Conflict where nobody would be left to own the organization.
        """
        reach = "all" if role == "Admin" else environments
        values = {"role": role, **({"environments": reach} if reach is not None else {})}
        differs = or_(*(self._members.c[name] != value for name, value in values.items()))

        def work(connection: Connection) -> None:
            self._keep_an_admin(connection, organization_id, user_id, role)
            other = self._is(organization_id, user_id) & differs
            if not connection.execute(update(self._members).where(other).values(values)).rowcount:
                unchanged()
                return
            note("member", user_id, organization_id=organization_id, **values)
            if not may_invite(role):
                end_invitations(connection, self._tables, user_id, self._clock.now_ms(), organization_id)
            end_sessions(connection, self._tables, user_id, but=by)

        await self.member(organization_id, user_id)
        await self._database.transact(work)
        return await self.member(organization_id, user_id)

    async def remove(self, organization_id: str, user_id: str) -> None:
        """Raises NotFound; Conflict where nobody would be left to own the organization."""

        def work(connection: Connection) -> None:
            self._keep_an_admin(connection, organization_id, user_id, None)
            if not connection.execute(delete(self._members).where(self._is(organization_id, user_id))).rowcount:
                raise NotFound(f"There is no member {user_id!r}.")
            note("member", user_id, organization_id=organization_id, removed=True)
            end_invitations(connection, self._tables, user_id, self._clock.now_ms(), organization_id)
            end_sessions(connection, self._tables, user_id)

        await self._database.transact(work)

    def _keep_an_admin(self, connection: Connection, organization_id: str, user_id: str, role: Role | None) -> None:
        c = self._members.c
        if role == "Admin":
            return
        # Two Admins who each remove the other meet here.
        here = select(self._organizations.c.id).where(self._organizations.c.id == organization_id)
        connection.execute(here.with_for_update())
        admins = (c.organization_id == organization_id) & (c.role == "Admin")
        is_admin = connection.scalar(select(func.count()).where(admins, c.user_id == user_id))
        if is_admin and not connection.scalar(
            select(func.count()).where(admins, c.user_id != user_id, self._can_come())
        ):
            raise Conflict(LAST)

    def _can_come(self) -> Any:
        u = self._users.c
        return (u.id == self._members.c.user_id) & u.disabled_at.is_(None)

    def _is(self, organization_id: str, user_id: str) -> Any:
        return (self._members.c.organization_id == organization_id) & (self._members.c.user_id == user_id)

    async def _found(self, which: Any) -> list[Member]:
        m, u = self._members.c, self._users.c
        columns = (m.organization_id, m.user_id, m.role, u.email, u.first_name, u.last_name, m.created_at)
        query = select(*columns, m.environments).join(self._users, u.id == m.user_id).where(which).order_by(u.email)
        async with self._database.read() as connection:
            return [Member(*row) for row in await connection.execute(query)]
