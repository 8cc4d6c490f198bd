"""What the committer's tests write to: a table of numbers, and a database that is watched, held back or fails."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from pulse.storage.committer import Committer
from pulse.storage.database import Database

BAD = -1
T = TypeVar("T")


class Ledger:
    """A table of numbers (positive, unique), and what was asked of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.table = f'"{database.prefix}ledger"'
        self.calls: list[list[int]] = []

    def put(self, connection: Connection, items: Sequence[int]) -> Sequence[str]:
        self.calls.append(list(items))
        statement = f"INSERT INTO {self.table} (n) VALUES (:n)"  # noqa: S608 - made above
        connection.execute(text(statement), [{"n": item} for item in items])
        return [f"stored {item}" for item in items]

    def put_elsewhere(self, connection: Connection, items: Sequence[int]) -> Sequence[str]:
        return self.put(connection, [item + 1_000 for item in items])

    async def stored(self, database: Database | None = None) -> list[int]:
        """What is stored, in the order it was."""
        async with (database or self.database).read() as connection:
            statement = f"SELECT n FROM {self.table} ORDER BY place"  # noqa: S608 - made above
            return list(await connection.scalars(text(statement)))


class Watched:
    """Counts the transactions of a database; may hold them back, and may let them fail."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.committed = 0
        self.rolled_back = 0
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_the_gate = asyncio.Event()
        self.one_by_one = False
        transact = database.transact

        async def watched(work: Callable[[Connection], T]) -> T:
            self.at_the_gate.set()
            await self.gate.wait()
            if self.one_by_one:
                self.close()

            def failing(connection: Connection) -> T:
                answer = work(connection)
                if self.failure is not None:
                    raise self.failure
                return answer

            try:
                answer = await transact(failing)
            except BaseException:
                self.rolled_back += 1
                raise
            self.committed += 1
            return answer

        monkeypatch.setattr(database, "transact", watched)

    def close(self) -> None:
        self.gate.clear()
        self.at_the_gate.clear()


async def settled(committer: Committer, ledger: Ledger, items: Sequence[int]) -> list[str | BaseException]:
    return await asyncio.gather(*(committer.write(ledger.put, item) for item in items), return_exceptions=True)


def errors(answers: Sequence[str | BaseException]) -> dict[int, type[BaseException]]:
    return {place: type(each) for place, each in enumerate(answers) if isinstance(each, BaseException)}
