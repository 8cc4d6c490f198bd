"""The engine's tables: the seed's columns, and what claims, versions, waits and schedules need besides.

`workflow_runs.status` is the seed's and for people; `state` is the queue's (see storage/claims.py): `ready`, `running`,
`blocked` (its concurrency limit is reached), `waiting` (for a time, a signal or a child), `done`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, Table, Text, false
from sqlalchemy.sql.elements import ColumnElement

from pulse.storage.branches import Branch
from pulse.storage.claims import claim_columns, claim_indexes, waiting_index
from pulse.storage.types import JSON_TEXT, MOMENT, SORTED_ID

BRANCH = Branch("engine", Path(__file__).parents[1] / "migrations")
TENANT = "tenant_id"
DONE = "done"


@dataclass(frozen=True)
class EngineTables:
    metadata: MetaData
    triggers: Table
    definitions: Table
    versions: Table
    runs: Table
    steps: Table
    logs: Table
    waits: Table
    schedules: Table
    rates: Table


@cache
def engine_tables(prefix: str) -> EngineTables:
    """The tables, their names beginning with `prefix`."""
    metadata = MetaData()
    return EngineTables(
        metadata,
        _triggers(metadata, prefix),
        _definitions(metadata, prefix),
        _versions(metadata, prefix),
        _runs(metadata, prefix),
        _steps(metadata, prefix),
        _logs(metadata, prefix),
        _waits(metadata, prefix),
        _schedules(metadata, prefix),
        _rates(metadata, prefix),
    )


def _id() -> Column[str]:
    return Column("id", SORTED_ID, primary_key=True)


def _partial(name: str, where: ColumnElement[bool], *columns: ColumnElement[object], unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _triggers(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}triggers",
        metadata,
        _id(),
        Column("tenant_id", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("resource_type", Text),
        Column("resource_id", Text),
        Column("environment", Text),
        Column("payload", JSON_TEXT, nullable=False),
        Column("created_at", MOMENT, nullable=False),
        Column("idempotency_key", Text),
        Column("traceparent", Text),
    )
    c = table.c
    Index(f"{prefix}triggers_type", c.tenant_id, c.type, c.id)
    keyed = c.idempotency_key.is_not(None)
    _partial(f"{prefix}triggers_once", keyed, c.tenant_id, c.idempotency_key, unique=True)
    return table


def _definitions(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}workflow_definitions",
        metadata,
        _id(),
        Column("tenant_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("description", Text),
        Column("trigger_type", Text, nullable=False),
        Column("environment_filter", Text),
        Column("resource_type_filter", Text),
        Column("steps", JSON_TEXT, nullable=False),
        Column("config", JSON_TEXT, nullable=False),
        Column("is_enabled", Boolean, nullable=False),
        Column("cron_expression", Text),
        Column("version", Integer, nullable=False),
        Column("definition", JSON_TEXT, nullable=False),
        Column("created_at", MOMENT, nullable=False),
        Column("updated_at", MOMENT, nullable=False),
    )
    c = table.c
    Index(f"{prefix}workflow_definitions_name", c.tenant_id, c.name, unique=True)
    Index(f"{prefix}workflow_definitions_match", c.tenant_id, c.trigger_type)
    return table


def _versions(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}definition_versions",
        metadata,
        Column("definition_id", SORTED_ID, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("definition", JSON_TEXT, nullable=False),
        Column("created_at", MOMENT, nullable=False),
    )


def _runs(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}workflow_runs",
        metadata,
        _id(),
        Column("definition_id", SORTED_ID, nullable=False),
        Column("definition_version", Integer, nullable=False),
        *claim_columns(TENANT),
        Column("lane_limit", Integer),
        Column("priority", Integer, nullable=False),
        Column("trigger_id", SORTED_ID, nullable=False),
        Column("status", Text, nullable=False),
        Column("context", JSON_TEXT, nullable=False),
        Column("current_step_index", Integer, nullable=False),
        Column("is_replay", Boolean, nullable=False, server_default=false()),
        Column("is_dry_run", Boolean, nullable=False, server_default=false()),
        Column("definition_snapshot", JSON_TEXT, nullable=False),
        Column("started_at", MOMENT),
        Column("completed_at", MOMENT),
        Column("failed_at", MOMENT),
        Column("canceled_at", MOMENT),
        Column("cancel_reason", Text),
        Column("error_message", Text),
        Column("attempt", Integer, nullable=False, server_default="1"),
        Column("parent_run_id", SORTED_ID),
        Column("parent_step_run_id", SORTED_ID),
        Column("debounce_key", Text),
        Column("debounce_until", BigInteger),
        Column("created_at", MOMENT, nullable=False),
        Column("updated_at", MOMENT, nullable=False),
    )
    c = table.c
    claim_indexes(table, TENANT)
    waiting_index(table)
    Index(f"{prefix}workflow_runs_trigger", c.trigger_id)
    Index(f"{prefix}workflow_runs_list", c.tenant_id, c.id)
    _partial(f"{prefix}workflow_runs_failed", c.status == "failed", c.tenant_id, c.id)
    _partial(f"{prefix}workflow_runs_children", c.parent_run_id.is_not(None), c.parent_run_id)
    _partial(f"{prefix}workflow_runs_active", c.state != DONE, c.definition_id)
    held_back = c.debounce_key.is_not(None)
    _partial(f"{prefix}workflow_runs_debounce", held_back, c.definition_id, c.debounce_key, unique=True)
    return table


def _steps(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}workflow_step_runs",
        metadata,
        _id(),
        Column("run_id", SORTED_ID, nullable=False),
        Column("tenant_id", Text, nullable=False),
        Column("step_index", Integer, nullable=False),
        Column("step_type", Text, nullable=False),
        Column("step_name", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("scheduled_for", MOMENT),
        Column("started_at", MOMENT),
        Column("completed_at", MOMENT),
        Column("result", JSON_TEXT),
        Column("error_message", Text),
        Column("branch_index", Integer),
        Column("parent_step_run_id", SORTED_ID),
        Column("created_at", MOMENT, nullable=False),
        Column("path", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("skip_reason", Text),
    )
    Index(f"{prefix}workflow_step_runs_run", table.c.run_id)
    return table


def _logs(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}execution_logs",
        metadata,
        _id(),
        Column("run_id", SORTED_ID, nullable=False),
        Column("step_run_id", SORTED_ID),
        Column("tenant_id", Text, nullable=False),
        Column("level", Text, nullable=False),
        Column("message", Text, nullable=False),
        Column("data", JSON_TEXT),
        Column("created_at", MOMENT, nullable=False),
    )
    Index(f"{prefix}execution_logs_run", table.c.run_id)
    return table


def _waits(metadata: MetaData, prefix: str) -> Table:
    """Steps that wait: for a signal (`signal_type`, `match`; until `trigger_id` is set), or until no `children` run."""
    table = Table(
        f"{prefix}waits",
        metadata,
        _id(),
        Column("run_id", SORTED_ID, nullable=False),
        Column("tenant_id", Text, nullable=False),
        Column("path", Text, nullable=False),
        Column("signal_type", Text),
        Column("match", JSON_TEXT),
        Column("trigger_id", SORTED_ID),
        Column("children", Integer),
    )
    c = table.c
    Index(f"{prefix}waits_run", c.run_id)
    _partial(f"{prefix}waits_signal", c.signal_type.is_not(None), c.tenant_id, c.signal_type)
    return table


def _schedules(metadata: MetaData, prefix: str) -> Table:
    """When a workflow's trigger is emitted by itself: one row a workflow that has times."""
    table = Table(
        f"{prefix}workflow_schedules",
        metadata,
        Column("definition_id", SORTED_ID, primary_key=True),
        Column("tenant_id", Text, nullable=False),
        Column("schedule", JSON_TEXT, nullable=False),
        Column("next_at", BigInteger),
        Column("last_at", BigInteger),
    )
    _partial(f"{prefix}workflow_schedules_next", table.c.next_at.is_not(None), table.c.next_at)
    return table


def _rates(metadata: MetaData, prefix: str) -> Table:
    """When the next run of a rate-limited workflow may begin, in milliseconds since 1970."""
    return Table(
        f"{prefix}rate_limits",
        metadata,
        Column("definition_id", SORTED_ID, primary_key=True),
        Column("next_at", Float, nullable=False),
    )
