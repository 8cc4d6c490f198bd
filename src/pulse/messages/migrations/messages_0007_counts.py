"""How many messages each organization has held: counted once here, and from now on where they are stored."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import protect, table_prefix

revision = "messages_0007"
down_revision = "messages_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    counts = op.create_table(
        f"{prefix}held_counts",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    messages = sa.table(f"{prefix}messages", sa.column("organization_id"), sa.column("state"))
    held = sa.select(messages.c.organization_id, sa.func.count()).where(messages.c.state == sa.literal_column("'held'"))
    op.execute(sa.insert(counts).from_select(["organization_id", "count"], held.group_by(messages.c.organization_id)))
    protect(f"{prefix}held_counts")
