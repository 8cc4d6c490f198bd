"""Vectors in Pinecone, by its REST API of 2026-07: upsert, query, fetch, list, delete.

A space is a namespace of the index, named by organization, environment and namespace. A chunk is a record whose
metadata are the document's and, under names that begin with `_`, what else there is to know of it. What was written
may take Pinecone some seconds to find.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from pulse.egress.port import Egress, EgressError, Reply, Request, TimedOut
from pulse.memory.vectors.port import Indexed, IndexFailed, Known, Match, Piece, Space

API_VERSION = "2026-07"
_BATCH = 100
# Of one document there are at most some 2,000 chunks.
_PAGES = 50
_REASONS = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 429: "rate_limited"}


class PineconeIndex:
    """Vector memory in one index; implements `Index`. `host` is the index's own, as Pinecone shows it."""

    def __init__(
        self, host: str, api_key: str, egress: Egress, *, api_version: str = API_VERSION, timeout_ms: int = 30_000
    ) -> None:
        self._base_url = (host if "://" in host else f"https://{host}").rstrip("/")
        self._headers = (
            ("api-key", api_key),
            ("x-pinecone-api-version", api_version),
            ("content-type", "application/json"),
            ("accept", "application/json"),
        )
        self._egress = egress
        self._timeout_ms = timeout_ms

    async def known(self, space: Space, ids: Sequence[str]) -> Mapping[str, Known]:
        if not ids:
            return {}
        first = [("ids", _record_id(each, 0)) for each in ids]
        answer = await self._ask("GET", f"/vectors/fetch?{urlencode([*first, ('namespace', _namespace(space))])}")
        found = [_metadata_of(record) for record in _object(answer.get("vectors")).values()]
        return {each["_id"]: Known(each["_digest"], each.get("_key"), each["_model"]) for each in found}

    async def put(self, space: Space, entries: Sequence[Indexed]) -> None:
        records = [_record(entry, piece) for entry in entries for piece in entry.pieces]
        for start in range(0, len(records), _BATCH):
            some = records[start : start + _BATCH]
            await self._ask("POST", "/vectors/upsert", {"namespace": _namespace(space), "vectors": some})
        for entry in entries:
            await self._delete_from(space, entry.document.id, len(entry.pieces))

    async def search(
        self, space: Space, model: str, vector: Sequence[float], limit: int, condition: Mapping[str, Any] | None
    ) -> Sequence[Match]:
        of_model = {"_model": {"$eq": model}}
        body = {
            "namespace": _namespace(space),
            "vector": list(vector),
            "topK": limit,
            "filter": of_model if condition is None else {"$and": [of_model, condition]},
            "includeMetadata": True,
            "includeValues": False,
        }
        answer = await self._ask("POST", "/query", body)
        return [_match(each) for each in _list(answer.get("matches"))]

    async def unsearched(self, space: Space, model: str | None) -> int:
        """It cannot be known."""
        return 0

    async def delete(self, space: Space, ids: Sequence[str]) -> None:
        for each in ids:
            await self._delete_from(space, each, 0)

    async def clear(self, space: Space) -> None:
        await self._ask("POST", "/vectors/delete", {"namespace": _namespace(space), "deleteAll": True}, missing=True)

    async def check(self) -> None:
        await self._ask("POST", "/describe_index_stats", {})

    async def _delete_from(self, space: Space, document_id: str, position: int) -> None:
        """Deletes the document's chunks from that position on."""
        kept = {_record_id(document_id, each) for each in range(position)}
        listed = [each for each in await self._listed(space, document_id) if each not in kept]
        for start in range(0, len(listed), 1000):
            body = {"namespace": _namespace(space), "ids": listed[start : start + 1000]}
            await self._ask("POST", "/vectors/delete", body, missing=True)

    async def _listed(self, space: Space, document_id: str) -> list[str]:
        """The ids of the document's chunks."""
        found: list[str] = []
        asked = {"namespace": _namespace(space), "prefix": _record_id(document_id, None), "limit": "100"}
        for _ in range(_PAGES):
            answer = await self._ask("GET", f"/vectors/list?{urlencode(asked)}", missing=True)
            found += (str(each["id"]) for each in _list(answer.get("vectors")))
            following = _object(answer.get("pagination")).get("next")
            if not following:
                break
            asked["paginationToken"] = str(following)
        return found

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing: bool = False
    ) -> dict[str, Any]:
        """The answer. `missing`: a namespace that is not there is an answer too, an empty one."""
        request = Request(
            method,
            self._base_url + path,
            headers=self._headers,
            body=b"" if body is None else msgspec.json.encode(body),
            timeout_ms=self._timeout_ms,
            follow_redirects=False,
            credentials=frozenset(("api-key",)),
        )
        try:
            reply = await self._egress.send(request)
        except EgressError as error:
            reason = "timeout" if isinstance(error, TimedOut) else "unreachable" if error.retryable else "rejected"
            raise IndexFailed(reason, f"Pinecone gave no answer: {error.message}") from error
        if missing and reply.status == 404 and b"amespace" in reply.body:
            return {}
        if reply.status != 200:
            raise _refused(reply)
        return _answer(reply)


def _namespace(space: Space) -> str:
    parts = (space.organization_id, space.environment_id, space.namespace)
    return "/".join(quote(part, safe="") for part in parts)


def _record_id(document_id: str, position: int | None) -> str:
    """A record's id, or what the ids of all of a document's begin with. Pinecone's are ASCII, and not long."""
    start = hashlib.sha256(document_id.encode()).hexdigest()[:40] + "#"
    return start if position is None else f"{start}{position:05d}"


def _record(entry: Indexed, piece: Piece) -> dict[str, Any]:
    document, known = entry.document, entry.known
    ours = {
        "_id": document.id,
        "_title": document.title,
        "_content": piece.content,
        "_position": piece.position,
        "_digest": known.digest,
        "_model": known.model,
        "_key": known.key,
    }
    told = {name: value for name, value in ours.items() if value is not None}
    values = list(piece.vector or ())
    return {"id": _record_id(document.id, piece.position), "values": values, "metadata": {**document.metadata, **told}}


def _match(found: Any) -> Match:
    metadata = _metadata_of(found)
    theirs = {name: _number(value) for name, value in metadata.items() if not name.startswith("_")}
    score = max(-1.0, min(1.0, float(found["score"])))
    title, content = str(metadata.get("_title", "")), str(metadata.get("_content", ""))
    return Match(str(metadata["_id"]), title, content, score, theirs, int(metadata.get("_position", 0)))


def _number(value: Any) -> Any:
    """Pinecone keeps every number as a double."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _metadata_of(record: Any) -> dict[str, Any]:
    metadata = _object(_object(record).get("metadata"))
    if not {"_id", "_digest", "_model"} <= metadata.keys():
        raise IndexFailed(
            "bad_answer", "This index of Pinecone has records that are not Pulse's: give it one of its own."
        )
    return metadata


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _answer(reply: Reply) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise IndexFailed("bad_answer", "Pinecone's answer is not what its API promises.")
    return answer


def _refused(reply: Reply) -> IndexFailed:
    reason = _REASONS.get(reply.status, "unreachable" if reply.status >= 500 else "rejected")
    words = " ".join(_words(reply).split())[:300] or "it gives no reason"
    return IndexFailed(reason, f"Pinecone did not do it ({reply.status}): {words}")


def _words(reply: Reply) -> str:
    try:
        told = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return reply.body.decode(errors="replace")
    return str(_object(told).get("message") or _object(_object(told).get("error")).get("message") or told)
