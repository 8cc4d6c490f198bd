"""Databases for contract tests: each test runs on SQLite (a file of its own) and on PostgreSQL (tables of its own).

PostgreSQL is the server on 127.0.0.1:5432 (user postgres, trust). A session, and so each xdist worker, makes a database
of its own there and drops it at the end; a test's tables begin with a prefix of its own and are dropped after it.
Where no server answers, its tests are skipped and say so.
"""

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
from sqlalchemy import text

from pulse.core.clock import Clock
from pulse.storage.database import Database
from tests.contract.lending import LENT, empty_tables, new_prefix

SERVER = ("127.0.0.1", 5432)


@dataclass
class SetClock:
    """Says what it was told to say."""

    ms: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


class OpenDatabase(Protocol):
    """Opens the test's database once more, as another process would; all are closed after the test."""

    def __call__(self, *, clock: Clock | None = None, pool_size: int = 10) -> Database: ...


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database for this session alone."""
    try:
        socket.create_connection(SERVER, timeout=2).close()
    except OSError as error:
        pytest.skip(f"no PostgreSQL answers on {SERVER[0]}:{SERVER[1]} ({error})")
    name = f"pulse_test_{os.getpid()}_{secrets.token_hex(4)}"
    _run(_administer(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    # Faster, and the same to whoever does not pull the plug of the server.
    _run(_administer(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    yield f"postgresql+asyncpg://postgres@{SERVER[0]}:{SERVER[1]}/{name}"
    _run(_administer(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database; everything that runs on it runs once for each dialect."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/pulse.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def prefix() -> str:
    """What the names of this test's tables begin with."""
    return new_prefix()


@pytest.fixture
async def open_database(database_url: str, prefix: str) -> AsyncIterator[OpenDatabase]:
    opened: list[Database] = []
    others = sqlite_threads()

    def open_one(*, clock: Clock | None = None, pool_size: int = 10) -> Database:
        opened.append(Database(database_url, prefix=prefix, clock=clock, pool_size=pool_size))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.close()
    await sqlite_threads_ended(others)
    if database_url.startswith("postgresql"):
        await drop_tables(database_url, prefix)


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    """An empty database that tells its own time."""
    return open_database()


def sqlite_threads() -> set[threading.Thread]:
    """The threads in which SQLite connections work now."""
    return {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}


async def sqlite_threads_ended(others: set[threading.Thread]) -> None:
    """Returns when the threads of closed SQLite connections are gone; `others` were there before and may stay.

    aiosqlite waits for them, save where opening failed or a statement was cancelled; then they would still speak to the
    event loop of a test that is over.
    """
    for thread in sqlite_threads() - others:
        await asyncio.to_thread(thread.join, 5)


async def drop_tables(url: str, prefix: str) -> None:
    """Drops the tables whose names begin with `prefix`; where they are lent, they are emptied."""
    if prefix in LENT:
        return await empty_tables(url, prefix)
    database = Database(url, prefix=prefix)
    async with database.write() as connection:
        await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        found = await connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE starts_with(tablename, :prefix)"), {"prefix": prefix}
        )
        for table in found.all():
            await connection.execute(text(f'DROP TABLE IF EXISTS "{table}" CASCADE'))
    await database.close()


async def _administer(statement: str) -> None:
    connection = await asyncpg.connect(host=SERVER[0], port=SERVER[1], user="postgres", database="postgres")
    await connection.execute(statement)
    await connection.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)
