"""Workflow entities and workflows."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "workflows_0001"
down_revision = None
branch_labels = ("workflows",)
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.create_table(
        f"{prefix}workflow_entities",
        *_common(),
        sa.Column("entity_type", sa.String, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
    )
    op.create_table(
        f"{prefix}workflows",
        *_common(),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    for name in ("workflow_entities", "workflows"):
        op.create_index(f"{prefix}{name}_list", f"{prefix}{name}", ["organization_id", "environment_id", "id"])


def _common() -> list["sa.Column[object]"]:
    columns: list[sa.Column[object]] = [
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    ]
    return columns
