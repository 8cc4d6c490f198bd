"""The tables of workflows, and records as their rows. What people drew is kept as they sent it, as JSON text."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, RowMapping, String, Table, Text

from pulse.storage.branches import Branch
from pulse.workflows.records import Entity, Workflow

BRANCH = Branch("workflows", Path(__file__).parent / "migrations")


@dataclass(frozen=True)
class WorkflowTables:
    metadata: MetaData
    entities: Table
    workflows: Table
    versions: Table


@cache
def workflow_tables(prefix: str) -> WorkflowTables:
    metadata = MetaData()
    entities = Table(
        f"{prefix}workflow_entities",
        metadata,
        *_common(),
        Column("entity_type", String, nullable=False),
        Column("fields", Text, nullable=False),
    )
    Index(f"{prefix}workflow_entities_list", entities.c.organization_id, entities.c.environment_id, entities.c.id)
    workflows = Table(
        f"{prefix}workflows",
        metadata,
        *_common(),
        Column("data", Text, nullable=False),
        Column("is_active", Boolean, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("version", Integer, nullable=False),
    )
    Index(f"{prefix}workflows_list", workflows.c.organization_id, workflows.c.environment_id, workflows.c.id)
    return WorkflowTables(metadata, entities, workflows, _versions(metadata, prefix))


def _versions(metadata: MetaData, prefix: str) -> Table:
    """Rows that never change; they outlive their workflow, as the messages do that ran on them."""
    return Table(
        f"{prefix}workflow_versions",
        metadata,
        Column("workflow_id", String, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("environment_id", String, nullable=False),
        Column("name", String, nullable=False),
        Column("data", Text, nullable=False),
        Column("entities", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


def _common() -> list[Column[object]]:
    columns: list[Column[object]] = [
        Column("id", String, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("environment_id", String, nullable=False),
        Column("name", String, nullable=False),
        Column("description", Text),
        Column("revision", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    ]
    return columns


# ---- rows -----------------------------------------------------------------------------------------------------------


def to_row(record: Entity | Workflow) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in record.__dataclass_fields__}
    for name in ("fields", "data"):
        if name in row:
            row[name] = json.dumps(row[name], ensure_ascii=False)
    return row


def to_entity(row: RowMapping) -> Entity:
    return Entity(**{**row, "fields": json.loads(row["fields"])})


def to_workflow(row: RowMapping) -> Workflow:
    return Workflow(**{**row, "data": json.loads(row["data"])})
