"""What scripts did to the world, as far as their messages have come."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "messages_0004"
down_revision = "messages_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.add_column(f"{prefix}messages", sa.Column("reuses", sa.String))
    sorted_id = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        f"{prefix}message_journals",
        sa.Column("id", sorted_id, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        f"{prefix}message_effects",
        sa.Column("message_id", sorted_id, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("function", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("arguments", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("delivery", sa.Integer, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("log", sa.LargeBinary, nullable=False),
    )
