"""Tickets: what somebody is sent, to be used once: an invitation, the way to a new password, a first sign-in.

A ticket is a random token of which only the digest is kept: who has the token has the ticket. One that was used, taken
back or replaced by a newer one is gone, so that all of these, and one that never was, look the same.

An invitation is good for as long as who sent it may send it: it ends with their membership, and with the role that they
invited in (`end_invitations`). Whoever sends it again answers for it from then on.
"""

import hashlib
import secrets
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Forbidden, NotFound
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.storage.rows import insert_into
from pulse.tenancy.audit.act import note
from pulse.tenancy.people.records import Purpose, Ticket, User
from pulse.tenancy.roles import PERMISSIONS, Role
from pulse.tenancy.tables import TenancyTables

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
LASTS_MS: dict[Purpose, int] = {"invitation": 7 * DAY_MS, "reset": 30 * MINUTE_MS, "sign_in": DAY_MS}
# For so long an invitation that has ended can still be seen, and sent again.
SHOWN_MS = 30 * DAY_MS
MOST_OPEN = 1_000


class TicketRefused(NotFound):
    """This link does not work any more: it was used already, has ended, or was taken back. Ask for a new one."""

    code = "invalid_link"


class TicketStore:
    """Reads and writes tickets; what they are used for is in redemption.py."""

    def __init__(self, database: Database, tables: TenancyTables, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tickets = tables.tickets
        self._users = tables.users
        self._members = tables.members
        self._organizations = tables.organizations
        self._ids = ids
        self._clock = clock

    async def issue(self, user: User, purpose: Purpose) -> str:
        """The token of a new ticket; an older one of the same purpose ends. Raises NotFound without that user."""
        token = secrets.token_urlsafe(32)
        row = self._row(purpose, token, email=user.email, user_id=user.id)
        made = insert_into(self._database.dialect, self._tickets).values(**row)
        made = made.on_conflict_do_update(index_elements=["user_id", "purpose"], set_=row)
        try:
            async with self._database.write() as connection:
                await connection.execute(made)
                note("user", user.id, user.email, link=purpose)
        except IntegrityError:
            raise NotFound(f"There is no user {user.id!r}.") from None
        return token

    async def invite(
        self, organization_id: str, email: str, role: Role, invited_by: str | None, *, by_member: bool = False
    ) -> tuple[Ticket, str]:
        """An invitation of this address (as it is kept), and its token. `by_member`: by somebody who is here.

        Raises Conflict where that is a member already, was invited already, or too many invitations are open; Forbidden
        where the member may not invite any more.
        """
        token, c = secrets.token_urlsafe(32), self._tickets.c
        place = {"organization_id": organization_id, "role": role, "invited_by": invited_by}
        row = self._row("invitation", token, email=email, **place)
        made = insert_into(self._database.dialect, self._tickets).values(**row)
        made = made.on_conflict_do_update(
            index_elements=["organization_id", "email"], set_=row, where=c.expires_at <= row["created_at"]
        )

        def work(connection: Connection) -> None:
            if by_member:
                self._require_inviter(connection, organization_id, invited_by)
            self._refuse_more(connection, organization_id, email)
            if connection.execute(made.returning(c.id)).first() is None:
                raise Conflict(f"{email} was invited already: send that invitation again, or take it back.")
            note("invitation", row["id"], email, organization_id=organization_id, role=role)

        await self._database.transact(work)
        return _ticket(row), token

    async def invitations(self, organization_id: str) -> list[Ticket]:
        """The invitations that nobody has accepted yet, oldest first, with those that ended lately."""
        c = self._tickets.c
        query = select(self._tickets).where(c.organization_id == organization_id).order_by(c.created_at, c.id)
        async with self._database.read() as connection:
            return [_ticket(row) for row in (await connection.execute(query)).mappings()]

    async def open_invitations(self, organization_id: str, besides: str) -> int:
        """How many invitations may still be accepted, but for that of one address."""
        c = self._tickets.c
        mine = (c.organization_id == organization_id) & (c.expires_at > self._clock.now_ms()) & (c.email != besides)
        async with self._database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(self._tickets).where(mine)) or 0

    async def renew(
        self, organization_id: str, ticket_id: str, invited_by: str | None, *, by_member: bool = False
    ) -> tuple[Ticket, str]:
        """The invitation with a new end and a new token, as this user's own; the old token is void.

        Raises NotFound, Forbidden as `invite` does.
        """
        token, now = secrets.token_urlsafe(32), self._clock.now_ms()
        values = {"digest": _digest(token), "expires_at": now + LASTS_MS["invitation"], "invited_by": invited_by}
        renewed = update(self._tickets).where(self._mine(organization_id, ticket_id)).values(**values)

        def work(connection: Connection) -> RowMapping:
            if by_member:
                self._require_inviter(connection, organization_id, invited_by)
            row = connection.execute(renewed.returning(*self._tickets.c)).mappings().first()
            if row is None:
                raise NotFound(f"There is no invitation {ticket_id!r}.")
            note("invitation", ticket_id, organization_id=organization_id, renewed=True)
            return row

        return _ticket(await self._database.transact(work)), token

    async def revoke(self, organization_id: str, ticket_id: str) -> None:
        """Takes an invitation back. Raises NotFound."""
        gone = delete(self._tickets).where(self._mine(organization_id, ticket_id))
        async with self._database.write() as connection:
            if not (await connection.execute(gone)).rowcount:
                raise NotFound(f"There is no invitation {ticket_id!r}.")
            note("invitation", ticket_id, organization_id=organization_id, revoked=True)

    async def find(self, token: str, purpose: Purpose) -> Ticket:
        """The ticket, which stays what it is. Raises TicketRefused."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(self._tickets).where(self._is(token, purpose)))).mappings().first()
        if row is None:
            raise TicketRefused
        return _ticket(row)

    def take(self, connection: Connection, token: str, purpose: Purpose) -> Ticket:
        """Uses the ticket up, in the transaction of what it is used for. Raises TicketRefused.

        Its user is locked first, in the order in which users are disabled and deleted, which ends their tickets.
        """
        found = connection.execute(select(self._tickets).where(self._is(token, purpose))).mappings().first()
        if found is not None and found["user_id"] is not None:
            connection.execute(select(self._users.c.id).where(self._users.c.id == found["user_id"]).with_for_update())
        taken = delete(self._tickets).where(self._is(token, purpose)).returning(*self._tickets.c)
        row = connection.execute(taken).mappings().first()
        if row is None:
            raise TicketRefused
        return _ticket(row)

    async def sweep(self) -> None:
        """Deletes what has ended; invitations some time later."""
        c, now = self._tickets.c, self._clock.now_ms()
        over = (c.expires_at <= now) & ((c.purpose != "invitation") | (c.expires_at <= now - SHOWN_MS))
        async with self._database.write() as connection:
            await connection.execute(delete(self._tickets).where(over))

    def _row(self, purpose: Purpose, token: str, **fields: Any) -> dict[str, Any]:
        now = self._clock.now_ms()
        times = {"created_at": now, "expires_at": now + LASTS_MS[purpose]}
        nothing = dict.fromkeys(("user_id", "organization_id", "role", "invited_by"))
        made = {"id": self._ids.new("tkt"), "purpose": purpose, "digest": _digest(token)}
        return {**made, **nothing, **times, **fields}

    def _require_inviter(self, connection: Connection, organization_id: str, user_id: str | None) -> None:
        """Locks the organization, which whoever removes a member or takes their role away has locked until then."""
        o, m = self._organizations.c, self._members.c
        here = select(o.id).where(o.id == organization_id)
        connection.execute(here.with_for_update(read=True, key_share=True))
        role = connection.scalar(select(m.role).where(m.organization_id == organization_id, m.user_id == user_id))
        if role is None or not may_invite(role):
            raise Forbidden("You may invite nobody here any more.")

    def _refuse_more(self, connection: Connection, organization_id: str, email: str) -> None:
        m, u, c = self._members.c, self._users.c, self._tickets.c
        member = select(m.user_id).join(self._users, u.id == m.user_id)
        if connection.execute(member.where(m.organization_id == organization_id, u.email == email)).first() is not None:
            raise Conflict(f"{email} is a member already.")
        is_open = (c.organization_id == organization_id) & (c.expires_at > self._clock.now_ms())
        if (connection.scalar(select(func.count()).where(is_open)) or 0) >= MOST_OPEN:
            raise Conflict(f"{MOST_OPEN} invitations are open: take some back first.")

    def _mine(self, organization_id: str, ticket_id: str) -> Any:
        return (self._tickets.c.organization_id == organization_id) & (self._tickets.c.id == ticket_id)

    def _is(self, token: str, purpose: Purpose) -> Any:
        c = self._tickets.c
        return (c.digest == _digest(token)) & (c.purpose == purpose) & (c.expires_at > self._clock.now_ms())


def may_invite(role: Role) -> bool:
    return PERMISSIONS["members:write"].is_held_by(role)


def end_invitations(
    connection: Connection, tables: TenancyTables, user_id: str, now: int, organization_id: str | None = None
) -> None:
    """Ends what a user has invited to the organization, or to any (None). Another may send it again."""
    c = tables.tickets.c
    theirs = (c.invited_by == user_id) & (c.purpose == "invitation") & (c.expires_at > now)
    here = theirs if organization_id is None else theirs & (c.organization_id == organization_id)
    ended = update(tables.tickets).where(here).values(expires_at=now)
    for row in connection.execute(ended.returning(c.id, c.email, c.organization_id)).all():
        note("invitation", row.id, row.email, organization_id=row.organization_id, ended=True)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _ticket(row: RowMapping | dict[str, Any]) -> Ticket:
    return Ticket(**{name: row[name] for name in row if name != "digest"})
