"""The engine's tables: made once, beside those of others, with the seed's names and types."""

import asyncio

from sqlalchemy import Column, Integer, MetaData, Table, inspect, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pulse import Action
from tests.contract.engine.workshop import OpenEngine, recorder, run_of, signal, workflow
from tests.contract.lending import own_prefix

prefix = own_prefix

# Source: the seed's section "Database Schema".
SEED: dict[str, dict[str, str]] = {
    "triggers": {
        "TEXT": "id tenant_id source type resource_type resource_id environment",
        "JSONB": "payload",
        "TIMESTAMPTZ": "created_at",
    },
    "workflow_definitions": {
        "TEXT": "id tenant_id name description trigger_type environment_filter resource_type_filter cron_expression",
        "JSONB": "steps config",
        "BOOLEAN": "is_enabled",
        "TIMESTAMPTZ": "created_at updated_at",
    },
    "workflow_runs": {
        "TEXT": "id definition_id tenant_id trigger_id status cancel_reason",
        "JSONB": "context definition_snapshot",
        "INTEGER": "current_step_index",
        "BOOLEAN": "is_replay",
        "TIMESTAMPTZ": "started_at completed_at failed_at canceled_at created_at updated_at",
    },
    "workflow_step_runs": {
        "TEXT": "id run_id tenant_id step_type step_name status error_message parent_step_run_id",
        "INTEGER": "step_index branch_index",
        "JSONB": "result",
        "TIMESTAMPTZ": "scheduled_for started_at completed_at created_at",
    },
    "execution_logs": {
        "TEXT": "id run_id step_run_id tenant_id level message",
        "JSONB": "data",
        "TIMESTAMPTZ": "created_at",
    },
}
POSTGRESQL = {
    "TEXT": {"TEXT"},
    "JSONB": {"JSONB"},
    "BOOLEAN": {"BOOLEAN"},
    "INTEGER": {"INTEGER"},
    "TIMESTAMPTZ": {"TIMESTAMP"},
}


async def columns(application: AsyncEngine, table: str) -> dict[str, tuple[str, bool]]:
    """The type of each column, and whether it is a time with a zone."""
    async with application.connect() as connection:
        found = await connection.run_sync(lambda sync: inspect(sync).get_columns(table))
    return {each["name"]: (str(each["type"]).split()[0], bool(getattr(each["type"], "timezone", 0))) for each in found}


async def tables(application: AsyncEngine) -> set[str]:
    async with application.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_the_seeds_tables_and_columns_are_there(open_engine: OpenEngine, database_url: str, prefix: str) -> None:
    await open_engine().migrate()
    application = create_async_engine(database_url)
    for table, kinds in SEED.items():
        found = await columns(application, f"{prefix}{table}")
        wanted = {name: kind for kind, names in kinds.items() for name in names.split()}
        assert found.keys() >= wanted.keys()
        if database_url.startswith("postgresql"):
            wrong = [name for name, kind in wanted.items() if found[name][0].partition("(")[0] not in POSTGRESQL[kind]]
            assert wrong == []
            zoned = {name for name in wanted if found[name][1]}
            assert zoned == {name for name, kind in wanted.items() if kind == "TIMESTAMPTZ"}
    await application.dispose()


async def test_migrating_again_does_nothing(open_engine: OpenEngine) -> None:
    assert await open_engine().migrate() != []
    assert await open_engine().migrate() == []


async def test_many_processes_may_migrate_at_once(open_engine: OpenEngine) -> None:
    engines = [open_engine() for _ in range(4)]
    applied = await asyncio.gather(*(engine.migrate() for engine in engines))
    assert len([revisions for revisions in applied if revisions]) == 1
    recorder(engines[0], "ship")
    await engines[0].create_workflow(workflow(Action("ship")))
    assert (await run_of(engines[0], signal())).status == "completed"


async def test_migrating_keeps_what_is_there(open_engine: OpenEngine) -> None:
    engine = open_engine()
    await engine.migrate()
    trigger = await engine.emit(signal())
    await open_engine().migrate()
    assert await engine.get_trigger(trigger.id) == trigger


async def test_all_tables_begin_with_the_prefix_and_those_of_others_stay(
    open_engine: OpenEngine, database_url: str, prefix: str
) -> None:
    application = create_async_engine(database_url)
    theirs = Table(f"{prefix}x_triggers", MetaData(), Column("id", Integer, primary_key=True))
    async with application.begin() as connection:
        await connection.run_sync(theirs.create)
        await connection.execute(theirs.insert().values(id=7))
    before = await tables(application)
    await open_engine().migrate()
    made = await tables(application) - before
    assert made >= {f"{prefix}{name}" for name in SEED}
    assert all(name.startswith(prefix) for name in made if name.rpartition("_")[2] in ("triggers", "runs", "logs"))
    async with application.connect() as connection:
        assert list(await connection.scalars(select(theirs.c.id))) == [7]
    await application.dispose()


async def test_two_prefixes_in_one_database_are_two_engines(open_engine: OpenEngine, prefix: str) -> None:
    one, other = open_engine(), open_engine(table_prefix=f"{prefix}o_")
    for engine in (one, other):
        await engine.migrate()
        recorder(engine, "ship")
    await one.create_workflow(workflow(Action("ship")))
    trigger = await one.emit(signal())
    assert await other.get_trigger(trigger.id) is None
    assert await other.list_workflows() == []
    assert await other.get_runs_by_trigger((await other.emit(signal())).id) == []
