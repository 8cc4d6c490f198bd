"""One database, two dialects: SQLite in a folder (see sqlite.py), PostgreSQL on a server.

A transaction is a plain function of a connection, run by `transact`. On SQLite all of it runs in the writer's own
thread, one crossing for the whole rather than one a statement: that halves what a message costs.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import BigInteger, Connection, Select, bindparam, cast, event, func, literal_column
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionInTime
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import ColumnElement

from pulse.core.clock import Clock
from pulse.core.errors import Misconfigured, PulseError, StorageDown, StorageFull, StorageReadOnly
from pulse.storage.narrowing import is_narrowed, narrow
from pulse.storage.sqlite import WriterThread, sqlite_engine

Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")
# How long an SQLite writer waits for the one before it.
TURN_TIMEOUT_S = 60.0
STANDSTILL_MS = 15_000
# Called in a transaction, before its commit.
BeforeCommit = Callable[[Connection], None]


def _nobody() -> None:
    """The company of a transaction that has none."""


class Database:
    """Connections to one database. `prefix` begins the name of every table; `clock` replaces database time in tests.

    Of an AsyncEngine of the application's own the connections are used where it is PostgreSQL's, and left open by
    `close`; for SQLite, whose connections must be set up in one way, its file is opened anew.
    """

    def __init__(
        self,
        url: str | AsyncEngine,
        *,
        prefix: str = "pulse_",
        pool_size: int = 10,
        clock: Clock | None = None,
    ) -> None:
        self.url = _checked(url if isinstance(url, str) else url.url)
        self.prefix = prefix
        self.dialect: Dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        self._clock = clock
        given = None if isinstance(url, str) or self.dialect == "sqlite" else url
        self._owned = given is None
        self._writer, self._reader = self._engines(pool_size) if given is None else _two_of(given)
        self._turn = asyncio.Lock()
        self._thread = WriterThread(self.url) if self.dialect == "sqlite" else None
        # What goes with a transaction that begins now, for the context that it begins in: a block around it, which
        # gives what is to be called before the commit and hears whether that came about. None: nothing.
        self.company: Callable[[], AbstractContextManager[BeforeCommit] | None] = _nobody
        # Whether transactions can be narrowed to one organization (see narrowing.py): `migrate` finds out.
        self.narrows = False

    def _engines(self, pool_size: int) -> tuple[AsyncEngine, AsyncEngine]:
        if self.dialect == "postgresql":
            return _two_of(_postgresql_engine(self.url, pool_size))
        return sqlite_engine(self.url, writes=True), sqlite_engine(self.url, writes=False)

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, after one transaction that is committed when it ends, rolled back when it raises.

        `work` must not touch what belongs to the event loop: on SQLite it runs in another thread. Where the caller is
        cancelled meanwhile, the transaction goes on to its end.
        """
        company = self.company()
        with translated_errors():
            if company is None:
                return await self._transact(work)
            with company as before_commit:
                return await self._transact(_with(work, before_commit))

    async def _transact(self, work: Callable[[Connection], T]) -> T:
        if self._thread is not None:
            await self._take_turn()
            return await self._thread.run(work, self._turn.release)
        async with self._writer.begin() as connection:
            return await connection.run_sync(_narrowed(work) if self._is_narrowed() else work)

    def _is_narrowed(self) -> bool:
        return self.narrows and is_narrowed()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Like `transact`, as a block of statements that are awaited one by one: for what is done seldom."""
        company: AbstractContextManager[BeforeCommit | None] = self.company() or nullcontext()
        with translated_errors(), company as before_commit:
            async with self._alone(), self._writer.begin() as connection:
                if self._is_narrowed():
                    await connection.run_sync(narrow)
                yield connection
                if before_commit is not None:
                    await connection.run_sync(before_commit)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One snapshot to read from; on SQLite writes are refused."""
        with translated_errors():
            async with self._reader.begin() as connection:
                if self._is_narrowed():
                    await connection.run_sync(narrow)
                yield connection

    @asynccontextmanager
    async def raw_writer(self) -> AsyncIterator[AsyncConnection]:
        """The writing connection outside any transaction, for VACUUM, backups and the like."""
        with translated_errors():
            async with self._alone(), self._writer.connect() as connection:
                await connection.execution_options(**_OUTSIDE_TRANSACTIONS[self.dialect])
                yield connection

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keeps SQLite's writers apart."""
        if self._thread is None:
            yield
            return
        await self._take_turn()
        try:
            yield
        finally:
            self._turn.release()

    async def _take_turn(self) -> None:
        async with asyncio.timeout(TURN_TIMEOUT_S):
            await self._turn.acquire()

    def now(self) -> ColumnElement[int]:
        """The database's time in milliseconds since 1970, as an expression."""
        if self._clock is not None:
            return bindparam("now", type_=BigInteger, unique=True, callable_=self._clock.now_ms)
        if self.dialect == "sqlite":
            return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", BigInteger)
        return cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)

    def locked(self, query: Select[Any]) -> Select[Any]:
        """The query with its rows locked and locked ones passed over, where there are other writers to mind."""
        return query if self.dialect == "sqlite" else query.with_for_update(skip_locked=True)

    def opened_anew(self) -> "Database":
        """The same database with connections of its own, for another event loop."""
        address = self.url.render_as_string(hide_password=False)
        return Database(address, prefix=self.prefix, pool_size=1, clock=self._clock)

    async def close(self) -> None:
        # Readers first: the last connection to close checkpoints, and only the writer may do that.
        if not self._owned:
            return
        await self._reader.dispose()
        if self._thread is not None:
            async with self._turn:
                await self._thread.close()
        await self._writer.dispose()


