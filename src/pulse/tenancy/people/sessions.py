"""Sessions: an opaque token in a cookie, of which only the digest is kept.

One ends when nobody has used it for `IDLE_MS`, and in any case `ABSOLUTE_MS` after its sign-in.
"""

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, delete, insert, select, update

from pulse.core.clock import Clock
from pulse.core.errors import Unauthenticated
from pulse.storage.database import Database
from pulse.tenancy.audit.act import aside, note
from pulse.tenancy.people.records import Session, User
from pulse.tenancy.tables import TenancyTables

HOUR_MS = 3_600_000
IDLE_MS = 12 * HOUR_MS
ABSOLUTE_MS = 30 * 24 * HOUR_MS
# How seldom its last use is written down.
SEEN_MS = 60_000
# So young a session needs no password: somebody has just signed in.
YOUNG_MS = 10 * 60_000
# A picture is large, and who asks is read for each request.
OF_USER = tuple(name for name in User.__dataclass_fields__ if name != "avatar")


class SessionStore:
    """Reads and writes sessions."""

    def __init__(self, database: Database, tables: TenancyTables, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._sessions = tables.sessions
        self._clock = clock

    async def begin(self, user_id: str) -> str:
        """A new session's token, which is nowhere else. Raises Unauthenticated where the user is gone or disabled."""

        def work(connection: Connection) -> str:
            if not lock_enabled(connection, self._tables, user_id):
                raise Unauthenticated("This account is not there any more.")
            return add_session(connection, self._tables, user_id, self._clock.now_ms())

        return await self._database.transact(work)

    async def rotate(self, token: str) -> str:
        """Another token for the same session, which ends when it would have. Raises Unauthenticated without one."""
        fresh, c = secrets.token_urlsafe(32), self._sessions.c
        async with self._database.write() as connection:
            rotated = update(self._sessions).where(c.id == _digest(token)).values(id=_digest(fresh))
            if not (await connection.execute(rotated)).rowcount:
                raise Unauthenticated("This session has ended: sign in again.")
        return fresh

    async def user(self, token: str) -> User | None:
        """Whom the live session of that token speaks for, without avatar; its use is remembered."""
        s, u = self._sessions.c, self._tables.users.c
        columns = (*self._sessions.c, *(u[name] for name in OF_USER))
        query = select(*columns).join(self._tables.users, u.id == s.user_id).where(s.id == _digest(token))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        of_session = len(s)
        user = User(**dict(zip(OF_USER, row[of_session:], strict=True)))
        is_over = user.disabled_at is not None or not await self._is_used(Session(*row[:of_session]))
        return None if is_over else user

    async def is_young(self, token: str) -> bool:
        """Whether that token's sign-in is less than YOUNG_MS ago."""
        c, since = self._sessions.c, self._clock.now_ms() - YOUNG_MS
        query = select(c.id).where(c.id == _digest(token), c.created_at > since)
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None

    async def end(self, token: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(self._sessions).where(self._sessions.c.id == _digest(token)))

    async def sweep(self) -> int:
        """Deletes what has ended; how many there were."""
        c, now = self._sessions.c, self._clock.now_ms()
        over = (c.expires_at <= now) | (c.seen_at <= now - IDLE_MS)
        async with self._database.write() as connection:
            return (await connection.execute(delete(self._sessions).where(over))).rowcount

    async def _is_used(self, session: Session) -> bool:
        """Whether it has not ended; its use is remembered."""
        c, now = self._sessions.c, self._clock.now_ms()
        if session.expires_at <= now or session.seen_at + IDLE_MS <= now:
            return False
        if session.seen_at + SEEN_MS <= now:
            with aside():
                async with self._database.write() as connection:
                    await connection.execute(update(self._sessions).where(c.id == session.id).values(seen_at=now))
        return True


# ---- within a transaction ------------------------------------------------------------------------------------


def lock_enabled(connection: Connection, tables: TenancyTables, user_id: str) -> bool:
    """Locks the user, as who disables or deletes somebody does; whether that is somebody who may come in."""
    c = tables.users.c
    here = select(c.id).where(c.id == user_id, c.disabled_at.is_(None))
    return connection.execute(here.with_for_update()).first() is not None


def add_session(connection: Connection, tables: TenancyTables, user_id: str, now: int) -> str:
    """Begins a session of a user who is locked; its token."""
    session, token = new_session(user_id, now)
    connection.execute(insert(tables.sessions), [vars(session)])
    note("session", "", user=user_id)
    return token


def end_sessions(connection: Connection, tables: TenancyTables, user_id: str, *, but: str = "") -> None:
    """Signs the user out everywhere; `but`: not where this token is."""
    c = tables.sessions.c
    connection.execute(delete(tables.sessions).where(c.user_id == user_id, c.id != _digest(but)))


def new_session(user_id: str, now: int) -> tuple[Session, str]:
    """A session that begins now, and its token."""
    token = secrets.token_urlsafe(32)
    return Session(_digest(token), user_id, now, now, now + ABSOLUTE_MS), token


def csrf_token(token: str) -> str:
    """What a page must show besides the cookie, which the browser sends by itself."""
    return hmac.digest(token.encode(), b"csrf", "sha256").hex()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
