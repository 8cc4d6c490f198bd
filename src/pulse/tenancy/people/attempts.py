"""Failed sign-ins, counted by account and by address over all processes: after so many, nobody gets another try.

A try counts as failed before it is made, and is taken back when it succeeds: so many tries at once are no more than
the same number one after another.
"""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from sqlalchemy import Connection, case, delete, select, update

from pulse.core.clock import Clock
from pulse.core.errors import PulseError
from pulse.storage.database import Database
from pulse.storage.rows import insert_into
from pulse.tenancy.audit.act import aside
from pulse.tenancy.tables import TenancyTables

WINDOW_MS = 15 * 60_000
# Wrong codes are counted over a longer time, too: patience must not find one of a million.
LONG_WINDOW_MS = 30 * 24 * 3_600_000
MOST = {"account": 10, "address": 50, "code": 10, "codes": 100, "mail": 5, "mails": 30}

LONG = "codes"
TOO_MANY_CODES = "Too many wrong codes: ask whoever operates Pulse to take your second factor away."


class TooManyAttempts(PulseError):
    """Too many failed sign-ins: wait a while, then try again."""

    code = "too_many_attempts"


class Attempts:
    """Counts failures in windows of WINDOW_MS, wrong codes besides in some of LONG_WINDOW_MS.

    A key is what `account_key` and its like below return.
    """

    def __init__(self, database: Database, tables: TenancyTables, clock: Clock) -> None:
        self._database = database
        self._table = tables.sign_in_failures
        self._clock = clock

    async def begin(self, keys: Sequence[str]) -> None:
        """Counts one more for each key. Raises TooManyAttempts, with the seconds to wait, and counts none."""
        now = self._clock.now_ms()

        def work(connection: Connection) -> None:
            for key in sorted(keys):
                failures, since = self._count(connection, key, now)
                _refuse_more(key, failures, since + _window_ms(key) - now)

        with aside():
            await self._refuse_known(keys, now)
            await self._database.transact(work)

    async def _refuse_known(self, keys: Sequence[str], now: int) -> None:
        """A flood of tries that are refused anyway writes nothing."""
        c = self._table.c
        async with self._database.read() as connection:
            rows = (await connection.execute(select(c.id, c.failures, c.since).where(c.id.in_(list(keys))))).all()
        for key, failures, since in rows:
            _refuse_more(key, failures + 1, since + _window_ms(key) - now)

    async def succeeded(self, keys: Sequence[str]) -> None:
        """Forgets the failures of an account or of its codes; of an address only the try that was none."""
        c = self._table.c

        def work(connection: Connection) -> None:
            for key in sorted(keys):
                if _kind(key) != "address":
                    connection.execute(delete(self._table).where(c.id == key))
                else:
                    mine = (c.id == key) & (c.failures > 0)
                    connection.execute(update(self._table).where(mine).values(failures=c.failures - 1))

        with aside():
            await self._database.transact(work)

    async def taken_back(self, keys: Sequence[str]) -> None:
        """Counts one less for each key: the try was none, and no success either."""
        c = self._table.c

        def work(connection: Connection) -> None:
            for key in sorted(keys):
                mine = (c.id == key) & (c.failures > 0)
                connection.execute(update(self._table).where(mine).values(failures=c.failures - 1))

        with aside():
            await self._database.transact(work)

    async def sweep(self) -> None:
        """Deletes windows that are over."""
        c, now = self._table.c, self._clock.now_ms()
        is_long = c.id.startswith(f"{LONG}:")
        over = (c.since <= now - LONG_WINDOW_MS) | (~is_long & (c.since <= now - WINDOW_MS))
        async with self._database.write() as connection:
            await connection.execute(delete(self._table).where(over))

    def _count(self, connection: Connection, key: str, now: int) -> tuple[int, int]:
        """The failures of a key, this one among them, and since when they are counted."""
        c = self._table.c
        is_over = c.since <= now - _window_ms(key)
        values = {"failures": case((is_over, 1), else_=c.failures + 1), "since": case((is_over, now), else_=c.since)}
        made = insert_into(self._database.dialect, self._table).values(id=key, failures=1, since=now)
        counted = made.on_conflict_do_update(index_elements=["id"], set_=values).returning(c.failures, c.since)
        failures, since = connection.execute(counted).one()
        return failures, since


def account_key(email: str) -> str:
    return f"account:{email.strip().lower()[:254]}"


def code_keys(user_id: str) -> list[str]:
    """Of the codes of somebody's second factor, which a right password alone does not give new guesses at."""
    return [f"code:{user_id}", f"{LONG}:{user_id}"]


def mail_key(email: str, organization_id: str = "") -> str:
    """Of mails to an address that somebody asked for, an organization's own apart: counted like failures."""
    return f"mail:{organization_id}:{email.strip().lower()[:254]}"


def mails_key(organization_id: str) -> str:
    """Of all mails that an organization has sent: it could change what they say, and whom they go to."""
    return f"mails:{organization_id}"


def address_key(address: str) -> str:
    """Of an IPv6 address its network of 64 bits: within that, whoever sends chooses as they like."""
    try:
        ip = ip_address(address)
    except ValueError:
        return f"address:{address}"
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64)
    return f"address:{ip}"


def _kind(key: str) -> str:
    return key.partition(":")[0]


def _window_ms(key: str) -> int:
    return LONG_WINDOW_MS if _kind(key) == LONG else WINDOW_MS


def _refuse_more(key: str, failures: int, wait_ms: int) -> None:
    if failures <= MOST[_kind(key)] or wait_ms <= 0:
        return
    raise TooManyAttempts(TOO_MANY_CODES if _kind(key) == LONG else None, retry_after=-(-wait_ms // 1000))
