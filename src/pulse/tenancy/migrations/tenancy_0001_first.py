"""Organizations, environments, API keys, webhook sources, data keys."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0001"
down_revision = None
branch_labels = ("tenancy",)
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    organization_id = f"{prefix}organizations.id"
    environment_id = f"{prefix}environments.id"
    op.create_table(
        f"{prefix}organizations",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}environments",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, sa.ForeignKey(organization_id), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}environments_name", f"{prefix}environments", ["organization_id", "name"], unique=True)
    op.create_table(
        f"{prefix}api_keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, sa.ForeignKey(organization_id), nullable=False, index=True),
        sa.Column("environment_id", sa.String, sa.ForeignKey(environment_id), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
    )
    op.create_table(
        f"{prefix}sources",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, sa.ForeignKey(organization_id), nullable=False, index=True),
        sa.Column("environment_id", sa.String, sa.ForeignKey(environment_id), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}data_keys",
        sa.Column("organization_id", sa.String, sa.ForeignKey(organization_id), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
