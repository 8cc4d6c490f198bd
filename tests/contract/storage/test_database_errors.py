"""A disk that is full, a folder that cannot be written to, a server that went away: each has its own error."""

import asyncio
import contextlib
import os
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import Misconfigured, PulseError, StorageDown, StorageFull, StorageReadOnly
from pulse.storage.database import Database
from tests.contract.conftest import sqlite_threads, sqlite_threads_ended

NOBODY = 65_534


@pytest.fixture(autouse=True)
async def threads_ended() -> AsyncIterator[None]:
    others = sqlite_threads()
    yield
    await sqlite_threads_ended(others)


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/pulse.db")
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE t (v)"))
    yield database
    await database.close()


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(postgres_url, pool_size=2)
    yield database
    await database.close()


async def write(database: Database, statement: str) -> None:
    async with database.write() as connection:
        await connection.execute(text(statement))


async def rows(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM t")) or 0)


async def test_a_full_disk(sqlite: Database) -> None:
    async with sqlite.raw_writer() as connection:
        pages = int(await connection.scalar(text("PRAGMA page_count")) or 0)
        await connection.scalar(text(f"PRAGMA max_page_count={pages + 10}"))
    with pytest.raises(StorageFull):
        async with sqlite.write() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            await connection.execute(text("INSERT INTO t VALUES (randomblob(1000000))"))
    assert await rows(sqlite) == 0
    async with sqlite.raw_writer() as connection:
        await connection.scalar(text("PRAGMA max_page_count=1000000"))
    await write(sqlite, "INSERT INTO t VALUES (randomblob(1000000))")
    assert await rows(sqlite) == 1


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of root's that anybody may read, and a process that is not root: root itself may write anywhere."""
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        os.seteuid(me)
        Path(name).chmod(0o755)


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


def give_up_rights(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:
        os.seteuid(NOBODY)


async def test_a_folder_that_cannot_be_written_to(as_nobody: Path) -> None:
    give_up_rights(as_nobody)
    database = Database(f"sqlite:///{as_nobody}/pulse.db")
    with pytest.raises(StorageReadOnly):
        await write(database, "CREATE TABLE t (v)")
    await database.close()
    assert is_empty(as_nobody)


async def test_a_database_that_cannot_be_written_to(as_nobody: Path) -> None:
    database = Database(f"sqlite:///{as_nobody}/pulse.db")
    await write(database, "CREATE TABLE t (v)")
    await database.close()
    give_up_rights(as_nobody)
    database = Database(f"sqlite:///{as_nobody}/pulse.db")
    with pytest.raises(StorageReadOnly):
        await write(database, "INSERT INTO t VALUES (1)")
    await database.close()


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/pulse.db")
    with pytest.raises(StorageReadOnly):
        await write(database, "CREATE TABLE t (v)")
    await database.close()


async def test_a_file_that_another_process_keeps_locked(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse.storage.sqlite.BUSY_TIMEOUT_S", 0.01)
    other = Database(str(sqlite.url))
    async with sqlite.write():
        with pytest.raises(StorageDown):
            await write(other, "INSERT INTO t VALUES (1)")
    await write(other, "INSERT INTO t VALUES (1)")
    assert await rows(sqlite) == 1
    await other.close()


async def test_a_writer_that_waits_too_long_for_its_turn(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse.storage.database.TURN_TIMEOUT_S", 0.01)
    async with sqlite.write():
        with pytest.raises(StorageDown):
            await write(sqlite, "INSERT INTO t VALUES (1)")
    await write(sqlite, "INSERT INTO t VALUES (1)")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_server_that_does_not_answer(closed_port: int) -> None:
    database = Database(f"postgresql://postgres@127.0.0.1:{closed_port}/pulse")
    for transaction in (database.write, database.read, database.raw_writer):
        with pytest.raises(StorageDown):
            async with transaction():
                pytest.fail("there is no server")
    await database.close()


async def test_a_server_that_goes_away_in_the_middle(postgres: Database) -> None:
    async def goes_away(connection: AsyncConnection) -> None:
        mine = await connection.scalar(text("SELECT pg_backend_pid()"))
        async with postgres.write() as other:
            await other.execute(text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})
        await connection.execute(text("SELECT 1"))

    with pytest.raises(StorageDown):
        async with postgres.write() as connection:
            await goes_away(connection)
    async with postgres.write() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_a_connection_that_died_while_nobody_used_it(postgres: Database) -> None:
    async with postgres.write() as connection, postgres.write() as other:
        mine = await connection.scalar(text("SELECT pg_backend_pid()"))
        await other.commit()
    async with postgres.write() as other:
        await other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :mine AND pid <> pg_backend_pid()"
            ),
            {"mine": mine},
        )
    async with postgres.write() as connection, postgres.write() as other:
        assert await connection.scalar(text("SELECT 1")) == await other.scalar(text("SELECT 1")) == 1


SQLSTATES = [
    ("53100", StorageFull),  # disk full
    ("53200", StorageDown),  # out of memory
    ("53300", StorageDown),  # too many connections
    ("40P01", StorageDown),  # deadlock
    ("40001", StorageDown),  # serialization failure
    ("57P01", StorageDown),  # the server is being stopped
    ("57P03", StorageDown),  # the server is starting
    ("08006", StorageDown),  # connection failure
    ("25006", StorageReadOnly),  # a standby, or a server set to read only
    ("42P01", Misconfigured),  # no such table: nobody has migrated
]


@pytest.mark.parametrize(("state", "kind"), SQLSTATES)
async def test_what_the_server_says(postgres: Database, state: str, kind: type[PulseError]) -> None:
    with pytest.raises(PulseError) as caught:
        await write(postgres, f"DO $$ BEGIN RAISE EXCEPTION 'disk is full' USING ERRCODE = '{state}'; END $$")
    assert type(caught.value) is kind


@pytest.mark.parametrize("state", ["23505", "22P02", "P0001"])
async def test_what_is_the_statements_own_fault_is_not_translated(postgres: Database, state: str) -> None:
    with pytest.raises(DBAPIError):
        await write(postgres, f"DO $$ BEGIN RAISE EXCEPTION 'disk is full' USING ERRCODE = '{state}'; END $$")


async def test_a_standby_can_be_read_and_not_written_to(postgres: Database) -> None:
    with pytest.raises(StorageReadOnly):
        async with postgres.write() as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(text("CREATE TABLE t (v INT)"))


@pytest.mark.parametrize("state", ["57P03", "53300"])
async def test_a_server_that_cannot_take_the_connection(state: str) -> None:
    async with refusing_server(state) as port:
        database = Database(f"postgresql://postgres@127.0.0.1:{port}/pulse")
        with pytest.raises(StorageDown):
            await write(database, "SELECT 1")
        await database.close()


@contextlib.asynccontextmanager
async def refusing_server(state: str) -> AsyncIterator[int]:
    """Speaks as much of PostgreSQL's protocol as it takes to turn a client away."""
    fields = b"SFATAL\0VFATAL\0C" + state.encode() + b"\0Mnot now\0\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!I", await reader.readexactly(4))
        if (await reader.readexactly(size - 4))[:4] == struct.pack("!I", 80_877_103):  # may I use TLS?
            writer.write(b"N")
            (size,) = struct.unpack("!I", await reader.readexactly(4))
            await reader.readexactly(size - 4)
        writer.write(b"E" + struct.pack("!I", 4 + len(fields)) + fields)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
