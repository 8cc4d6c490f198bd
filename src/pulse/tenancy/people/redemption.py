"""What a ticket is good for. Each use is one transaction with the ticket's end: of two at once, one wins.

Disabling or deleting somebody ends their tickets and sessions; both lock the user first, as is done here.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note
from pulse.tenancy.people.records import Ticket, User
from pulse.tenancy.people.sessions import add_session, end_sessions
from pulse.tenancy.people.tickets import TicketRefused, TicketStore
from pulse.tenancy.tables import TenancyTables


@dataclass(frozen=True)
class Newcomer:
    """Somebody who has no account yet; `password` as it is kept."""

    first_name: str
    last_name: str
    password: str


class Redemption:
    """Uses tickets up."""

    def __init__(self, database: Database, tables: TenancyTables, tickets: TicketStore, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._tickets = tickets
        self._ids = ids
        self._clock = clock

    async def sign_in(self, token: str) -> str:
        """The token of a new session of the ticket's user. Raises TicketRefused."""

        def work(connection: Connection) -> str:
            ticket = self._tickets.take(connection, token, "sign_in")
            self._require_enabled(connection, self._tables.users.c.id == ticket.user_id)
            return add_session(connection, self._tables, ticket.user_id or "", self._clock.now_ms())

        return await self._database.transact(work)

    async def set_password(self, token: str, kept: str) -> None:
        """Sets the password of the ticket's user, as it is kept; signs them out everywhere. Raises TicketRefused."""
        users = self._tables.users

        def work(connection: Connection) -> None:
            ticket = self._tickets.take(connection, token, "reset")
            self._require_enabled(connection, users.c.id == ticket.user_id)
            values = {"password": kept, "updated_at": self._clock.now_ms()}
            connection.execute(update(users).where(users.c.id == ticket.user_id).values(**values))
            end_sessions(connection, self._tables, ticket.user_id or "")
            tickets = self._tables.tickets
            connection.execute(delete(tickets).where(tickets.c.user_id == ticket.user_id))
            note("user", ticket.user_id or "", ticket.email, fields="password")

        await self._database.transact(work)

    async def join(self, token: str, newcomer: Newcomer | None) -> str:
        """Makes who was invited a member, and a user where that is a `newcomer`; the user's id.

        Raises TicketRefused; InvalidFields where a newcomer has an account or somebody without one is none; Conflict.
        """

        def work(connection: Connection) -> str:
            ticket = self._tickets.take(connection, token, "invitation")
            user_id = self._user_of(connection, ticket, newcomer)
            row = {"organization_id": ticket.organization_id, "user_id": user_id, "role": ticket.role}
            connection.execute(insert(self._tables.members), [{**row, "created_at": self._clock.now_ms()}])
            end_sessions(connection, self._tables, user_id)
            note("member", user_id, ticket.email, organization_id=ticket.organization_id or "", role=ticket.role)
            return user_id

        try:
            return await self._database.transact(work)
        except IntegrityError:
            raise Conflict("This address is a member by now, or has an account: open the link again.") from None

    def _user_of(self, connection: Connection, ticket: Ticket, newcomer: Newcomer | None) -> str:
        users = self._tables.users
        found = connection.execute(select(users.c.id).where(users.c.email == ticket.email)).scalar()
        if found is None:
            if newcomer is None:
                raise InvalidFields([Fault("password", "missing", "Choose a password for your new account.")])
            user = User(self._ids.new("usr"), ticket.email, **vars(newcomer))
            now = self._clock.now_ms()
            connection.execute(insert(users), [{**vars(user), "created_at": now, "updated_at": now}])
            note("user", user.id, user.email, created=True)
            return user.id
        self._require_enabled(connection, users.c.id == found)
        if newcomer is not None:
            raise account_is_there()
        return str(found)

    def _require_enabled(self, connection: Connection, which: Any) -> None:
        users = self._tables.users
        here = select(users.c.id).where(which, users.c.disabled_at.is_(None))
        if connection.execute(here.with_for_update()).first() is None:
            raise TicketRefused


def account_is_there() -> InvalidFields:
    """What somebody is told who has an account and gives a password for a new one."""
    words = "You have an account already: leave name and password out, they stay as they are."
    return InvalidFields([Fault("password", "not_allowed", words)])
