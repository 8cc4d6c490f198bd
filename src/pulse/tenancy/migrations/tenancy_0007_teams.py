"""Teams with rights on environments, where a member's role holds, and revisions of organizations and environments."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0007"
down_revision = "tenancy_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    for name in ("organizations", "environments"):
        op.add_column(f"{prefix}{name}", sa.Column("revision", sa.Integer, nullable=False, server_default="1"))
    op.add_column(f"{prefix}members", sa.Column("environments", sa.String, nullable=False, server_default="all"))
    op.create_table(
        f"{prefix}teams",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, sa.ForeignKey(f"{prefix}organizations.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}teams_name", f"{prefix}teams", ["organization_id", "name"], unique=True)
    _team_members(prefix)
    _team_rights(prefix)


def _team_members(prefix: str) -> None:
    table, members = f"{prefix}team_members", f"{prefix}members"
    op.create_table(
        table,
        sa.Column("team_id", sa.String, sa.ForeignKey(f"{prefix}teams.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("user_id", sa.String, primary_key=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            [f"{members}.organization_id", f"{members}.user_id"],
            ondelete="CASCADE",
        ),
    )
    op.create_index(f"{table}_user", table, ["user_id", "organization_id"])


def _team_rights(prefix: str) -> None:
    table, environment_id = f"{prefix}team_rights", f"{prefix}environments.id"
    op.create_table(
        table,
        sa.Column("team_id", sa.String, sa.ForeignKey(f"{prefix}teams.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "environment_id", sa.String, sa.ForeignKey(environment_id, ondelete="CASCADE"), primary_key=True, index=True
        ),
        sa.Column("role", sa.String, nullable=False),
    )
