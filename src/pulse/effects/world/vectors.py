"""Vector memory: `vectorUpsert` and `vectorSearch`, in the database or in Pinecone, as the installation is set up."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec

from pulse.core.errors import Conflict, InvalidFields, Misconfigured, NotFound, TooLarge, Unavailable
from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.port import Document, IndexFailed, Space
from pulse.models.port import ModelFailed

T = TypeVar("T")
ERRORS = {
    "invalid_arguments": "a document, a query or a filter is not as it must be; the message says where",
    "index_failed": "the index refused or failed",
    "unavailable": "the database or the index cannot be reached (retryable), or EMBEDDING_MODEL_ID is none",
    "model_failed": "the embedding model gave no answer",
}


class Item(msgspec.Struct, frozen=True):
    id: str
    content: str
    title: str = ""
    metadata: dict[str, Any] = {}


class Upsert(msgspec.Struct, array_like=True, frozen=True):
    documents: list[Item] | Item
    namespace: str = "default"


class Options(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    namespace: str = "default"
    filter: dict[str, Any] | None = None


class Search(msgspec.Struct, array_like=True, frozen=True):
    query: str
    limit: int = 5
    options: Options = Options()


class Vectors:
    """Documents that scripts keep and find, each environment its own."""

    def __init__(self, memory: VectorMemory | None) -> None:
        self._memory = memory

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "vectorUpsert",
                "await vectorUpsert(documents, namespace?)",
                "Keeps documents {id, content, title?, metadata?}, at most 100, in place of those with the same "
                "ids; cut into "
                "chunks and embedded where there is an embedding model.",
                Upsert,
                self.upsert,
                answers="{chunks, unchanged}",
                errors=ERRORS,
            ),
            Effect(
                "vectorSearch",
                "await vectorSearch(query, limit = 5, {namespace?, filter?})",
                "The chunks that fit best. Without an embedding model they are found by their words, and the "
                "execution log "
                "says mode full_text.",
                Search,
                self.search,
                answers="[{title, content, similarity, id, metadata}, …], best first",
                errors=ERRORS,
                reads=True,
            ),
        ]

    async def upsert(self, call: Call, given: Upsert) -> Told:
        items = given.documents if isinstance(given.documents, list) else [given.documents]

        async def put() -> Any:
            documents = [Document(each.id, each.content, each.title, each.metadata) for each in items]
            return await self._known().upsert(_space(call, given.namespace), documents, key=call.key)

        told = {"type": "api", "service": "vectors", "documents": len(items)}
        done = await _told(put(), told)
        answer = {"chunks": done.chunks, "unchanged": list(done.unchanged)}
        return Told(answer, {**told, "chunks": done.chunks, "success": True})

    async def search(self, call: Call, given: Search) -> Told:
        async def find() -> Any:
            space = _space(call, given.options.namespace)
            return await self._known().search(space, given.query, given.limit, condition=given.options.filter)

        told = {"type": "api", "service": "vectors", "limit": given.limit}
        found = await _told(find(), told)
        told |= {"mode": found.mode, "found": len(found.matches), "success": True}
        if found.unsearched:
            told["unsearched"] = found.unsearched
        matches = [
            {
                "title": each.title,
                "content": each.content,
                "similarity": each.similarity,
                "id": each.id,
                "metadata": each.metadata,
            }
            for each in found.matches
        ]
        return Told(matches, told)

    def _known(self) -> VectorMemory:
        if self._memory is None:
            raise EffectFailed("not_available", "There is no vector memory here.")
        return self._memory


def _space(call: Call, namespace: str) -> Space:
    return Space(call.work.organization_id, call.work.environment_id, namespace)


async def _told(answer: Awaitable[T], told: dict[str, Any]) -> T:
    try:
        return await answer
    except (InvalidFields, TooLarge) as error:
        raise _failed("invalid_arguments", error.message, told) from None
    except IndexFailed as error:
        raise _failed("index_failed", error.message, told, retryable=error.retryable) from None
    except ModelFailed as error:
        raise _failed("model_failed", error.message, told, retryable=error.retryable) from None
    except (Unavailable, Misconfigured, NotFound, Conflict) as error:
        raise _failed("unavailable", error.message, told, retryable=isinstance(error, Unavailable)) from None


def _failed(code: str, words: str, told: dict[str, Any], *, retryable: bool = False) -> EffectFailed:
    return EffectFailed(code, words, retryable=retryable, log={**told, "success": False, "code": code})
