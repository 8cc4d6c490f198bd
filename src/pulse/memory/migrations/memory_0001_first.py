"""Documents of vector memory, their chunks, vectors and words."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix
from pulse.storage.types import JSON_TEXT

revision = "memory_0001"
down_revision = None
branch_labels = ("memory",)
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    op.create_table(
        f"{prefix}memory_documents",
        *_place(primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("metadata", JSON_TEXT, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("key", sa.String),
        sa.Column("model", sa.String),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        f"{prefix}memory_chunks",
        sa.Column("id", counted, primary_key=True),
        *_place(primary_key=False),
        sa.Column("document_id", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("space", sa.String, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )
    place = ["organization_id", "environment_id", "namespace", "document_id"]
    op.create_index(f"{prefix}memory_chunks_place", f"{prefix}memory_chunks", [*place, "position"], unique=True)
    op.create_table(
        f"{prefix}memory_vectors",
        *_place(primary_key=True),
        sa.Column("document_id", sa.String, primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
    )
    statements = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    for statement in statements:
        op.get_bind().exec_driver_sql(statement.format(prefix=prefix))


def _place(*, primary_key: bool) -> list[sa.Column[str]]:
    names = ("organization_id", "environment_id", "namespace")
    return [sa.Column(name, sa.String, primary_key=primary_key, nullable=False) for name in names]


# The index has no copy of what it indexes. It is kept in step by triggers; a chunk is made and deleted, never changed.
_SQLITE = (
    """CREATE VIRTUAL TABLE {prefix}memory_words USING fts5(
        space, words, content='{prefix}memory_chunks', content_rowid='id', tokenize='unicode61 remove_diacritics 0')""",
    """CREATE TRIGGER {prefix}memory_words_added AFTER INSERT ON {prefix}memory_chunks BEGIN
        INSERT INTO {prefix}memory_words(rowid, space, words) VALUES (new.id, new.space, new.words); END""",
    """CREATE TRIGGER {prefix}memory_words_removed AFTER DELETE ON {prefix}memory_chunks BEGIN
        INSERT INTO {prefix}memory_words({prefix}memory_words, rowid, space, words)
        VALUES ('delete', old.id, old.space, old.words); END""",
)
_POSTGRESQL = (
    """ALTER TABLE "{prefix}memory_chunks" ADD COLUMN lexemes tsvector
        GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, space || ' ' || words)) STORED""",
    'CREATE INDEX "{prefix}memory_chunks_lexemes" ON "{prefix}memory_chunks" USING gin (lexemes)',
)
