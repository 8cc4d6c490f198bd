"""The tables of messages: a narrow index row that is claimed and listed, and the bytes apart from it.

On PostgreSQL the three tables of messages are partitioned by the time in the id, so that old ones go by dropping
partitions; see partitions.py. The index row stays when a body moves into a segment of the archive.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

from pulse.storage.branches import Branch
from pulse.storage.claims import HELD, claim_columns, claim_indexes
from pulse.storage.outbox import outbox_table

BRANCH = Branch("messages", Path(__file__).parent / "migrations")


@dataclass(frozen=True)
class MessageTables:
    metadata: MetaData
    messages: Table
    payloads: Table
    results: Table
    keys: Table
    segments: Table
    links: Table
    outbox: Table
    journals: Table
    effects: Table
    held_counts: Table


@cache
def message_tables(prefix: str) -> MessageTables:
    metadata = MetaData()
    return MessageTables(
        metadata,
        _messages(metadata, prefix),
        _bytes_table(metadata, f"{prefix}message_payloads", "payload"),
        _bytes_table(metadata, f"{prefix}message_results", "body"),
        _keys(metadata, prefix),
        _segments(metadata, prefix),
        _links(metadata, prefix),
        outbox_table(metadata, prefix),
        _journals(metadata, prefix),
        _effects(metadata, prefix),
        _held_counts(metadata, prefix),
    )


def sorted_id() -> Column[str]:
    # The order of ids is the order of their bytes, whatever the database's collation.
    return Column("id", String().with_variant(String(collation="C"), "postgresql"), primary_key=True)


def _messages(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}messages",
        metadata,
        sorted_id(),
        *claim_columns(),
        Column("environment_id", String, nullable=False),
        Column("type", String),
        Column("size", Integer, nullable=False),
        Column("received_at", BigInteger, nullable=False),
        Column("origin_id", String),
        Column("completed_at", BigInteger),
        Column("elapsed_ms", BigInteger),
        Column("code", String),
        Column("workflow_id", String),
        Column("workflow_name", String),
        Column("workflow_version", Integer),
        Column("error", String),
        Column("segment_id", String),
        Column("pin", String),
        Column("reuses", String),
        postgresql_partition_by="RANGE (id)",
    )
    claim_indexes(table)
    c = table.c
    Index(f"{prefix}messages_list", c.organization_id, c.environment_id, c.id)
    Index(f"{prefix}messages_state", c.organization_id, c.state, c.id)
    held = c.state == HELD
    Index(f"{prefix}messages_held", c.organization_id, c.id, sqlite_where=held, postgresql_where=held)
    closed = c.completed_at.is_not(None) & c.segment_id.is_(None)
    Index(f"{prefix}messages_open", c.completed_at, sqlite_where=closed, postgresql_where=closed)
    return table


def _bytes_table(metadata: MetaData, name: str, column: str) -> Table:
    return Table(
        name, metadata, sorted_id(), Column(column, LargeBinary, nullable=False), postgresql_partition_by="RANGE (id)"
    )


def _keys(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}message_keys",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("environment_id", String, primary_key=True),
        Column("key", String, primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("message_id", String, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    Index(f"{prefix}message_keys_age", table.c.created_at)
    return table


def _segments(metadata: MetaData, prefix: str) -> Table:
    table = Table(
        f"{prefix}message_segments",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("environment_id", String, nullable=False),
        Column("status", String, nullable=False),
        Column("hour", BigInteger, nullable=False),
        Column("object_key", String, nullable=False),
        Column("messages", Integer, nullable=False),
        Column("bytes", BigInteger, nullable=False),
        Column("sha256", String, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    Index(f"{prefix}message_segments_hour", table.c.hour)
    return table


def _held_counts(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}held_counts",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("count", BigInteger, nullable=False),
    )


def _links(metadata: MetaData, prefix: str) -> Table:
    """Which message was sent by which, for those that another message's workflow has sent."""
    table = Table(
        f"{prefix}message_links",
        metadata,
        sorted_id(),
        Column("organization_id", String, nullable=False),
        Column("parent_id", String, nullable=False),
        Column("root_id", String, nullable=False),
        Column("depth", Integer, nullable=False),
    )
    Index(f"{prefix}message_links_parent", table.c.parent_id)
    Index(f"{prefix}message_links_root", table.c.root_id)
    return table


def _journals(metadata: MetaData, prefix: str) -> Table:
    """Of each message whose scripts did something: what its evaluation began with (see journal.py)."""
    return Table(
        f"{prefix}message_journals",
        metadata,
        sorted_id(),
        Column("organization_id", String, nullable=False),
        Column("header", LargeBinary, nullable=False),
    )


def _effects(metadata: MetaData, prefix: str) -> Table:
    """What a message's scripts asked for, and what came of it."""
    return Table(
        f"{prefix}message_effects",
        metadata,
        Column("message_id", sorted_id().type, primary_key=True),
        Column("seq", Integer, primary_key=True),
        Column("function", String, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("arguments", LargeBinary, nullable=False),
        Column("key", String, nullable=False),
        Column("state", String, nullable=False),
        Column("delivery", Integer, nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("log", LargeBinary, nullable=False),
    )
