"""What is done for one organization sees its rows only: the database sees to it, whatever a statement asks for.

Everything here is PostgreSQL's; SQLite has no users.
"""

import asyncio
import os
import secrets
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from pulse.bootstrap.doctor import row_security
from pulse.bootstrap.wiring import BRANCHES
from pulse.core.errors import Misconfigured
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from pulse.storage.narrowing import narrowed
from tests.contract.conftest import OpenDatabase
from tests.contract.lending import own_prefix

# What belongs to no organization, and is touched only by what is done for nobody in particular.
OF_NOBODY = {"schema_versions", "outbox", "people_keys", "sign_in_failures", "sign_in_requests"}

prefix = own_prefix


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def house(database: Database) -> Database:
    """A migrated database with a variable's organization A, and another, B."""
    await migrate(database, BRANCHES)
    async with database.write() as connection:
        for name in "AB":
            await connection.execute(text(add(database.prefix, name)))
    return database


def add(prefix: str, name: str) -> str:
    return f"INSERT INTO {prefix}organizations (id, name, created_at) VALUES ('{name}', '{name}', 0)"  # noqa: S608


async def names(database: Database) -> list[str]:
    async with database.read() as connection:
        found = await connection.scalars(text(f"SELECT name FROM {database.prefix}organizations ORDER BY name"))  # noqa: S608
        return list(found)


async def migrated(database: Database) -> bool:
    """Whether it can be narrowed then."""
    await migrate(database, BRANCHES)
    return database.narrows


async def test_every_transaction_of_a_block_is_narrowed(house: Database) -> None:
    def rename(connection: Connection) -> int:
        return connection.execute(text(f"UPDATE {house.prefix}organizations SET created_at = 1")).rowcount  # noqa: S608

    assert house.narrows
    with narrowed("A"):
        assert await names(house) == ["A"]
        assert await house.transact(rename) == 1
        async with house.write() as connection:
            assert await connection.run_sync(rename) == 1
    assert await names(house) == ["A", "B"]
    assert await house.transact(rename) == 2


async def test_a_connection_that_was_narrowed_is_whole_again(open_database: OpenDatabase) -> None:
    """Also where the block ended in an error."""
    database = open_database(pool_size=1)
    await migrate(database, BRANCHES)
    with narrowed("A"), pytest.raises(ProgrammingError, match="row-level security"):
        async with database.write() as connection:
            await connection.execute(text(add(database.prefix, "B")))
    await database.transact(lambda connection: connection.execute(text(add(database.prefix, "B"))))
    assert await names(database) == ["B"]


async def test_tasks_of_others_are_not_narrowed(house: Database) -> None:
    with narrowed("A"):
        inherits = asyncio.create_task(names(house))
    assert await inherits == ["A"]
    assert await asyncio.create_task(names(house)) == ["A", "B"]


async def test_every_table_is_protected_or_known_to_be_of_nobody(house: Database) -> None:
    """Partitions aside: nobody names them."""
    tables = text("""
        SELECT relname, relrowsecurity FROM pg_class
        WHERE starts_with(relname, :prefix) AND relkind IN ('r', 'p') AND NOT relispartition
    """)
    async with house.read() as connection:
        found = (await connection.execute(tables, {"prefix": house.prefix})).all()
    unprotected = {name.removeprefix(house.prefix) for name, is_protected in found if not is_protected}
    assert unprotected == OF_NOBODY, "a revision calls `protect` for each new table (storage/migrations.py)"
    assert len(found) > 30


# ---- other users of the server -----------------------------------------------------------------------------------


@pytest.fixture
def stranger(postgres_url: str) -> Iterator[str]:
    """The same database as a user with no rights but to make tables."""
    name, database = f"pulse_stranger_{os.getpid()}_{secrets.token_hex(4)}", make_url(postgres_url).database
    asyncio.run(_administer(str(database), f"CREATE ROLE {name} LOGIN", f"GRANT CREATE ON SCHEMA public TO {name}"))
    yield make_url(postgres_url).set(username=name).render_as_string(hide_password=False)
    asyncio.run(_administer(str(database), f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}"))


async def _administer(database: str, *statements: str) -> None:
    connection = await asyncpg.connect(host="127.0.0.1", user="postgres", database=database)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_without_the_role_everything_else_works(stranger: str, house: Database, prefix: str) -> None:
    """The role is there, and this user is no member of it: an administrator must say so first."""
    database = Database(stranger, prefix=f"{prefix}own_")
    try:
        assert await migrated(database) is False
        (finding,) = await row_security(database)
        assert finding.state == "note"
        assert "GRANT pulse_tenant TO" in finding.detail
        with narrowed("A"):
            await database.transact(lambda connection: connection.execute(text(add(database.prefix, "B"))))
            assert await names(database) == ["B"]
        await _administer("postgres", f"GRANT pulse_tenant TO {make_url(stranger).username}")
        assert await migrated(database) is True
        assert [finding.state for finding in await row_security(database)] == ["ok"]
        with narrowed("A"):
            assert await names(database) == []
    finally:
        await database.close()


async def test_a_user_from_whom_the_rows_are_hidden_is_told_so(stranger: str, house: Database, prefix: str) -> None:
    """Rows that are not shown would look like an empty installation."""
    other = Database(stranger, prefix=prefix)
    grant = f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {make_url(stranger).username}"
    await house.transact(lambda connection: connection.execute(text(grant)))
    try:
        with pytest.raises(Misconfigured, match="belong to another user"):
            await migrate(other, BRANCHES)
    finally:
        await other.close()
