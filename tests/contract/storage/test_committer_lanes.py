"""Several transactions of one committer at once, where the database has room for them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from pulse.storage.committer import Committer
from pulse.storage.database import Database


class Watched:
    """Holds every transaction until it is let go, and says how many were under way at once."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.under_way = self.most = 0
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self._transact = database.transact
        monkeypatch.setattr(database, "transact", self._held)

    async def _held(self, work: Callable[[Connection], Any]) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.begun.set()
        await self.go.wait()
        try:
            return await self._transact(work)
        finally:
            self.under_way -= 1


def echo(_connection: Connection, items: Any) -> list[Any]:
    return list(items)


async def test_so_many_transactions_are_under_way_as_there_are_lanes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(database, monkeypatch)
    committer = Committer(database, max_batch=2, lanes=2)
    writing = [asyncio.create_task(committer.write(echo, number)) for number in range(10)]
    await watched.begun.wait()
    await asyncio.wait(writing, timeout=0)
    watched.go.set()
    assert await asyncio.gather(*writing) == list(range(10))
    await committer.drain()
    # SQLite has one writer, however many lanes are asked for.
    assert watched.most == (2 if database.dialect == "postgresql" else 1)


async def test_a_lane_that_is_cut_off_answers_its_own_callers_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(database, monkeypatch)
    committer = Committer(database, max_batch=1, lanes=2)
    first = asyncio.create_task(committer.write(echo, 1))
    await watched.begun.wait()
    others = [asyncio.create_task(committer.write(echo, number)) for number in (2, 3)]
    await asyncio.wait(others, timeout=0)
    first.cancel()
    watched.go.set()
    assert await asyncio.gather(*others) == [2, 3]
    await committer.drain()
