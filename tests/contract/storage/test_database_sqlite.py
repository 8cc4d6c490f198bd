"""SQLite as Pulse wants it: one durable writer that alone checkpoints, readers that cannot write and never wait."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import StorageReadOnly
from pulse.storage.database import Database
from pulse.storage.sqlite import READERS

GENERATE = "WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s WHERE x < {0})"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pulse.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{file}")
    async with opened.write() as connection:
        await connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY, v)"))
        await connection.execute(text("INSERT INTO t VALUES (1, 0)"))
    yield opened
    await opened.close()


@pytest.fixture
async def other(file: Path, database: Database) -> AsyncIterator[Database]:
    """The same file as another process has it open."""
    opened = Database(f"sqlite:///{file}")
    yield opened
    await opened.close()


async def pragma(connection: AsyncConnection, name: str) -> object:
    return await connection.scalar(text(f"PRAGMA {name}"))


async def fill(database: Database, pages: int) -> None:
    async with database.write() as connection:
        await connection.execute(
            text(f"INSERT INTO t {GENERATE.format(pages)} SELECT NULL, randomblob(4000) FROM s")  # noqa: S608 - a number
        )


def size(file: Path) -> int:
    return file.stat().st_size


def log_of(file: Path) -> Path:
    """Where transactions are until a checkpoint copies them into the file itself."""
    return file.with_name(file.name + "-wal")


def has_log(file: Path) -> bool:
    return log_of(file).exists()


def both_files(file: Path) -> tuple[bytes, bytes]:
    return file.read_bytes(), log_of(file).read_bytes()


@pytest.mark.parametrize(
    ("name", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("auto_vacuum", 2)]
)
async def test_the_writer_is_durable(database: Database, name: str, value: object) -> None:
    async with database.write() as connection:
        assert await pragma(connection, name) == value
    async with database.raw_writer() as connection:
        assert await pragma(connection, name) == value


async def test_the_writer_is_durable_on_a_file_that_is_there_already(other: Database) -> None:
    async with other.write() as connection:
        assert await pragma(connection, "synchronous") == 2
        assert await pragma(connection, "journal_mode") == "wal"


async def test_every_reader_refuses_to_write_and_never_checkpoints(database: Database) -> None:
    async def look(met: asyncio.Barrier) -> tuple[object, object]:
        async with database.read() as connection:
            await met.wait()
            return await pragma(connection, "query_only"), await pragma(connection, "wal_autocheckpoint")

    met = asyncio.Barrier(READERS)
    assert await asyncio.gather(*(look(met) for _ in range(READERS))) == [(1, 0)] * READERS


@pytest.mark.parametrize("statement", ["INSERT INTO t VALUES (2, 2)", "DELETE FROM t", "CREATE TABLE u (n)"])
async def test_read_refuses_to_write(database: Database, statement: str) -> None:
    with pytest.raises(StorageReadOnly):
        async with database.read() as connection:
            await connection.execute(text(statement))
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT n, v FROM t"))).all() == [(1, 0)]


async def test_readers_that_close_leave_the_log_to_the_writer(database: Database, other: Database, file: Path) -> None:
    """The database in `other` only reads. Closing it while the writer lives must not copy the log back."""
    await fill(database, 100)
    before = both_files(file)
    async with other.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM t")) == 101
    await other.close()
    assert both_files(file) == before


async def test_the_writer_checkpoints_by_itself(database: Database, file: Path) -> None:
    await fill(database, 2_000)
    await fill(database, 1)
    assert size(file) > 2_000 * 4_000


async def test_the_last_to_close_is_the_writer_and_tidies_up(database: Database, file: Path) -> None:
    await fill(database, 10)
    async with database.read() as connection:
        await connection.scalar(text("SELECT count(*) FROM t"))
    await database.close()
    assert not has_log(file)
    assert size(file) > 10 * 4_000


async def test_readers_are_closed_before_the_writer(database: Database) -> None:
    """Whoever closes last checkpoints; other processes may have the file open and see no difference, but this order."""
    closed: list[str] = []
    for engine, name in ((database._reader, "reader"), (database._writer, "writer")):
        event.listen(engine.sync_engine, "close", lambda *_, name=name: closed.append(name))
    async with database.write(), database.read():
        pass
    await database.close()
    assert closed == ["reader", "writer"]


async def test_writers_take_turns(database: Database, other: Database) -> None:
    """A second writer, in this process or in another, begins when the first has ended."""
    for second in (database, other):
        events: list[str] = []
        writing = asyncio.Event()
        go_on = asyncio.Event()

        async def first(events: list[str], writing: asyncio.Event, go_on: asyncio.Event) -> None:
            async with database.write() as connection:
                writing.set()
                await go_on.wait()
                await connection.execute(text("UPDATE t SET v = v + 1"))
                events.append("first is done")

        async def then(events: list[str], second: Database) -> None:
            async with second.write() as connection:
                events.append("second begins")
                await connection.execute(text("UPDATE t SET v = v * 10"))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first(events, writing, go_on))
            await writing.wait()
            tasks.create_task(then(events, second))
            async with database.read() as connection:
                # A reader does not wait for either, and by its end the second writer has had time to begin.
                assert await connection.scalar(text("SELECT count(*) FROM t")) == 1
            go_on.set()
        assert events == ["first is done", "second begins"]


async def test_there_is_one_connection_for_all_writers(database: Database) -> None:
    async def mine() -> object:
        async with database.write() as connection:
            return (await connection.get_raw_connection()).driver_connection

    assert len(set(await asyncio.gather(*(mine() for _ in range(3))))) == 1


async def test_a_transaction_that_reads_and_then_writes_loses_no_update(database: Database, other: Database) -> None:
    async def count_on(where: Database) -> None:
        async with where.write() as connection:
            seen = await connection.scalar(text("SELECT v FROM t"))
            await connection.execute(text("UPDATE t SET v = :v"), {"v": seen + 1})

    await asyncio.gather(*(count_on(where) for where in (database, other) for _ in range(20)))
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT v FROM t")) == 40


async def test_the_driver_never_begins_by_itself(database: Database) -> None:
    async with database.raw_writer() as connection:
        await connection.execute(text("INSERT INTO t VALUES (7, 7)"))
    for open_connection in (database.write, database.read, database.raw_writer):
        async with open_connection() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            assert raw.driver_connection.isolation_level is None
            assert raw.driver_connection.in_transaction == (open_connection != database.raw_writer)


async def test_deleted_pages_can_be_given_back(database: Database, file: Path) -> None:
    await fill(database, 500)
    async with database.write() as connection:
        await connection.execute(text("DELETE FROM t"))
    async with database.raw_writer() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        # The pragma gives back one page a step; only a script is stepped to its end.
        await raw.driver_connection.executescript("PRAGMA incremental_vacuum")
        await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert size(file) < 20 * 4_096
