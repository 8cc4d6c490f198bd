"""Who somebody is at the identity provider, and the sign-ins that were begun there."""

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.storage.database import Database
from pulse.tenancy.audit.act import aside, note
from pulse.tenancy.people.oidc.refusals import AccountTaken, SignInVoid
from pulse.tenancy.tables import TenancyTables

LASTS_MS = 10 * 60_000


class OidcStore:
    """Reads and writes identities and sign-ins that were begun."""

    def __init__(self, database: Database, tables: TenancyTables, clock: Clock) -> None:
        self._database = database
        self._identities = tables.identities
        self._requests = tables.sign_in_requests
        self._clock = clock

    async def begin(self, request_id: bytes) -> None:
        """Remembers a sign-in for ten minutes; those that are over go with it."""
        now, c = self._clock.now_ms(), self._requests.c
        async with self._database.write() as connection:
            await connection.execute(delete(self._requests).where(c.expires_at <= now))
            await connection.execute(insert(self._requests), [{"id": request_id, "expires_at": now + LASTS_MS}])

    async def end(self, request_id: bytes) -> None:
        """Raises SignInVoid unless it was begun and has not ended: of two who end it at once, one does."""
        c = self._requests.c
        mine = (c.id == request_id) & (c.expires_at > self._clock.now_ms())
        with aside():
            async with self._database.write() as connection:
                ended = (await connection.execute(delete(self._requests).where(mine))).rowcount
        if ended != 1:
            raise SignInVoid

    async def user_of(self, issuer: str, subject: str) -> str | None:
        """The id of the user with that identity."""
        c = self._identities.c
        query = select(c.user_id).where(c.issuer == issuer, c.subject == subject)
        async with self._database.read() as connection:
            found: str | None = await connection.scalar(query)
        return found

    async def join(self, issuer: str, subject: str, user_id: str) -> None:
        """Gives a user an identity. Raises AccountTaken where the user has one, or somebody else has this one."""
        row = {"issuer": issuer, "subject": subject, "user_id": user_id, "created_at": self._clock.now_ms()}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(self._identities), [row])
                note("identity", user_id, issuer, joined=True)
        except IntegrityError:
            words = "The account of your mail address belongs to another identity: ask whoever administers Pulse."
            raise AccountTaken(words) from None
