"""Tickets: invitations, forgotten passwords, one-time sign-in links; and users who are disabled."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0004"
down_revision = "tenancy_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.add_column(f"{prefix}users", sa.Column("disabled_at", sa.BigInteger))
    name = f"{prefix}tickets"
    op.create_table(
        name,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("user_id", sa.String, sa.ForeignKey(f"{prefix}users.id", ondelete="CASCADE")),
        sa.Column("organization_id", sa.String, sa.ForeignKey(f"{prefix}organizations.id", ondelete="CASCADE")),
        sa.Column("role", sa.String),
        sa.Column("invited_by", sa.String),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}tickets_user", name, ["user_id", "purpose"], unique=True)
    op.create_index(f"{prefix}tickets_invited", name, ["organization_id", "email"], unique=True)
