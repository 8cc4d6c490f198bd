"""Exact search in the database: every vector of a space is compared, and nothing is kept in memory.

Vectors have length one, so that the cosine follows from the distance between their ends, which `math.dist` measures in
C: 10,000 vectors of 256 numbers are read and compared in a tenth of a second.
"""

import asyncio
import heapq
import math
import struct
from collections.abc import Collection, Sequence
from itertools import chain, count, repeat
from typing import Any

from sqlalchemy import and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from pulse.memory.tables import MemoryTables
from pulse.memory.vectors.port import Indexed, Space
from pulse.storage.database import Dialect
from pulse.storage.rows import insert_into

# Numbers that are compared at one go, for which nothing else of the process runs: some milliseconds.
AT_ONE_GO = 250_000
_ROWS = 50
# A chunk: its document's id, and its position there.
Spot = tuple[str, int]


def within(table_columns: Any, space: Space) -> ColumnElement[bool]:
    """The condition on a table's columns that a row is of that space."""
    c = table_columns
    place = (c.organization_id == space.organization_id, c.environment_id == space.environment_id)
    return and_(*place, c.namespace == space.namespace)


def packed(vectors: Sequence[Sequence[float]]) -> bytes:
    """Vectors of length one as the table has them."""
    return b"".join(struct.pack(f"<{len(vector)}f", *vector) for vector in vectors)


def unpacked(data: bytes, length: int) -> list[tuple[float, ...]]:
    """What `packed` has packed, of vectors with `length` numbers."""
    return list(struct.iter_unpack(f"<{length}f", data))


def unit(vector: Sequence[float]) -> tuple[float, ...]:
    """The vector of that direction whose length is one. Raises ValueError where it has none."""
    length = math.hypot(*vector)
    if not math.isfinite(length) or length < 1e-12:
        raise ValueError("a vector has a direction")
    return tuple(number / length for number in vector)


class ExactVectors:
    """The vectors of the table. Its methods are called within a transaction."""

    def __init__(self, tables: MemoryTables, dialect: Dialect) -> None:
        self._vectors = tables.vectors
        self._dialect = dialect

    async def put(self, connection: AsyncConnection, space: Space, entry: Indexed) -> None:
        """Keeps a document's vectors in place of those before."""
        await self.remove(connection, space, [entry.document.id])
        vectors = [piece.vector for piece in entry.pieces if piece.vector is not None]
        if not vectors:
            return
        row = {
            "organization_id": space.organization_id,
            "environment_id": space.environment_id,
            "namespace": space.namespace,
            "document_id": entry.document.id,
            "model": entry.known.model,
            "vectors": packed(vectors),
        }
        await connection.execute(insert_into(self._dialect, self._vectors), row)

    async def remove(self, connection: AsyncConnection, space: Space, ids: Collection[str] | None) -> None:
        """Deletes the vectors of these documents; of all, if it is None."""
        c = self._vectors.c
        mine = within(c, space) if ids is None else within(c, space) & c.document_id.in_(ids)
        await connection.execute(delete(self._vectors).where(mine))

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
        c, turns = self._vectors.c, _Turns()
        query = select(c.document_id, c.vectors).where(within(c, space), c.model == model)
        rows = await connection.stream(query.execution_options(yield_per=_ROWS))
        best: list[tuple[float, str, int]] = []
        async for block in rows.partitions():
            for document_id, data in block:
                if allowed is None or document_id in allowed:
                    distances = map(math.dist, repeat(vector), struct.iter_unpack(f"<{len(vector)}f", data))
                    best = heapq.nsmallest(limit, chain(best, zip(distances, repeat(document_id), count())))
                    await turns.take(len(data) // 4)
        return [((document_id, place), max(-1.0, 1.0 - far * far / 2)) for far, document_id, place in best]


class _Turns:
    """Lets the rest of the process run now and then."""

    def __init__(self) -> None:
        self._taken = 0

    async def take(self, numbers: int) -> None:
        self._taken += numbers
        if self._taken > AT_ONE_GO:
            self._taken = 0
            await asyncio.sleep(0)
