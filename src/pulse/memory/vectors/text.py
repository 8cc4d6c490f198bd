"""Full-text search in the database: SQLite's FTS5, or PostgreSQL's tsvector, over words folded in one way.

Whatever has one of the words is a candidate; the database's own ranking picks the first few hundred of them, whose
order and scores are then those of `words.py`, the same on both.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, String, bindparam, column, func, literal_column, select, table, text
from sqlalchemy.dialects.postgresql import REGCONFIG, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.memory.tables import MemoryTables
from pulse.memory.vectors.exact import Spot, within
from pulse.memory.vectors.port import Space
from pulse.memory.vectors.words import scores, terms_of
from pulse.storage.database import Dialect
from pulse.storage.rows import Given

CANDIDATES = 400


class Words:
    """The words of the chunks. Its methods are called within a transaction."""

    def __init__(self, tables: MemoryTables, dialect: Dialect) -> None:
        self._tables = tables
        self._given = Given(dialect, {"id": String()})
        self._candidates = self._in_sqlite() if dialect == "sqlite" else self._in_postgresql()
        self._wanted = _fts5 if dialect == "sqlite" else _websearch

    async def best(
        self,
        connection: AsyncConnection,
        space: Space,
        word: str,
        query: str,
        limit: int,
        allowed: Collection[str] | None,
    ) -> list[tuple[Spot, float]]:
        """The chunks that have most of the query's words, and their scores, best first; `word` stands for the space."""
        terms = terms_of(query)
        if not terms:
            return []
        candidates = self._candidates.where(within(self._tables.chunks.c, space))
        parameters: dict[str, Any] = self._wanted(word, terms)
        if allowed is not None:
            candidates = candidates.where(self._tables.chunks.c.document_id.in_(select(self._given.rows.c.id)))
            parameters |= self._given.parameters([(each,) for each in allowed])
        rows = await connection.execute(candidates, parameters)
        found = scores(terms, {(document_id, place): words for document_id, place, words in rows})
        having = [each for each in found.items() if each[1] > 0]
        return sorted(having, key=lambda each: (-each[1], each[0]))[:limit]

    def _in_sqlite(self) -> Select[Any]:
        c, name = self._tables.chunks.c, self._tables.words
        index = table(name, column("rowid"))
        return (
            select(c.document_id, c.position, c.words)
            .join_from(index, self._tables.chunks, index.c.rowid == c.id)
            .where(text(f"{name} MATCH :wanted"))
            .order_by(text(f"bm25({name})"), c.id)
            .limit(CANDIDATES)
        )

    def _in_postgresql(self) -> Select[Any]:
        c = self._tables.chunks.c
        lexemes = literal_column(f'"{self._tables.chunks.name}".lexemes', TSVECTOR)
        simple = literal_column("'simple'::regconfig", REGCONFIG)
        asked = func.websearch_to_tsquery(simple, bindparam("wanted", type_=String))
        here = func.websearch_to_tsquery(simple, bindparam("here", type_=String))
        matching = lexemes.op("@@", is_comparison=True)(here.op("&&")(asked))
        rank = func.ts_rank_cd(lexemes, asked)
        return select(c.document_id, c.position, c.words).where(matching).order_by(rank.desc(), c.id).limit(CANDIDATES)


def _fts5(word: str, terms: Sequence[str]) -> dict[str, Any]:
    # A term is made of folded words and spaces: nothing in it can end the quotes.
    either = " OR ".join(f'"{term}"' for term in terms)
    return {"wanted": f'space : "{word}" AND words : ({either})'}


def _websearch(word: str, terms: Sequence[str]) -> dict[str, Any]:
    return {"here": f'"{word}"', "wanted": " OR ".join(f'"{term}"' for term in terms)}
