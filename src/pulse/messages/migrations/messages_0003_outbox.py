"""What leaves for others in the transaction that decides it."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "messages_0003"
down_revision = "messages_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = f"{table_prefix()}outbox"
    position = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        name,
        sa.Column("position", position, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_index(f"{name}_due", name, ["due_at", "position"])
    op.create_index(f"{name}_once", name, ["topic", "key"], unique=True)
