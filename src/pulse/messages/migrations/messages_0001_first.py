"""Messages, their payloads and results, idempotency keys, segments of the archive."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "messages_0001"
down_revision = None
branch_labels = ("messages",)
depends_on = None

UNFINISHED = "state IN ('ready', 'running', 'blocked', 'held') AND lane IS NOT NULL"


def upgrade() -> None:
    prefix = table_prefix()
    _messages(prefix)
    _bytes(f"{prefix}message_payloads", "payload")
    _bytes(f"{prefix}message_results", "body")
    _keys(prefix)
    _segments(prefix)
    if op.get_context().dialect.name == "postgresql":
        # Whatever fits no partition; the maintenance duty makes the others ahead of time.
        for name in ("messages", "message_payloads", "message_results"):
            op.execute(f'CREATE TABLE "{prefix}{name}_rest" PARTITION OF "{prefix}{name}" DEFAULT')


def _id() -> "sa.Column[str]":
    return sa.Column("id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), primary_key=True)


def _messages(prefix: str) -> None:
    name = f"{prefix}messages"
    op.create_table(
        name,
        _id(),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("lane", sa.String),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lone_deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("type", sa.String),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("origin_id", sa.String),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("elapsed_ms", sa.BigInteger),
        sa.Column("code", sa.String),
        sa.Column("workflow_id", sa.String),
        sa.Column("workflow_name", sa.String),
        sa.Column("workflow_version", sa.Integer),
        sa.Column("error", sa.String),
        sa.Column("segment_id", sa.String),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(f"{name}_list", name, ["organization_id", "environment_id", "id"])
    op.create_index(f"{name}_state", name, ["organization_id", "state", "id"])
    _partial(name, "ready", ["organization_id", "due_at", "id"], "state = 'ready'")
    _partial(name, "suspects", ["id"], "state = 'ready' AND deaths >= 2")
    _partial(name, "running", ["owner", "lease_until"], "state = 'running'")
    _partial(name, "lanes", ["organization_id", "lane", "id"], UNFINISHED)
    _partial(name, "open", ["completed_at"], "completed_at IS NOT NULL AND segment_id IS NULL")


def _partial(table: str, suffix: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(f"{table}_{suffix}", table, columns, sqlite_where=condition, postgresql_where=condition)


def _bytes(name: str, column: str) -> None:
    op.create_table(
        name, _id(), sa.Column(column, sa.LargeBinary, nullable=False), postgresql_partition_by="RANGE (id)"
    )


def _keys(prefix: str) -> None:
    op.create_table(
        f"{prefix}message_keys",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("environment_id", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("message_id", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}message_keys_age", f"{prefix}message_keys", ["created_at"])


def _segments(prefix: str) -> None:
    op.create_table(
        f"{prefix}message_segments",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("hour", sa.BigInteger, nullable=False),
        sa.Column("object_key", sa.String, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}message_segments_hour", f"{prefix}message_segments", ["hour"])
