"""The migration runner: once and whole, from however many processes, and each noun for itself."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import inspect

from pulse.core.errors import Misconfigured
from pulse.storage.database import Database
from pulse.storage.migrations import migrate, pending
from tests.contract.conftest import OpenDatabase
from tests.contract.storage.orchard import Orchard

ALL = ["apples_0001", "apples_0002", "pears_0001"]
TABLES = ["apples1", "apples2", "pears1", "schema_versions"]


@pytest.fixture
def orchard(tmp_path: Path) -> Orchard:
    return Orchard(tmp_path)


async def tables(database: Database) -> list[str]:
    """The test's own tables, without their prefix."""
    async with database.read() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    return sorted(name.removeprefix(database.prefix) for name in names if name.startswith(database.prefix))


async def test_all_that_is_missing_is_applied_once(database: Database, orchard: Orchard) -> None:
    assert sorted(await migrate(database, orchard.both)) == ALL
    assert await tables(database) == TABLES
    assert await migrate(database, orchard.both) == []
    assert await tables(database) == TABLES


async def test_a_nouns_revisions_come_in_their_order(database: Database, orchard: Orchard) -> None:
    for number in range(3, 8):
        orchard.plant("apples", number)
    assert await migrate(database, [orchard.apples]) == [f"apples_{n:04d}" for n in range(1, 8)]


async def test_pending_says_what_migrate_would_do_and_does_nothing(database: Database, orchard: Orchard) -> None:
    assert sorted(await pending(database, orchard.both)) == ALL
    assert await tables(database) == []
    await migrate(database, [orchard.apples])
    assert await pending(database, [orchard.apples]) == []
    assert await pending(database, orchard.both) == ["pears_0001"]
    await migrate(database, orchard.both)
    assert await pending(database, orchard.both) == []


async def test_only_what_is_new_is_applied(database: Database, orchard: Orchard) -> None:
    await migrate(database, orchard.both)
    orchard.plant("apples", 3)
    assert await pending(database, orchard.both) == ["apples_0003"]
    assert await migrate(database, orchard.both) == ["apples_0003"]
    assert await tables(database) == sorted([*TABLES, "apples3"])


async def test_one_noun_makes_its_own_tables_and_nothing_else(database: Database, orchard: Orchard) -> None:
    assert await migrate(database, [orchard.pears]) == ["pears_0001"]
    assert await tables(database) == ["pears1", "schema_versions"]
    assert sorted(await migrate(database, orchard.both)) == ALL[:2]


async def test_one_noun_alone_where_another_is_there_already(database: Database, orchard: Orchard) -> None:
    """An application that knows the engine only shares its database with a platform that knows more."""
    await migrate(database, orchard.both)
    assert await migrate(database, [orchard.apples]) == []
    assert await pending(database, [orchard.apples]) == []
    orchard.plant("apples", 3)
    assert await pending(database, [orchard.apples]) == ["apples_0003"]
    assert await migrate(database, [orchard.apples]) == ["apples_0003"]
    assert await migrate(database, orchard.both) == []


async def test_a_database_that_is_newer_than_the_code_is_left_alone(
    database: Database, orchard: Orchard, tmp_path: Path
) -> None:
    orchard.plant("apples", 3)
    await migrate(database, orchard.both)
    (tmp_path / "apples" / "apples_0003.py").unlink()
    for ask in (migrate, pending):
        with pytest.raises(Misconfigured, match="apples_0003"):
            await ask(database, orchard.both)
    assert await tables(database) == sorted([*TABLES, "apples3"])


async def test_a_noun_may_build_on_another(database: Database, orchard: Orchard) -> None:
    orchard.plant("pears", 1, depends="apples_0002")
    assert await migrate(database, orchard.both) == ALL


async def test_two_prefixes_live_side_by_side(
    database: Database, open_database: OpenDatabase, orchard: Orchard
) -> None:
    other = open_database()
    other.prefix = f"{database.prefix}x_"
    await migrate(database, orchard.both)
    assert len(await pending(other, orchard.both)) == 3
    assert len(await migrate(other, orchard.both)) == 3
    assert await tables(other) == TABLES
    assert await migrate(database, orchard.both) == []


@pytest.mark.parametrize("number", [1, 2])
async def test_a_revision_that_fails_leaves_nothing(database: Database, orchard: Orchard, number: int) -> None:
    orchard.plant("apples", number, then="raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        await migrate(database, orchard.both)
    assert await tables(database) == []
    orchard.plant("apples", number)
    assert sorted(await migrate(database, orchard.both)) == ALL


async def test_a_revision_that_fails_later_leaves_what_was_there(database: Database, orchard: Orchard) -> None:
    await migrate(database, orchard.both)
    orchard.plant("apples", 3)
    orchard.plant("apples", 4, then="raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        await migrate(database, orchard.both)
    assert await tables(database) == TABLES
    assert await pending(database, orchard.both) == ["apples_0003", "apples_0004"]


async def test_many_at_once_apply_once(database: Database, open_database: OpenDatabase, orchard: Orchard) -> None:
    places = [open_database() for _ in range(4)]
    applied = await asyncio.gather(*(migrate(place, orchard.both) for place in places))
    assert sorted(name for each in applied for name in each) == ALL
    assert [] in applied
    assert await tables(database) == TABLES


PROCESS = """
import asyncio, sys
from pathlib import Path
from pulse.storage.database import Database
from pulse.storage.branches import Branch
from pulse.storage.migrations import migrate

async def main(url, prefix, folder):
    database = Database(url, prefix=prefix)
    print(*await migrate(database, [Branch(noun, Path(folder, noun)) for noun in ("apples", "pears")]))
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def in_a_process(database: Database, orchard: Orchard) -> tuple[int, Sequence[str]]:
    url = database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, url, database.prefix, str(orchard.folder), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode().split()


async def test_two_processes_at_once_apply_once(database: Database, orchard: Orchard) -> None:
    (first, mine), (second, yours) = await asyncio.gather(*(in_a_process(database, orchard) for _ in range(2)))
    assert (first, second) == (0, 0)
    assert sorted([*mine, *yours]) == ALL
    assert await tables(database) == TABLES


async def test_a_process_that_is_killed_in_the_middle_leaves_nothing(database: Database, orchard: Orchard) -> None:
    orchard.plant("apples", 2, then="os.kill(os.getpid(), 9)")
    code, _ = await in_a_process(database, orchard)
    assert code == -signal.SIGKILL
    assert await tables(database) == []
    orchard.plant("apples", 2)
    assert sorted(await migrate(database, orchard.both)) == ALL
