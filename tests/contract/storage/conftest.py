"""Fixtures of the storage layer's contract tests."""

import pytest
from sqlalchemy import text

from pulse.storage.database import Database
from tests.contract.storage.ledger import Ledger, Watched


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    made = Ledger(database)
    place = "INTEGER PRIMARY KEY" if database.dialect == "sqlite" else "SERIAL PRIMARY KEY"
    async with database.write() as connection:
        await connection.execute(
            text(f"CREATE TABLE {made.table} (place {place}, n INTEGER NOT NULL UNIQUE CHECK (n > 0))")
        )
    return made


@pytest.fixture
def watched(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(ledger.database, monkeypatch)
