"""When a credential was used last."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "prompts_0004"
down_revision = "prompts_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(f"{table_prefix()}model_credentials", sa.Column("last_used_at", sa.BigInteger))
