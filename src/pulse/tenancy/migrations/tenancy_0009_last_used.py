"""When a variable was used last."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "tenancy_0009"
down_revision = "tenancy_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(f"{table_prefix()}variables", sa.Column("last_used_at", sa.BigInteger))
