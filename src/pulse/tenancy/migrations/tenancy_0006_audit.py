"""The audit: entries, and the ends of their chains."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0006"
down_revision = "tenancy_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    _entries(f"{prefix}audit_entries")
    op.create_table(
        f"{prefix}audit_heads",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("sealed_at", sa.BigInteger, nullable=False),
    )


def _entries(table: str) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor_kind", sa.String, nullable=False),
        sa.Column("actor_id", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("subjects", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("hash", sa.LargeBinary),
    )
    waiting = sa.text("sequence IS NULL")
    op.create_index(f"{table}_at", table, ["organization_id", "at", "id"])
    op.create_index(f"{table}_sequence", table, ["organization_id", "sequence"], unique=True)
    op.create_index(
        f"{table}_unsealed", table, ["organization_id", "id"], sqlite_where=waiting, postgresql_where=waiting
    )
