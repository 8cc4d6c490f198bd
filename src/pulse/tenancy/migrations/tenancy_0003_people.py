"""People: users, their memberships and sessions, and failed sign-ins."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0003"
down_revision = "tenancy_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.create_table(
        f"{prefix}users",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("email", sa.String, nullable=False, unique=True),
        sa.Column("first_name", sa.String, nullable=False),
        sa.Column("last_name", sa.String, nullable=False),
        sa.Column("avatar", sa.Text),
        sa.Column("is_system", sa.Boolean, nullable=False),
        sa.Column("password", sa.String),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    _members(prefix)
    _sessions(prefix)


def _members(prefix: str) -> None:
    op.create_table(
        f"{prefix}members",
        sa.Column("organization_id", sa.String, sa.ForeignKey(f"{prefix}organizations.id"), primary_key=True),
        sa.Column("user_id", sa.String, sa.ForeignKey(f"{prefix}users.id"), primary_key=True, index=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def _sessions(prefix: str) -> None:
    op.create_table(
        f"{prefix}sessions",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("user_id", sa.String, sa.ForeignKey(f"{prefix}users.id"), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}sign_in_failures",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