def _narrowed(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    def both(connection: Connection) -> T:
        narrow(connection)
        return work(connection)

    return both


def _with(work: Callable[[Connection], T], before_commit: BeforeCommit) -> Callable[[Connection], T]:
    """The work and what goes with it, in the context of now, whichever thread they run in."""
    context = copy_context()

    def both(connection: Connection) -> T:
        answer = context.run(work, connection)
        before_commit(connection)
        return answer

    return both


def _two_of(engine: AsyncEngine) -> tuple[AsyncEngine, AsyncEngine]:
    """The engine to write with, and the one to read with."""
    # A later statement of a reader sees what the first one saw, as it does on SQLite.
    return engine, engine.execution_options(isolation_level="REPEATABLE READ")


def _checked(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 - SQLAlchemy raises many kinds for a bad address
        raise Misconfigured("PULSE_DATABASE_URL is not a database address. Try sqlite+aiosqlite:///pulse.db.") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise Misconfigured(f"{parsed.get_backend_name()} is no database that Pulse can use: sqlite or postgresql.")
    if parsed.get_backend_name() == "sqlite" and _in_memory(parsed):
        raise Misconfigured("A database in memory keeps nothing: name a file, as in sqlite+aiosqlite:///pulse.db.")
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[parsed.get_backend_name()]
    return parsed.set(drivername=driver)


def _in_memory(url: URL) -> bool:
    return not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"


def _postgresql_engine(url: URL, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # A process that stands still in the middle of a transaction would keep its rows locked for as long.
        limit = f"SET idle_in_transaction_session_timeout = {STANDSTILL_MS}"
        connection.run_async(lambda driver: driver.execute(limit))

    return engine


# SQLAlchemy's AUTOCOMMIT would afterwards leave an SQLite connection to the driver's own ideas of when to begin.
_OUTSIDE_TRANSACTIONS: dict[Dialect, dict[str, Any]] = {
    "sqlite": {"outside_transactions": True},
    "postgresql": {"isolation_level": "AUTOCOMMIT"},
}


class translated_errors:  # noqa: N801 - used as a with-statement, reads as one
    """Turns what the drivers say of a full disk, a read-only folder or a lost server into Pulse's own errors."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, PulseError):
            return
        translated = translate(error)
        if translated is not None:
            raise translated from error


def translate(error: BaseException) -> PulseError | None:
    """The Pulse error for a driver's error, or None where it says something else (a broken constraint, say)."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    text = str(cause).lower()
    if isinstance(cause, sqlite3.Error):
        return next((kind() for words, kind in _SQLITE_WORDS if words in text), None)
    if isinstance(error, DBAPIError):
        state = getattr(cause, "sqlstate", None) or ""
        kind = next((kind for start, kind in _SQLSTATES if state.startswith(start)), None)
        if kind or error.connection_invalidated:
            return (kind or StorageDown)()
    if isinstance(cause, OSError | TimeoutError | NoConnectionInTime) and not isinstance(cause, FileNotFoundError):
        return StorageDown()
    return None


_UNPREPARED = "The database has no tables of this name yet: run `pulse migrate`, or await `engine.migrate()`."
_DAMAGED = "The database file is damaged, or is no database at all. Restore it from a backup."
_SQLITE_WORDS: tuple[tuple[str, Callable[[], PulseError]], ...] = (
    ("disk is full", StorageFull),
    ("disk i/o error", StorageDown),
    ("readonly database", StorageReadOnly),
    ("read-only", StorageReadOnly),
    ("unable to open database", StorageReadOnly),
    ("database is locked", StorageDown),
    ("not a database", partial(StorageDown, _DAMAGED)),
    ("disk image is malformed", partial(StorageDown, _DAMAGED)),
    ("no such table", partial(Misconfigured, _UNPREPARED)),
)
# The first that an SQLSTATE begins with. All that are StorageDown pass by themselves.
_SQLSTATES: tuple[tuple[str, Callable[[], PulseError]], ...] = (
    ("53100", StorageFull),
    ("25006", StorageReadOnly),
    ("53", StorageDown),  # too many connections, out of memory
    ("57P0", StorageDown),  # the server is starting or stopping
    ("08", StorageDown),  # the connection broke
    ("40P01", StorageDown),  # a deadlock
    ("40001", StorageDown),  # a conflict between transactions
    ("42P01", partial(Misconfigured, _UNPREPARED)),  # no such table
)


def sqlite_file(database: Database) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    name = database.url.database
    return Path(name) if database.dialect == "sqlite" and name else None
