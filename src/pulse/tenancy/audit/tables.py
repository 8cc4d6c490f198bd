"""The tables of the audit. They refer to no other table: what was done outlasts what it was done to."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table, Text, text


@dataclass(frozen=True)
class AuditTables:
    entries: Table
    heads: Table


def audit_tables(metadata: MetaData, prefix: str) -> AuditTables:
    return AuditTables(_entries(metadata, prefix), _heads(metadata, prefix))


def _entries(metadata: MetaData, prefix: str) -> Table:
    entries = Table(
        f"{prefix}audit_entries",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("environment_id", String, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("actor_kind", String, nullable=False),
        Column("actor_id", String, nullable=False),
        Column("action", String, nullable=False),
        Column("outcome", String, nullable=False),
        Column("reason", String, nullable=False),
        Column("method", String, nullable=False),
        Column("path", Text, nullable=False),
        Column("address", String, nullable=False),
        Column("subjects", Text, nullable=False),
        Column("sequence", BigInteger),
        Column("hash", LargeBinary),
    )
    c, waiting = entries.c, text("sequence IS NULL")
    Index(f"{prefix}audit_entries_at", c.organization_id, c.at, c.id)
    Index(f"{prefix}audit_entries_sequence", c.organization_id, c.sequence, unique=True)
    name = f"{prefix}audit_entries_unsealed"
    Index(name, c.organization_id, c.id, sqlite_where=waiting, postgresql_where=waiting)
    return entries


def _heads(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}audit_heads",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("entries", BigInteger, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Column("sealed_at", BigInteger, nullable=False),
    )
