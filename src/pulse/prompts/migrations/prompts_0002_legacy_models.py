"""Legacy models: an address, and the sealed token or keys that it is asked with."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "prompts_0002"
down_revision = "prompts_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = f"{table_prefix()}legacy_models"
    op.create_table(
        name,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("has_token", sa.Boolean, nullable=False),
        sa.Column("has_keys", sa.Boolean, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("secret_version", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{name}_name", name, ["organization_id", "name"], unique=True)
