"""What the migrations of a noun make is what its tables say: columns, keys, indexes and their conditions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, inspect, text

from pulse.engine.store.forms.tables import engine_tables
from pulse.messages.tables import BRANCH as MESSAGES
from pulse.messages.tables import message_tables
from pulse.storage.branches import Branch
from pulse.storage.database import Database
from pulse.storage.migrations import migrate, pending
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import tenancy_tables
from pulse.workflows.tables import BRANCH as WORKFLOWS
from pulse.workflows.tables import workflow_tables
from tests.contract.lending import own_prefix

prefix = own_prefix


@dataclass(frozen=True)
class Noun:
    branch: Branch
    metadata: Callable[[str], MetaData]


NOUNS = [
    pytest.param(Noun(TENANCY, lambda prefix: tenancy_tables(prefix).metadata), id="tenancy"),
    pytest.param(Noun(WORKFLOWS, lambda prefix: workflow_tables(prefix).metadata), id="workflows"),
    pytest.param(Noun(MESSAGES, lambda prefix: message_tables(prefix).metadata), id="messages"),
]


def described(connection: Connection, prefix: str, ignored: set[str]) -> dict[str, Any]:
    """The tables whose names begin with the prefix, in words that do not depend on it."""
    seen = inspect(connection)
    names = [name for name in seen.get_table_names() if name.startswith(prefix)]
    return {
        name.removeprefix(prefix): {
            "columns": [_column(column, connection, prefix) for column in seen.get_columns(name)],
            "primary key": seen.get_pk_constraint(name)["constrained_columns"],
            "foreign keys": sorted(_foreign_key(key, prefix) for key in seen.get_foreign_keys(name)),
            "unique": sorted(tuple(found["column_names"]) for found in seen.get_unique_constraints(name)),
            "indexes": sorted(_index(found, prefix) for found in seen.get_indexes(name)),
            "partitioned": _partitioned(connection, name),
        }
        for name in names
        if name.removeprefix(prefix) not in ignored
    }


def _column(column: Any, connection: Connection, prefix: str) -> tuple[str, ...]:
    kind = column["type"].compile(connection.dialect)
    # A sequence is named after its table.
    default = _plain(str(column["default"]).replace(prefix, ""))
    return column["name"], kind, f"null: {column['nullable']}", f"default: {default}"


def _foreign_key(key: Any, prefix: str) -> tuple[Any, ...]:
    return tuple(key["constrained_columns"]), key["referred_table"].removeprefix(prefix), tuple(key["referred_columns"])


def _index(index: Any, prefix: str) -> tuple[Any, ...]:
    options = index.get("dialect_options", {})
    where = options.get("sqlite_where", options.get("postgresql_where", ""))
    return index["name"].replace(prefix, "", 1), tuple(index["column_names"]), bool(index["unique"]), _plain(str(where))


def _plain(condition: str) -> str:
    """A condition or a default without what the databases write in several ways."""
    bare = re.sub(r"::[a-z ]+(\[\])?|[\"()\s]", "", condition).lower()
    return re.sub(r"[a-z0-9_]+\.", "", bare).replace("'0'", "0")


def _partitioned(connection: Connection, name: str) -> str | None:
    if connection.dialect.name == "sqlite":
        return None
    found = connection.execute(text("SELECT pg_get_partkeydef(CAST(:name AS regclass))"), {"name": f'"{name}"'})
    return str(found.scalar())


async def both(database: Database, noun: Noun) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the migrations have made, and what the tables make by themselves, beside it."""
    beside = f"{database.prefix}beside_"
    metadata = noun.metadata(beside)
    names = {table.name.removeprefix(beside) for table in metadata.tables.values()}
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        made = await connection.run_sync(described, beside, set())
        found = await connection.run_sync(described, database.prefix, {f"beside_{name}" for name in names})
        await connection.run_sync(metadata.drop_all)
    # Alembic's own table, and partitions, which are made of their parents.
    ignored = [name for name in found if name == "schema_versions" or name.endswith("_rest")]
    return {name: table for name, table in found.items() if name not in ignored}, made


@pytest.fixture
async def migrated(database: Database, noun: Noun) -> Database:
    await migrate(database, [noun.branch])
    return database


@pytest.mark.parametrize("noun", NOUNS)
async def test_migrations_make_what_the_tables_say(migrated: Database, noun: Noun) -> None:
    found, wanted = await both(migrated, noun)
    assert set(found) == set(wanted)
    for name, table in wanted.items():
        assert found[name] == table, name


@pytest.mark.parametrize("noun", NOUNS)
async def test_a_second_migration_does_nothing(migrated: Database, noun: Noun) -> None:
    assert await pending(migrated, [noun.branch]) == []
    assert await migrate(migrated, [noun.branch]) == []


# Negative controls: a difference is seen.


def _another_column(table: Table) -> None:
    table.append_column(Column("extra", Integer))


def _another_index(table: Table) -> None:
    Index(f"{table.name}_more", table.c.created_at)


def _another_condition(table: Table) -> None:
    Index(f"{table.name}_part", table.c.id, sqlite_where=text("id > 'a'"), postgresql_where=text("id > 'a'"))


def _nullable(table: Table) -> None:
    table.c.name.nullable = True


@pytest.mark.parametrize("change", [_another_column, _another_index, _another_condition, _nullable])
@pytest.mark.parametrize("noun", NOUNS[1:2])
async def test_a_difference_is_seen(migrated: Database, noun: Noun, change: Callable[[Table], None]) -> None:
    def changed(prefix: str) -> MetaData:
        metadata = noun.metadata(prefix)
        change(metadata.tables[f"{prefix}workflows"])
        return metadata

    found, wanted = await both(migrated, Noun(noun.branch, changed))
    assert found["workflow_entities"] == wanted["workflow_entities"]
    assert found["workflows"] != wanted["workflows"]


@pytest.mark.parametrize(("one", "other"), [("state = 'ready'", "state = 'done'"), ("a > 1", "a >= 1")])
def test_conditions_that_differ_stay_different(one: str, other: str) -> None:
    assert _plain(one) != _plain(other)
    assert _plain(f"(({one})::text)") == _plain(one)


def test_no_name_is_used_twice_in_a_database_that_an_engine_shares_with_the_platform() -> None:
    made = [engine_tables("pulse_").metadata, *(noun.values[0].metadata("pulse_") for noun in NOUNS)]  # type: ignore[union-attr]
    tables = [table for metadata in made for table in metadata.tables.values()]
    names = [table.name for table in tables] + [index.name for table in tables for index in table.indexes]
    assert sorted(names, key=str) == sorted(set(names), key=str)
