"""Variables of environments, and every value that they have had."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0002"
down_revision = "tenancy_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.create_table(
        f"{prefix}variables",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, sa.ForeignKey(f"{prefix}organizations.id"), nullable=False),
        sa.Column("environment_id", sa.String, sa.ForeignKey(f"{prefix}environments.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    columns = ["organization_id", "environment_id", "name"]
    op.create_index(f"{prefix}variables_name", f"{prefix}variables", columns, unique=True)
    op.create_table(
        f"{prefix}variable_values",
        sa.Column("variable_id", sa.String, sa.ForeignKey(f"{prefix}variables.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
