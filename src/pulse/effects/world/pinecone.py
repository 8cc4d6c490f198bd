"""Pinecone, as scripts speak to it themselves: `pineconeUpsert`, `pineconeQuery`, `pineconeDelete`.

The index's host and the key are variables of the environment. All three may be repeated: they come to the same.
"""

from typing import Any

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.effects.world.web import ERRORS, Web
from pulse.models.wire.hiding import shown

API_VERSION = "2026-07"
KEY, HOST = "PINECONE_API_KEY", "PINECONE_HOST"
MAX_VECTORS = 1_000


class Vector(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    id: str
    values: list[float] = []
    metadata: dict[str, Any] = {}
    sparse_values: dict[str, Any] = {}


class Upsert(msgspec.Struct, array_like=True, frozen=True):
    vectors: list[Vector]
    namespace: str = ""


class Query(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    vector: list[float] = []
    id: str | None = None
    top_k: int = 0
    filter: dict[str, Any] = {}
    include_metadata: bool | None = None
    include_values: bool | None = None
    namespace: str = ""
    sparse_vector: dict[str, Any] = {}


class Ask(msgspec.Struct, array_like=True, frozen=True):
    query: Query


class Selection(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    ids: list[str] = []
    filter: dict[str, Any] = {}
    delete_all: bool = False
    namespace: str = ""


class Delete(msgspec.Struct, array_like=True, frozen=True):
    what: list[str] | Selection
    namespace: str = ""


class Pinecone:
    """One index, by the environment's variables."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def effects(self) -> list[Effect[Any]]:
        errors = {
            **ERRORS,
            "not_configured": f"one of the variables {KEY} and {HOST} is not set",
            "unauthorized": "Pinecone does not take the key",
            "rejected": "Pinecone does not take the request; the message says why",
            "rate_limited": "too many requests; retryable",
            "server_error": "Pinecone failed; retryable",
            "bad_answer": "the answer cannot be read; retryable",
        }
        needs = f"With the variables {KEY} and {HOST} (the index's host)."
        return [
            Effect(
                "pineconeUpsert",
                "await pineconeUpsert([{id, values, metadata?, sparseValues?}, …], namespace?)",
                f"Puts vectors into a Pinecone index, at most 1,000 at once. {needs}",
                Upsert,
                self.upsert,
                answers="{upsertedCount}",
                errors=errors,
            ),
            Effect(
                "pineconeQuery",
                "await pineconeQuery({vector | sparseVector | id, topK?, filter?, includeMetadata?, includeValues?, "
                "namespace?})",
                f"The vectors of a Pinecone index that are nearest; topK is 10 and includeMetadata true by "
                f"default. {needs}",
                Ask,
                self.query,
                answers="{matches: [{id, score, metadata?, values?}, …], namespace}",
                errors=errors,
                reads=True,
            ),
            Effect(
                "pineconeDelete",
                "await pineconeDelete(ids | {ids?, filter?, deleteAll?, namespace?}, namespace?)",
                f"Deletes vectors of a Pinecone index. {needs}",
                Delete,
                self.delete,
                answers="{}",
                errors=errors,
            ),
        ]

    async def upsert(self, call: Call, given: Upsert) -> Told:
        if not 1 <= len(given.vectors) <= MAX_VECTORS:
            raise EffectFailed("invalid_arguments", f"vectors: 1 to {MAX_VECTORS} at once, not {len(given.vectors)}.")
        return await self._ask(call, "/vectors/upsert", {"vectors": given.vectors, "namespace": given.namespace})

    async def query(self, call: Call, given: Ask) -> Told:
        query = given.query
        if bool(query.vector or query.sparse_vector) == (query.id is not None):
            raise EffectFailed("invalid_arguments", "query: say a vector, or the id of one.")
        told = msgspec.structs.replace(
            query,
            top_k=query.top_k or 10,
            include_metadata=True if query.include_metadata is None else query.include_metadata,
        )
        return await self._ask(call, "/query", told)

    async def delete(self, call: Call, given: Delete) -> Told:
        what = Selection(ids=given.what) if isinstance(given.what, list) else given.what
        what = msgspec.structs.replace(what, namespace=what.namespace or given.namespace)
        if sum(map(bool, (what.ids, what.filter, what.delete_all))) != 1:
            raise EffectFailed("invalid_arguments", "Say which vectors: ids, a filter, or deleteAll.")
        return await self._ask(call, "/vectors/delete", what)

    async def _ask(self, call: Call, path: str, body: Any) -> Told:
        key, host = call.variables.get(KEY), call.variables.get(HOST)
        if key is None or host is None:
            raise EffectFailed("not_configured", f"Set the variables {KEY} and {HOST} in this environment.")
        base = (host if "://" in host else f"https://{host}").rstrip("/")
        headers = {"api-key": key, "x-pinecone-api-version": API_VERSION}
        reply, data = await self._web.json("POST", f"{base}{path}", headers=headers, body=body)
        told = {"type": "api", "service": "pinecone", "path": path, "status": reply.status}
        told["durationMs"] = reply.elapsed_ms
        if reply.status != 200 or not isinstance(data, dict):
            raise _refused(reply.status, data, key, {**told, "success": False})
        return Told(data, {**told, "success": True})


def _refused(status: int, data: Any, key: str, told: dict[str, Any]) -> EffectFailed:
    """Pinecone's own words say what is wrong; the key is not repeated, whatever a server says."""
    code = {200: "bad_answer", 401: "unauthorized", 403: "unauthorized", 429: "rate_limited"}.get(status)
    code = code or ("server_error" if status >= 500 else "rejected")
    said = data.get("message") if isinstance(data, dict) else None
    words = f"Pinecone answered {status}{f': {shown(said, (key,))}' if isinstance(said, str) else ''}."
    retryable = code in ("rate_limited", "server_error", "bad_answer")
    return EffectFailed(code, words, retryable=retryable, log={**told, "code": code})
