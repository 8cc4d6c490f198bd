"""Search by pgvector, where the database is PostgreSQL with that extension: exact too, but compared in the server.

The vectors stay in the table of `exact.py`, and a second table has them once more in pgvector's own type: the extension
may come and go, and `prepare` brings that table up to date. Vectors of several models, and so of several lengths,
share its column, which is why it has no approximate index.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.memory.tables import MemoryTables
from pulse.memory.vectors.exact import ExactVectors, Spot, unpacked
from pulse.memory.vectors.port import Indexed, Space
from pulse.storage.database import Database
from pulse.storage.narrowing import NARROWED_TO, let_narrow

_BATCH = 100


async def has_pgvector(database: Database) -> bool:
    """Whether the extension is there and in force: `CREATE EXTENSION vector`, by whoever may, puts it so."""
    if database.dialect != "postgresql":
        return False
    async with database.read() as connection:
        return await connection.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'vector'")) is not None


class PgVectors:
    """Vectors as pgvector has them. Its methods but `prepare` are called within a transaction."""

    def __init__(self, database: Database, tables: MemoryTables) -> None:
        self._database = database
        self._exact = ExactVectors(tables, database.dialect)
        self._parts = {
            "table": f'"{database.prefix}memory_pgvectors"',
            "source": f'"{tables.vectors.name}"',
            "vector": _VECTOR,
            "here": _HERE,
        }

    async def prepare(self) -> int:
        """Makes the table, and copies what was put before it was there; returns how many documents that were."""
        async with self._database.write() as connection:
            await connection.execute(self._text(_CREATE))
            if not (await connection.execute(self._text(_IS_PROTECTED))).scalar_one():
                await connection.execute(self._text(_ENABLE))
                await connection.execute(self._text(_PROTECT))
                await connection.run_sync(let_narrow, self._database.prefix)
        copied = 0
        while some := await self._copy():
            copied += some
        return copied

    async def put(self, connection: AsyncConnection, space: Space, entry: Indexed) -> None:
        """Keeps a document's vectors in place of those before."""
        await self._exact.put(connection, space, entry)
        await self._remove(connection, space, [entry.document.id])
        vectors = [piece.vector for piece in entry.pieces if piece.vector is not None]
        await self._add(connection, _rows(_place(space), entry.document.id, entry.known.model, vectors))

    async def remove(self, connection: AsyncConnection, space: Space, ids: Collection[str] | None) -> None:
        """Deletes the vectors of these documents; of all, if it is None."""
        await self._exact.remove(connection, space, ids)
        await self._remove(connection, space, ids)

    async def nearest(
        self,
        connection: AsyncConnection,
        space: Space,
        model: str,
        vector: Sequence[float],
        limit: int,
        allowed: Collection[str] | None,
    ) -> list[tuple[Spot, float]]:
        """The chunks nearest to a vector, and their cosines, best first. `allowed`: documents to look at; None: all."""
        query = self._text(_NEAREST, allowed=_ALL if allowed is None else _ONLY)
        parameters = {**_place(space), "model": model, "vector": _literal(vector), "limit": limit}
        if allowed is not None:
            parameters["ids"] = sorted(allowed)
        rows = await connection.execute(query, parameters)
        return [((row.document_id, row.position), float(row.similarity)) for row in rows]

    async def _remove(self, connection: AsyncConnection, space: Space, ids: Collection[str] | None) -> None:
        query = self._text(_DELETE, allowed=_ALL if ids is None else _ONLY)
        await connection.execute(query, {**_place(space), **({} if ids is None else {"ids": list(ids)})})

    async def _add(self, connection: AsyncConnection, rows: Iterator[Mapping[str, Any]]) -> None:
        if listed := list(rows):
            await connection.execute(self._text(_INSERT), listed)

    def _text(self, statement: str, **parts: str) -> TextClause:
        return text(statement.format(**self._parts, **parts))

    async def _copy(self) -> int:
        """Copies some of the documents that are not there yet; returns how many."""
        async with self._database.write() as connection:
            rows = (await connection.execute(self._text(_MISSING), {"limit": _BATCH})).mappings().all()
            for row in rows:
                place = {name: row[name] for name in ("organization_id", "environment_id", "namespace")}
                vectors = unpacked(row["vectors"], int(row["model"].rpartition("/")[2]))
                await self._add(connection, _rows(place, row["document_id"], row["model"], vectors))
            return len(rows)


def _rows(
    place: Mapping[str, str], document_id: str, model: str | None, vectors: Sequence[Sequence[float]]
) -> Iterator[dict[str, Any]]:
    for position, vector in enumerate(vectors):
        row = {"document_id": document_id, "position": position, "model": model, "vector": _literal(vector)}
        yield {**place, **row}


def _place(space: Space) -> dict[str, Any]:
    return {
        "organization_id": space.organization_id,
        "environment_id": space.environment_id,
        "namespace": space.namespace,
    }


def _literal(vector: Sequence[float]) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(map(repr, vector)) + "]"


# The driver knows no vectors: they are passed as text.
_VECTOR = "CAST(CAST(:vector AS text) AS vector)"
_HERE = "organization_id = :organization_id AND environment_id = :environment_id AND namespace = :namespace"
_ALL, _ONLY = "", "AND document_id = ANY(CAST(:ids AS text[]))"
_CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
  organization_id text NOT NULL, environment_id text NOT NULL, namespace text NOT NULL, document_id text NOT NULL,
  position integer NOT NULL, model text NOT NULL, embedding vector NOT NULL,
  PRIMARY KEY (organization_id, environment_id, namespace, document_id, position)
)"""
_IS_PROTECTED = "SELECT relrowsecurity FROM pg_class WHERE oid = CAST('{table}' AS regclass)"
_ENABLE = "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
_PROTECT = f"CREATE POLICY own ON {{table}} USING (organization_id = {NARROWED_TO})"
_INSERT = """
INSERT INTO {table} (organization_id, environment_id, namespace, document_id, position, model, embedding)
VALUES (:organization_id, :environment_id, :namespace, :document_id, :position, :model, {vector})"""
_DELETE = "DELETE FROM {table} WHERE {here} {allowed}"
_NEAREST = """
SELECT document_id, position, 1 - (embedding <=> {vector}) AS similarity FROM {table}
WHERE {here} AND model = :model {allowed}
ORDER BY embedding <=> {vector}, document_id COLLATE "C", position LIMIT :limit"""
# A document that is put meanwhile is put in both tables: it waits for this lock, or this waits for it.
_MISSING = """
SELECT v.* FROM {source} v
WHERE NOT EXISTS (
  SELECT FROM {table} p WHERE p.organization_id = v.organization_id AND p.environment_id = v.environment_id
  AND p.namespace = v.namespace AND p.document_id = v.document_id
)
LIMIT :limit FOR UPDATE OF v"""
