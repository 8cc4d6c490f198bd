"""Users in the database. They belong to the installation; what they may see is decided by their memberships."""

import re
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note, unchanged
from pulse.tenancy.people.records import User
from pulse.tenancy.people.sessions import add_session, end_sessions
from pulse.tenancy.roles import Role
from pulse.tenancy.tables import TenancyTables

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")


class UserStore:
    """Reads and writes users."""

    def __init__(self, database: Database, tables: TenancyTables, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._users = tables.users
        self._ids = ids
        self._clock = clock

    async def create(
        self,
        email: str,
        password: str | None,
        *,
        is_system: bool = False,
        first_name: str = "",
        last_name: str = "",
        member_of: tuple[str, Role] | None = None,
    ) -> User:
        """A new user; `password` as it is kept, `member_of` an organization's id and the role there.

        Raises InvalidFields, NotFound without that organization, Conflict where the address is taken.
        """
        now = self._clock.now_ms()
        user = User(
            self._ids.new("usr"),
            read_email(email),
            is_system=is_system,
            created_at=now,
            updated_at=now,
            password=password,
            first_name=first_name,
            last_name=last_name,
        )
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(self._users), [vars(user)])
                note("user", user.id, user.email, created=True, is_system=is_system)
                if member_of is not None:
                    await connection.run_sync(self._join, user.id, *member_of)
        except IntegrityError:
            raise Conflict(f"There is a user {user.email!r} already.") from None
        return user

    async def all(self) -> list[User]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(self._users).order_by(self._users.c.created_at, self._users.c.id))
            return [_user(row) for row in rows.mappings()]

    async def user(self, user_id: str) -> User:
        """Raises NotFound."""
        found = await self._find(self._users.c.id == user_id)
        if found is None:
            raise NotFound(f"There is no user {user_id!r}.")
        return found

    async def password(self, user_id: str) -> str | None:
        """What is kept of the user's password; None where nobody may come in by one, or there is no such user."""
        c = self._users.c
        mine = select(c.password).where(c.id == user_id, c.disabled_at.is_(None))
        async with self._database.read() as connection:
            return (await connection.execute(mine)).scalar()

    async def by_email(self, email: str) -> User | None:
        return await self._find(self._users.c.email == email.strip().lower())

    async def change(self, user_id: str, **values: Any) -> User:
        """Sets names or avatar. Raises NotFound."""
        mine, now = self._users.c.id == user_id, self._clock.now_ms()
        async with self._database.write() as connection:
            await connection.execute(update(self._users).where(mine).values(**values, updated_at=now))
            note("user", user_id, fields=", ".join(sorted(values)))
        return await self.user(user_id)

    async def replace_password(self, user_id: str, old: str | None, new: str) -> bool:
        """Sets the password, as it is kept, unless it is not `old` any more; whether it was."""
        c, values = self._users.c, {"password": new, "updated_at": self._clock.now_ms()}
        mine = (c.id == user_id) & (c.password == old)
        async with self._database.write() as connection:
            is_done = (await connection.execute(update(self._users).where(mine).values(**values))).rowcount == 1
            if is_done:
                note("user", user_id, fields="password")
            else:
                unchanged()
        return is_done

    async def change_password(self, user_id: str, old: str | None, new: str) -> str | None:
        """As `replace_password`; signs out everywhere, ends all links, and gives the token of a new session.

        None where the password is not `old` any more, or nobody may come in as this user.
        """
        c = self._users.c

        def work(connection: Connection) -> str | None:
            now = self._clock.now_ms()
            mine = (c.id == user_id) & (c.password == old) & c.disabled_at.is_(None)
            if not connection.execute(update(self._users).where(mine).values(password=new, updated_at=now)).rowcount:
                unchanged()
                return None
            note("user", user_id, fields="password")
            end_sessions(connection, self._tables, user_id)
            # Invitations are an organization's, and stay.
            connection.execute(delete(self._tables.tickets).where(self._tables.tickets.c.user_id == user_id))
            return add_session(connection, self._tables, user_id, now)

        return await self._database.transact(work)

    def _join(self, connection: Connection, user_id: str, organization_id: str, role: Role) -> None:
        o = self._tables.organizations.c
        if connection.execute(select(o.id).where(o.id == organization_id).with_for_update(read=True)).first() is None:
            raise NotFound(f"There is no organization {organization_id!r}.")
        row = {"organization_id": organization_id, "user_id": user_id, "role": role}
        connection.execute(insert(self._tables.members), [{**row, "created_at": self._clock.now_ms()}])
        note("member", user_id, organization_id=organization_id, role=role)

    async def _find(self, which: Any) -> User | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(self._users).where(which))).mappings().first()
        return None if row is None else _user(row)


def read_email(text: str) -> str:
    """The address as it is kept. Raises InvalidFields."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise InvalidFields([Fault("email", "invalid_email", "This is no mail address: name@example.com.")])
    return email


def _user(row: RowMapping) -> User:
    return User(**row)
