"""Transactions on both databases: all or nothing, one snapshot a reader, and a cancelled writer leaves no trace."""

import asyncio
import contextlib
import time

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import NotFound
from pulse.storage.database import Database
from tests.contract.conftest import OpenDatabase, SetClock

TAKES_A_WHILE = {
    "sqlite": "INSERT INTO {0} WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000)"
    " SELECT 100 + count(*) FROM n",
    "postgresql": "INSERT INTO {0} SELECT 100 FROM pg_sleep(20)",
}


@pytest.fixture
async def table(database: Database) -> str:
    """A table of numbers; its name, quoted."""
    name = f'"{database.prefix}numbers"'
    async with database.write() as connection:
        await connection.execute(text(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY)"))
    return name


async def put(connection: AsyncConnection, table: str, number: int) -> None:
    await connection.execute(text(f"INSERT INTO {table} VALUES (:n)"), {"n": number})  # noqa: S608 - made above


async def numbers(connection: AsyncConnection, table: str) -> list[int]:
    return list(await connection.scalars(text(f"SELECT n FROM {table} ORDER BY n")))  # noqa: S608 - made above


async def stored(database: Database, table: str) -> list[int]:
    async with database.read() as connection:
        return await numbers(connection, table)


async def test_a_block_that_ends_is_committed(database: Database, open_database: OpenDatabase, table: str) -> None:
    async with database.write() as connection:
        await put(connection, table, 1)
        await put(connection, table, 2)
    assert await stored(open_database(), table) == [1, 2]


async def test_a_block_that_raises_leaves_nothing(database: Database, table: str) -> None:
    async def half_done() -> None:
        async with database.write() as connection:
            await put(connection, table, 1)
            raise NotFound

    with pytest.raises(NotFound):
        await half_done()
    assert await stored(database, table) == []


async def test_nobody_sees_what_is_not_committed(database: Database, open_database: OpenDatabase, table: str) -> None:
    other = open_database()
    async with database.write() as connection:
        await put(connection, table, 1)
        assert await stored(database, table) == []
        assert await stored(other, table) == []


async def test_a_reader_keeps_its_snapshot(database: Database, table: str) -> None:
    async with database.read() as reader:
        before = await numbers(reader, table)
        async with database.write() as writer:
            await put(writer, table, 1)
        assert await numbers(reader, table) == before == []
    assert await stored(database, table) == [1]


async def test_a_write_sees_what_was_committed_before_it(database: Database, table: str) -> None:
    """A snapshot is for readers: statements of a write see what others committed, or lanes could not work."""
    async with database.read() as reader:
        await numbers(reader, table)
        async with database.write() as first:
            await put(first, table, 1)
        async with database.write() as second:
            assert await numbers(second, table) == [1]


async def test_what_a_constraint_says_is_not_translated(database: Database, table: str) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await put(connection, table, 1)
            await put(connection, table, 1)
    assert await stored(database, table) == []


async def test_a_writer_that_is_cancelled_between_statements(open_database: OpenDatabase, table: str) -> None:
    database = open_database(pool_size=1)
    written = asyncio.Event()

    async def waits_in_the_middle() -> None:
        async with database.write() as connection:
            await put(connection, table, 1)
            written.set()
            await asyncio.Event().wait()

    await cancelled_when(asyncio.create_task(waits_in_the_middle()), written)
    await still_works(database, table)


async def test_a_writer_that_is_cancelled_within_a_statement(open_database: OpenDatabase, table: str) -> None:
    database = open_database(pool_size=1)
    sent = asyncio.Event()

    async def waits_for_the_database() -> None:
        async with database.write() as connection:
            await put(connection, table, 1)
            sent.set()
            await connection.execute(text(TAKES_A_WHILE[database.dialect].format(table)))

    await cancelled_when(asyncio.create_task(waits_for_the_database()), sent)
    await still_works(database, table)


async def test_a_reader_that_is_cancelled_gives_its_connection_back(open_database: OpenDatabase, table: str) -> None:
    database = open_database(pool_size=1)
    for _ in range(6):
        reading = asyncio.Event()

        async def reads(reading: asyncio.Event) -> None:
            async with database.read() as connection:
                await numbers(connection, table)
                reading.set()
                await asyncio.Event().wait()

        await cancelled_when(asyncio.create_task(reads(reading)), reading)
    await still_works(database, table)


async def cancelled_when(task: asyncio.Task[None], event: asyncio.Event) -> None:
    await event.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def still_works(database: Database, table: str) -> None:
    """The next transaction goes through at once, on a connection where nothing is left of the one before."""
    async with asyncio.timeout(10), database.write() as connection:
        await put(connection, table, 2)
    assert await stored(database, table) == [2]


async def test_vacuum_and_the_like_run_outside_of_transactions(database: Database, table: str) -> None:
    async with database.raw_writer() as connection:
        await connection.execute(text("VACUUM"))
        await put(connection, table, 1)
        assert await stored(database, table) == [1]


async def test_transactions_are_transactions_again_after_that(open_database: OpenDatabase, table: str) -> None:
    database = open_database(pool_size=1)
    async with database.raw_writer() as connection:
        await connection.execute(text("VACUUM"))

    async def half_done() -> None:
        async with database.write() as connection:
            await put(connection, table, 1)
            raise NotFound

    with pytest.raises(NotFound):
        await half_done()
    assert await stored(database, table) == []


async def test_the_database_tells_the_time(database: Database) -> None:
    async with database.read() as connection:
        before = time.time_ns() // 1_000_000
        now = await connection.scalar(select(database.now()))
        after = time.time_ns() // 1_000_000
    assert isinstance(now, int)
    assert before - 1 <= now <= after + 1


async def test_time_goes_on_within_a_transaction(database: Database) -> None:
    async with asyncio.timeout(10), database.write() as connection:
        first = await connection.scalar(select(database.now()))
        while await connection.scalar(select(database.now())) == first:
            pass


async def test_a_clock_takes_its_place(open_database: OpenDatabase) -> None:
    clock = SetClock(5_000)
    database = open_database(clock=clock)
    async with database.read() as connection:
        assert await connection.scalar(select(database.now() + 1)) == 5_001
        clock.ms = 2**45
        assert await connection.scalar(select(database.now())) == 2**45


async def test_a_closed_database_can_be_closed_again(database: Database, table: str) -> None:
    await database.close()
    await database.close()
