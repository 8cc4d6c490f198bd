"""One database, two dialects: SQLite in a folder, PostgreSQL on a server.

SQLite has one writer connection, and only that one checkpoints: SQLite before 3.51.3 can corrupt a WAL that two
connections write and checkpoint at the same time. Writers begin with BEGIN IMMEDIATE, because a transaction that only
turns into a writer later fails at once where it should wait. `synchronous=FULL`: what is acknowledged survives a
power cut.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import BigInteger, Select, cast, event, func, literal, literal_column
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionInTime
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import ColumnElement

from pulse.core.clock import Clock
from pulse.core.errors import (
    Misconfigured,
    PulseError,
    StorageDown,
    StorageFull,
    StorageReadOnly,
)

Dialect = Literal["sqlite", "postgresql"]
READERS = 4
BUSY_TIMEOUT_S = 5.0
STANDSTILL_MS = 15_000


class Database:
    """Connections to one database. `prefix` begins the name of every table; `clock` replaces database time in tests."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "pulse_",
        pool_size: int = 10,
        clock: Clock | None = None,
    ) -> None:
        self.url = _checked(url)
        self.prefix = prefix
        self.dialect: Dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        self._clock = clock
        self._writer, self._reader = self._engines(pool_size)

    def _engines(self, pool_size: int) -> tuple[AsyncEngine, AsyncEngine]:
        if self.dialect == "postgresql":
            engine = _postgresql_engine(self.url, pool_size)
            # A later statement of a reader sees what the first one saw, as it does on SQLite.
            return engine, engine.execution_options(isolation_level="REPEATABLE READ")
        return _sqlite_engine(self.url, readers=0), _sqlite_engine(self.url, readers=READERS)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that may write: committed when the block ends, rolled back when it raises."""
        with translated_errors():
            async with self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One snapshot to read from; on SQLite writes are refused."""
        with translated_errors():
            async with self._reader.begin() as connection:
                yield connection

    @asynccontextmanager
    async def raw_writer(self) -> AsyncIterator[AsyncConnection]:
        """The writing connection outside any transaction, for VACUUM, backups and the like."""
        with translated_errors():
            async with self._writer.connect() as connection:
                await connection.execution_options(**_OUTSIDE_TRANSACTIONS[self.dialect])
                yield connection

    def now(self) -> ColumnElement[int]:
        """The database's time in milliseconds since 1970, as an expression."""
        if self._clock is not None:
            return literal(self._clock.now_ms(), BigInteger)
        if self.dialect == "sqlite":
            return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", BigInteger)
        return cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)

    def locked(self, query: Select[Any]) -> Select[Any]:
        """The query with its rows locked and locked ones passed over, where there are other writers to mind."""
        return query if self.dialect == "sqlite" else query.with_for_update(skip_locked=True)

    async def close(self) -> None:
        # Readers first: the last connection to close checkpoints, and only the writer may do that.
        await self._reader.dispose()
        await self._writer.dispose()


def _checked(url: str) -> URL:
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


def _sqlite_engine(url: URL, *, readers: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=readers or 1,
        max_overflow=0,
        pool_timeout=60,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself; the "begin" event below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _READER_PRAGMAS if readers else _WRITER_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Any) -> None:
        if not connection.get_execution_options().get("outside_transactions"):
            connection.exec_driver_sql("BEGIN" if readers else "BEGIN IMMEDIATE")

    return engine


# SQLAlchemy's AUTOCOMMIT would afterwards leave an SQLite connection to the driver's own ideas of when to begin.
_OUTSIDE_TRANSACTIONS: dict[Dialect, dict[str, Any]] = {
    "sqlite": {"outside_transactions": True},
    "postgresql": {"isolation_level": "AUTOCOMMIT"},
}
_WRITER_PRAGMAS = (
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_size_limit=67108864",
)
_READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_size=-8000",
)


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
)
# The first that an SQLSTATE begins with. All that are StorageDown pass by themselves.
_SQLSTATES: tuple[tuple[str, type[PulseError]], ...] = (
    ("53100", StorageFull),
    ("25006", StorageReadOnly),
    ("53", StorageDown),  # too many connections, out of memory
    ("57P0", StorageDown),  # the server is starting or stopping
    ("08", StorageDown),  # the connection broke
    ("40P01", StorageDown),  # a deadlock
    ("40001", StorageDown),  # a conflict between transactions
)


def sqlite_file(database: Database) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    name = database.url.database
    return Path(name) if database.dialect == "sqlite" and name else None
