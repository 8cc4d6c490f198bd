"""Tables that are lent to one test after another, and emptied between: to make them takes longer than most tests.

A conftest says `prefix = lent("engine", [BRANCH])`, and what its tests find is as if it had been migrated just now.
Tests of migrations themselves take a prefix of their own: `prefix = own_prefix`.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from pulse.storage.branches import Branch
from pulse.storage.database import Database
from pulse.storage.migrations import migrate

_numbers = count(1)
# Prefixes of PostgreSQL tables that are lent to a test, and of those that wait for one.
LENT: set[str] = set()
_free: dict[str, list[str]] = {}
# Of one kind each: a migrated SQLite file that nobody has written to.
_files: dict[str, Path] = {}

EMPTY = """\
DO $$
DECLARE each text;
BEGIN
  SET LOCAL lock_timeout = '5s';
  SET LOCAL session_replication_role = 'replica';
  FOR each IN SELECT tablename FROM pg_tables WHERE starts_with(tablename, '{prefix}')
    AND tablename <> '{prefix}schema_versions'
  LOOP
    EXECUTE format('DELETE FROM %I', each);
  END LOOP;
END $$
"""


def new_prefix() -> str:
    """What the names of the tables of one test begin with."""
    return f"t{os.getpid()}_{next(_numbers)}_"


@pytest.fixture
def own_prefix() -> str:
    """A prefix under which there is nothing yet."""
    return new_prefix()


def lent(kind: str, branches: Sequence[Branch]) -> Callable[..., Any]:
    """A fixture `prefix` under which the tables of these branches are there already, and empty."""

    @pytest.fixture
    def prefix(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        if database_url.startswith("sqlite"):
            if kind not in _files:
                _files[kind] = _migrated(tmp_path_factory.mktemp(f"lent-{kind}") / "pulse.db", kind, branches)
            shutil.copyfile(_files[kind], str(make_url(database_url).database))
            yield f"{kind}_"
            return
        free = _free.setdefault(kind, [])
        mine = free.pop() if free else new_prefix()
        LENT.add(mine)
        yield mine
        # Where it could not be emptied, it is no longer among them.
        if mine in LENT:
            LENT.discard(mine)
            free.append(mine)

    return prefix


def spoil(prefix: str) -> None:
    """Says that these tables are not as they were: no other test shall have them."""
    LENT.discard(prefix)


def _migrated(file: Path, kind: str, branches: Sequence[Branch]) -> Path:
    async def make() -> None:
        database = Database(f"sqlite+aiosqlite:///{file}", prefix=f"{kind}_")
        await migrate(database, branches)
        await database.close()

    asyncio.run(make())
    return file


async def empty_tables(url: str, prefix: str) -> None:
    """Deletes every row of the tables whose names begin with `prefix`, but for what says which revision they are at."""
    database = Database(url, prefix=prefix)
    try:
        async with database.write() as connection:
            await connection.execute(text(EMPTY.format(prefix=prefix)))
    except BaseException:
        spoil(prefix)
        raise
    finally:
        await database.close()
