"""The tables of vector memory.

The index of words is made by the migration, for neither database has it as a table or column like the others: SQLite's
is a virtual table, `memory_words`, and PostgreSQL's a generated column of the chunks, `lexemes`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from pulse.storage.branches import Branch
from pulse.storage.types import JSON_TEXT

BRANCH = Branch("memory", Path(__file__).parent / "migrations")
# SQLite counts up by itself only what it calls INTEGER.
COUNTED = BigInteger().with_variant(Integer(), "sqlite")


@dataclass(frozen=True)
class MemoryTables:
    """`words` is the name of SQLite's index of words, whose rows are those of `chunks`; on PostgreSQL there is none."""

    metadata: MetaData
    documents: Table
    chunks: Table
    vectors: Table
    words: str


@cache
def memory_tables(prefix: str) -> MemoryTables:
    metadata = MetaData()
    documents = Table(
        f"{prefix}memory_documents",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("environment_id", String, primary_key=True),
        Column("namespace", String, primary_key=True),
        Column("id", String, primary_key=True),
        Column("title", Text, nullable=False),
        Column("metadata", JSON_TEXT, nullable=False),
        Column("digest", String, nullable=False),
        Column("key", String),
        Column("model", String),
        Column("chunks", Integer, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    )
    return MemoryTables(
        metadata, documents, _chunks(metadata, prefix), _vectors(metadata, prefix), f"{prefix}memory_words"
    )


def _chunks(metadata: MetaData, prefix: str) -> Table:
    chunks = Table(
        f"{prefix}memory_chunks",
        metadata,
        Column("id", COUNTED, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("environment_id", String, nullable=False),
        Column("namespace", String, nullable=False),
        Column("document_id", String, nullable=False),
        Column("position", Integer, nullable=False),
        Column("content", Text, nullable=False),
        # One word that stands for the space, and the words of title and content as `words.py` folds them.
        Column("space", String, nullable=False),
        Column("words", Text, nullable=False),
    )
    c = chunks.c
    place = (c.organization_id, c.environment_id, c.namespace, c.document_id, c.position)
    Index(f"{prefix}memory_chunks_place", *place, unique=True)
    return chunks


def _vectors(metadata: MetaData, prefix: str) -> Table:
    """Apart from the texts, so that a search reads nothing else; one row a document, for rows cost more than numbers.

    `vectors`: those of its chunks, in their order; float32, little endian, each of length one.
    """
    return Table(
        f"{prefix}memory_vectors",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("environment_id", String, primary_key=True),
        Column("namespace", String, primary_key=True),
        Column("document_id", String, primary_key=True),
        Column("model", String, nullable=False),
        Column("vectors", LargeBinary, nullable=False),
    )
