"""Two transactions that meet: PostgreSQL says who waits for whom, so no test has to guess."""

import asyncio

import pytest
from sqlalchemy import text

from pulse.storage.database import Database

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def needs_two_writers(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time: there is no meeting of two")


async def until_waiting(database: Database, count: int = 1) -> None:
    """Returns when so many transactions wait for a lock."""
    async with asyncio.timeout(20):
        while True:
            async with database.read() as connection:
                waiting = await connection.scalar(_WAITING) or 0
            if waiting >= count:
                return
