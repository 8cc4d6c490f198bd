"""Documents in the database: their chunks, words and vectors, always written together."""

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import TooLarge
from pulse.memory.tables import MemoryTables
from pulse.memory.vectors.exact import Spot, within
from pulse.memory.vectors.filters import condition_of
from pulse.memory.vectors.port import Document, Indexed, Known, Match, Piece, Space
from pulse.memory.vectors.text import Words
from pulse.memory.vectors.words import folded
from pulse.storage.database import Database
from pulse.storage.rows import insert_into
from pulse.tenancy.places.holding import Holds

MAX_CHUNKS = 50_000


class Vectors(Protocol):
    """How vectors are searched: exactly (`exact.py`), or by pgvector (`pgvector.py`)."""

    async def put(self, connection: AsyncConnection, space: Space, entry: Indexed) -> None: ...

    async def remove(self, connection: AsyncConnection, space: Space, ids: Collection[str] | None) -> None: ...

    async def nearest(
        self,
        connection: AsyncConnection,
        space: Space,
        model: str,
        vector: Sequence[float],
        limit: int,
        allowed: Collection[str] | None,
    ) -> list[tuple[Spot, float]]: ...


class DatabaseIndex:
    """Vector memory in the database; implements `Index` and `TextIndex`. A space has at most `max_chunks` chunks.

    It keeps documents in an environment that stays meanwhile (`places`).
    """

    def __init__(
        self,
        database: Database,
        tables: MemoryTables,
        vectors: Vectors,
        places: Holds,
        clock: Clock,
        *,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:
        self._database = database
        self._tables = tables
        self._places = places
        self._vectors = vectors
        self._words = Words(tables, database.dialect)
        self._clock = clock
        self._max_chunks = max_chunks

    def use(self, vectors: Vectors) -> None:
        """From now on vectors are kept and searched in another way."""
        self._vectors = vectors

    async def known(self, space: Space, ids: Sequence[str]) -> Mapping[str, Known]:
        c = self._tables.documents.c
        query = select(c.id, c.digest, c.key, c.model).where(within(c, space), c.id.in_(ids))
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return {row.id: Known(row.digest, row.key, row.model) for row in rows}

    async def put(self, space: Space, entries: Sequence[Indexed]) -> None:
        """Raises TooLarge where the space would have too many chunks; then nothing is changed.

        Raises NotFound where its environment is gone.
        """
        ready = await asyncio.to_thread(_ready, space, entries)
        async with self._database.write() as connection:
            await self._places.hold(connection, space.organization_id, space.environment_id)
            for entry, rows in ready:
                await self._put(connection, space, entry, rows)
            await self._require_room(connection, space)

    async def revise(self, space: Space, entries: Sequence[Indexed]) -> int:
        c, revised = self._tables.documents.c, 0
        ready = await asyncio.to_thread(_ready, space, entries)
        async with self._database.write() as connection:
            for entry, rows in ready:
                mine = within(c, space) & (c.id == entry.document.id)
                digest = await connection.scalar(select(c.digest).where(mine).with_for_update())
                if digest == entry.known.digest:
                    await self._put(connection, space, entry, rows)
                    revised += 1
        return revised

    async def outdated(self, space: Space, model: str, limit: int) -> Sequence[Indexed]:
        c = self._tables.documents.c
        query = select(self._tables.documents).where(within(c, space), c.model.is_distinct_from(model), c.chunks > 0)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(c.id).limit(limit))).all()
            return [await self._read(connection, space, row) for row in rows]

    async def search(
        self, space: Space, model: str, vector: Sequence[float], limit: int, condition: Mapping[str, Any] | None
    ) -> Sequence[Match]:
        async with self._database.read() as connection:
            allowed = await self._meeting(connection, space, condition)
            nearest = await self._vectors.nearest(connection, space, model, vector, limit, allowed)
            return await self._matches(connection, space, nearest)

    async def search_text(
        self, space: Space, query: str, limit: int, condition: Mapping[str, Any] | None
    ) -> Sequence[Match]:
        async with self._database.read() as connection:
            allowed = await self._meeting(connection, space, condition)
            best = await self._words.best(connection, space, space_word(space), query, limit, allowed)
            return await self._matches(connection, space, best)

    async def unsearched(self, space: Space, model: str | None) -> int:
        c = self._tables.documents.c
        query = select(func.coalesce(func.sum(c.chunks), 0)).where(within(c, space), c.model.is_distinct_from(model))
        async with self._database.read() as connection:
            return int(await connection.scalar(query) or 0)

    async def delete(self, space: Space, ids: Sequence[str]) -> None:
        async with self._database.write() as connection:
            await self._remove(connection, space, ids)

    async def clear(self, space: Space) -> None:
        async with self._database.write() as connection:
            await self._remove(connection, space, None)

    async def check(self) -> None:
        async with self._database.read() as connection:
            await connection.execute(select(self._tables.documents.c.id).limit(1))

    # ---- within a transaction --------------------------------------------------------------------------------

    async def count(
        self, connection: AsyncConnection, organization_id: str, environment_id: str | None
    ) -> Mapping[str, int]:
        """How much an environment, or (None) a whole organization, has here, for whoever deletes it."""
        c, found = self._tables.documents.c, 0
        for space in await self._spaces(connection, organization_id, environment_id):
            found += await connection.scalar(select(func.count(c.id)).where(within(c, space))) or 0
        return {"documents in memory": found}

    async def remove(self, connection: AsyncConnection, organization_id: str, environment_id: str | None) -> None:
        """Deletes all that an environment, or (None) a whole organization, has here."""
        for space in await self._spaces(connection, organization_id, environment_id):
            await self._remove(connection, space, None)

    async def _spaces(
        self, connection: AsyncConnection, organization_id: str, environment_id: str | None
    ) -> Sequence[Space]:
        c = self._tables.documents.c
        query = select(c.organization_id, c.environment_id, c.namespace).where(c.organization_id == organization_id)
        if environment_id is not None:
            query = query.where(c.environment_id == environment_id)
        return [Space(*row) for row in await connection.execute(query.distinct())]

    async def _put(
        self, connection: AsyncConnection, space: Space, entry: Indexed, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        await self._upsert_document(connection, space, entry)
        await self._remove_chunks(connection, space, [entry.document.id])
        if rows:
            await connection.execute(insert(self._tables.chunks), list(rows))
        await self._vectors.put(connection, space, entry)

    async def _upsert_document(self, connection: AsyncConnection, space: Space, entry: Indexed) -> None:
        documents, document = self._tables.documents, entry.document
        row = {
            **_place(space),
            "id": document.id,
            "title": document.title,
            "metadata": msgspec.json.encode(document.metadata).decode(),
            "digest": entry.known.digest,
            "key": entry.known.key,
            "model": entry.known.model,
            "chunks": len(entry.pieces),
            "updated_at": self._clock.now_ms(),
        }
        made = insert_into(self._database.dialect, documents).values(row)
        keys = [column.name for column in documents.primary_key]
        changes = {name: made.excluded[name] for name in row if name not in keys}
        # Whoever puts the same document at the same time waits here.
        await connection.execute(made.on_conflict_do_update(index_elements=keys, set_=changes))

    async def _require_room(self, connection: AsyncConnection, space: Space) -> None:
        c = self._tables.documents.c
        count = await connection.scalar(select(func.sum(c.chunks)).where(within(c, space))) or 0
        if count > self._max_chunks:
            raise TooLarge(
                f"The namespace {space.namespace} would have {count:,} chunks, more than {self._max_chunks:,}: "
                "delete some documents, or use several namespaces."
            )

    async def _remove(self, connection: AsyncConnection, space: Space, ids: Sequence[str] | None) -> None:
        c = self._tables.documents.c
        mine = within(c, space) if ids is None else within(c, space) & c.id.in_(ids)
        await connection.execute(delete(self._tables.documents).where(mine))
        await self._remove_chunks(connection, space, ids)
        await self._vectors.remove(connection, space, ids)

    async def _remove_chunks(self, connection: AsyncConnection, space: Space, ids: Sequence[str] | None) -> None:
        c = self._tables.chunks.c
        mine = within(c, space) if ids is None else within(c, space) & c.document_id.in_(ids)
        await connection.execute(delete(self._tables.chunks).where(mine))

    async def _read(self, connection: AsyncConnection, space: Space, row: Any) -> Indexed:
        c = self._tables.chunks.c
        query = select(c.position, c.content).where(within(c, space), c.document_id == row.id).order_by(c.position)
        pieces = [Piece(position, content) for position, content in await connection.execute(query)]
        document = Document(row.id, "", row.title, msgspec.json.decode(row.metadata))
        return Indexed(document, pieces, Known(row.digest, row.key, row.model))

    async def _meeting(
        self, connection: AsyncConnection, space: Space, condition: Mapping[str, Any] | None
    ) -> frozenset[str] | None:
        """The documents that meet a condition; None where there is none to meet."""
        if condition is None:
            return None
        meets, c = condition_of(condition), self._tables.documents.c
        rows = await connection.execute(select(c.id, c.metadata).where(within(c, space)))
        return frozenset(each for each, metadata in rows if meets(msgspec.json.decode(metadata)))

    async def _matches(
        self, connection: AsyncConnection, space: Space, found: Sequence[tuple[Spot, float]]
    ) -> Sequence[Match]:
        c, d = self._tables.chunks.c, self._tables.documents.c
        same = within(d, space) & (d.id == c.document_id)
        spots = tuple_(c.document_id, c.position).in_([spot for spot, _ in found])
        query = select(c.document_id, c.position, c.content, d.title, d.metadata).where(within(c, space), same, spots)
        rows = {(row.document_id, row.position): row for row in await connection.execute(query)}
        return [_match(rows[spot], similarity) for spot, similarity in found if spot in rows]


def space_word(space: Space) -> str:
    """One word that no text has, and no other space."""
    place = json.dumps([space.organization_id, space.environment_id, space.namespace])
    return "s" + hashlib.sha256(place.encode()).hexdigest()[:31]


def _place(space: Space) -> dict[str, str]:
    return {
        "organization_id": space.organization_id,
        "environment_id": space.environment_id,
        "namespace": space.namespace,
    }


def _ready(space: Space, entries: Sequence[Indexed]) -> list[tuple[Indexed, list[dict[str, Any]]]]:
    """Entries with the rows of their chunks; in one order, so that two who put the same do not wait for each other."""
    ordered = sorted(entries, key=lambda each: each.document.id)
    return [(entry, [_chunk_row(space, entry.document, piece) for piece in entry.pieces]) for entry in ordered]


def _chunk_row(space: Space, document: Document, piece: Piece) -> dict[str, Any]:
    return {
        **_place(space),
        "document_id": document.id,
        "position": piece.position,
        "content": piece.content,
        "space": space_word(space),
        "words": folded(f"{document.title} {piece.content}"),
    }


def _match(row: Any, similarity: float) -> Match:
    metadata = msgspec.json.decode(row.metadata)
    return Match(row.document_id, row.title, row.content, similarity, metadata, row.position)
