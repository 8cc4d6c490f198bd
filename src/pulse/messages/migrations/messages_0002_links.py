"""Messages that messages have sent, and the version that a replay is pinned to."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "messages_0002"
down_revision = "messages_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.add_column(f"{prefix}messages", sa.Column("pin", sa.String))
    sorted_id = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        f"{prefix}message_links",
        sa.Column("id", sorted_id, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("parent_id", sa.String, nullable=False),
        sa.Column("root_id", sa.String, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
    )
    op.create_index(f"{prefix}message_links_parent", f"{prefix}message_links", ["parent_id"])
    op.create_index(f"{prefix}message_links_root", f"{prefix}message_links", ["root_id"])
