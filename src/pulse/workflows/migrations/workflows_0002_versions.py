"""Versions of workflows. Each workflow that is there becomes its own present version."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "workflows_0002"
down_revision = "workflows_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    versions = op.create_table(
        f"{prefix}workflow_versions",
        sa.Column("workflow_id", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("entities", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    rows = _present(prefix)
    if rows:
        op.bulk_insert(versions, rows)


def _present(prefix: str) -> list[dict[str, Any]]:
    connection = op.get_bind()
    before = sa.MetaData()
    workflows, entities = (
        connection.execute(sa.select(sa.Table(f"{prefix}{name}", before, autoload_with=connection))).mappings().all()
        for name in ("workflows", "workflow_entities")
    )
    return [_version(workflow, entities) for workflow in workflows]


def _version(workflow: sa.RowMapping, entities: Any) -> dict[str, Any]:
    used = [
        {**entity, "fields": json.loads(entity["fields"])}
        for entity in entities
        if entity["environment_id"] == workflow["environment_id"] and entity["id"] in workflow["data"]
    ]
    same = ("version", "organization_id", "environment_id", "name", "data")
    return {
        "workflow_id": workflow["id"],
        **{name: workflow[name] for name in same},
        "entities": json.dumps(used, ensure_ascii=False),
        "created_at": workflow["updated_at"],
    }
