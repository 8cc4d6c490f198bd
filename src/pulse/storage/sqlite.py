"""SQLite in a folder: how its connections are set up, and the thread in which its transactions run.

One writes at a time, and readers never checkpoint: SQLite before 3.51.3 can corrupt a WAL that two connections write
and checkpoint at the same time. Writers begin with BEGIN IMMEDIATE, because a transaction that only turns into a writer
later fails at once where it should wait. `synchronous=FULL`: what is acknowledged survives a power cut.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")
READERS = 4
BUSY_TIMEOUT_S = 5.0
LOOK_AGAIN_S = 0.01
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


def sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    """Either the one connection that writes, or several that cannot."""
    engine = create_async_engine(
        url,
        pool_size=1 if writes else READERS,
        max_overflow=0,
        pool_timeout=60,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    if writes:
        _prepare(engine.sync_engine, "BEGIN IMMEDIATE", _WRITER_PRAGMAS)
    else:
        _prepare(engine.sync_engine, "BEGIN", _READER_PRAGMAS)
    return engine


def _prepare(engine: Engine, begin: str, pragmas: tuple[str, ...]) -> None:
    """Sets every new connection up, and says how its transactions begin."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself; the "begin" event below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            _patiently(cursor, pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        if not connection.get_execution_options().get("outside_transactions"):
            connection.exec_driver_sql(begin)


def _patiently(cursor: Any, pragma: str) -> None:
    """Several that open a new file at once would each give it its write-ahead log; SQLite refuses all but one at once,
    without waiting as it does elsewhere."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute(pragma)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(LOOK_AGAIN_S)


class WriterThread:
    """SQLite's writing connection for whole transactions, and the thread that it lives in."""

    def __init__(self, url: URL) -> None:
        arguments = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
        self._engine = create_engine(url.set(drivername="sqlite+pysqlite"), pool_size=1, connect_args=arguments)
        _prepare(self._engine, "BEGIN IMMEDIATE", _WRITER_PRAGMAS)
        # Kept from one transaction to the next, until one fails.
        self._connection: Connection | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def run(self, work: Callable[[Connection], T], ended: Callable[[], None]) -> T:
        """Runs one transaction; `ended` is called when it is over, also where the caller is no longer there."""

        def over(done: "asyncio.Future[T]") -> None:
            ended()
            done.exception()

        done = asyncio.get_running_loop().run_in_executor(self._pool, self._transaction, work)
        done.add_done_callback(over)
        return await asyncio.shield(done)

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                return work(self._connection)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        """Closes the connection; the thread ends with this object."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)

    def _close(self) -> None:
        self._disconnect()
        self._engine.dispose()
