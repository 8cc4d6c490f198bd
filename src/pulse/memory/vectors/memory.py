"""Vector memory: documents are cut, embedded and indexed, and found again by what they mean.

Where there is no embedding model, they are found by their words, and the answer says so.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pulse.core.errors import Fault, InvalidFields, Misconfigured
from pulse.memory.vectors.chunks import split
from pulse.memory.vectors.exact import unit
from pulse.memory.vectors.filters import condition_of
from pulse.memory.vectors.port import Document, Embedder, Found, Index, Indexed, Known, Piece, Space, TextIndex

MAX_DOCUMENTS = 100
MAX_CHUNKS = 2_000
MAX_LIMIT = 100
MAX_QUERY = 8_192
# Texts in one request to a model.
BATCH = 96


@dataclass(frozen=True)
class Upserted:
    """What became of documents: how many chunks were indexed, and the ids of those that were there already."""

    chunks: int
    unchanged: tuple[str, ...] = ()


class VectorMemory:
    """Documents in an index. `texts` is that index again, where it keeps the texts too; without `embedder` it must.

    Beside what is said below, methods raise what the index and the embedder raise.
    """

    def __init__(self, index: Index, *, embedder: Embedder | None = None, texts: TextIndex | None = None) -> None:
        if embedder is None and texts is None:
            raise Misconfigured(
                "Vector memory needs an embedding model here: set EMBEDDING_MODEL_ID, or unset Pinecone."
            )
        self._index = index
        self._embedder = embedder
        self._texts = texts

    async def upsert(self, space: Space, documents: Sequence[Document], *, key: str | None = None) -> Upserted:
        """Indexes at most 100 documents in place of what is there under their ids.

        One that is there already, with the same text, title, metadata and model, or put with this `key` before, is
        left as it is, and no model is asked. Raises InvalidFields.
        """
        _require(1 <= len(documents) <= MAX_DOCUMENTS, "documents", f"Index 1 to {MAX_DOCUMENTS} documents at once.")
        ids = [document.id for document in documents]
        _require(len(set(ids)) == len(ids), "documents", "Each document has an id of its own.")
        known = await self._index.known(space, ids)
        cut = await asyncio.to_thread(self._cut_changed, documents, known, key)
        count = sum(len(entry.pieces) for entry in cut)
        _require(count <= MAX_CHUNKS, "documents", f"That is {count:,} chunks; index at most {MAX_CHUNKS:,} at once.")
        if cut:
            await self._index.put(space, await self._embedded(cut))
        changed = {entry.document.id for entry in cut}
        unchanged = tuple(each for each in ids if each not in changed)
        return Upserted(count, unchanged)

    async def search(
        self, space: Space, query: str, limit: int = 5, *, condition: Mapping[str, Any] | None = None
    ) -> Found:
        """The chunks that fit a query best, at most 100. `condition` is on documents' metadata, see `filters.py`.

        Raises InvalidFields.
        """
        _require(len(query) <= MAX_QUERY, "query", f"A query has at most {MAX_QUERY:,} characters.")
        _require(bool(query.strip()), "query", "A query is a text that is not blank.")
        _require(1 <= limit <= MAX_LIMIT, "limit", f"Ask for 1 to {MAX_LIMIT} matches.")
        if condition is not None:
            condition_of(condition)
        if self._embedder is None:
            return await self._search_text(space, query, limit, condition)
        [vector] = await self._vectors([query])
        model = self._label(vector)
        matches = await self._index.search(space, model, vector, limit, condition)
        return Found("vector", matches, await self._index.unsearched(space, model))

    async def delete(self, space: Space, ids: Sequence[str]) -> None:
        """Deletes at most 100 documents; one that is not there is no error. Raises InvalidFields."""
        _require(1 <= len(ids) <= MAX_DOCUMENTS, "ids", f"Delete 1 to {MAX_DOCUMENTS} documents at once.")
        await self._index.delete(space, ids)

    async def clear(self, space: Space) -> None:
        """Deletes every document of the space."""
        await self._index.clear(space)

    async def check(self) -> None:
        """Whether it can be searched now."""
        await self._index.check()

    async def re_embed(self, space: Space, *, limit: int = 20) -> int:
        """Embeds documents anew that searches cannot see, for they were embedded by another model, or by none.

        At most `limit` of them; returns how many: 0 when all are done, or where the index keeps no texts.
        """
        if self._embedder is None or self._texts is None:
            return 0
        [probe] = await self._vectors(["probe"])
        outdated = await self._texts.outdated(space, self._label(probe), limit)
        return await self._texts.revise(space, await self._embedded(outdated)) if outdated else 0

    async def _search_text(self, space: Space, query: str, limit: int, condition: Mapping[str, Any] | None) -> Found:
        assert self._texts is not None, "checked when it was made"
        return Found("full_text", await self._texts.search_text(space, query, limit, condition))

    def _cut_changed(self, documents: Sequence[Document], known: Mapping[str, Known], key: str | None) -> list[Indexed]:
        return [_cut(each, key) for each in documents if not self._is_there(each, known.get(each.id), key)]

    def _is_there(self, document: Document, known: Known | None, key: str | None) -> bool:
        """The length of vectors is not known before there is one: a label is compared without it."""
        if known is None:
            return False
        wanted = None if self._embedder is None else self._embedder.name
        model = known.model.rpartition("/")[0] if known.model else None
        is_same = known.digest == _digest(document) or (key is not None and known.key == key)
        return is_same and (model == wanted or wanted is None)

    async def _embedded(self, entries: Sequence[Indexed]) -> list[Indexed]:
        """The same with vectors, where there is a model."""
        if self._embedder is None:
            return list(entries)
        texts = [_text_of(entry.document, piece) for entry in entries for piece in entry.pieces]
        vectors = iter(await self._vectors(texts))
        return [self._with_vectors(entry, [next(vectors) for _ in entry.pieces]) for entry in entries]

    def _with_vectors(self, entry: Indexed, vectors: Sequence[Sequence[float]]) -> Indexed:
        pieces = [replace(piece, vector=vector) for piece, vector in zip(entry.pieces, vectors, strict=True)]
        model = self._label(vectors[0]) if vectors else None
        return Indexed(entry.document, pieces, replace(entry.known, model=model))

    def _label(self, vector: Sequence[float]) -> str:
        """What tells vectors that can be compared: their model and their length, which some models let one choose."""
        assert self._embedder is not None, "there are no vectors without"
        return f"{self._embedder.name}/{len(vector)}"

    async def _vectors(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Vectors of length one. Raises Misconfigured where the model's are none."""
        assert self._embedder is not None, "there are no vectors without"
        vectors: list[tuple[float, ...]] = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            made = await self._embedder.embed(batch)
            try:
                vectors += [unit(vector) for _, vector in zip(batch, made, strict=True)]
            except (ValueError, OverflowError, TypeError):
                raise Misconfigured(
                    f"{self._embedder.name} does not give one vector a text: choose another model."
                ) from None
        if len({len(vector) for vector in vectors}) > 1:
            raise Misconfigured(f"{self._embedder.name} gives vectors of several lengths: choose another model.")
        return vectors


def _cut(document: Document, key: str | None) -> Indexed:
    texts = [chunk.text for chunk in split(document.content) if not chunk.text.isspace()]
    pieces = [Piece(position, text) for position, text in enumerate(texts)]
    return Indexed(document, pieces, Known(_digest(document), key, None))


def _digest(document: Document) -> str:
    """Stands for all that a document says."""
    said = msgspec.json.encode([document.title, document.content, document.metadata], order="deterministic")
    return hashlib.sha256(said).hexdigest()


def _text_of(document: Document, piece: Piece) -> str:
    return f"{document.title}\n\n{piece.content}" if document.title else piece.content


def _require(holds: bool, path: str, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise InvalidFields([Fault(path, "invalid", message)])
