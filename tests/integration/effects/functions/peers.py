"""Other people's servers, as strict as their public descriptions: Mastodon, Pinecone's data plane, Sportradar."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.integration.egress.servers import HOME, Heard, Server, reply, serving

Answer = tuple[int, Any]


def told(status: int, value: Any, *headers: str, kind: str = "application/json") -> Any:
    """A whole answer: JSON, or bytes as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return reply(status, f"Content-Type: {kind}", *headers, body=body)


@dataclass
class Peer:
    """A server that decides by the request. `instead` is an answer to give without a look."""

    server: Server = field(default_factory=lambda: Server(HOME))
    instead: Answer | None = None

    @property
    def heard(self) -> list[Heard]:
        return self.server.requests

    @property
    def url(self) -> str:
        return self.server.url("").rstrip("/")

    @property
    def place(self) -> str:
        return self.server.authority

    def answer(self, heard: Heard) -> Answer:
        raise NotImplementedError

    async def __call__(self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status, value = self.instead or self.answer(heard)
        await told(status, value)(heard, reader, writer)


P = TypeVar("P", bound=Peer)


@asynccontextmanager
async def running(peer: P) -> AsyncIterator[P]:
    async with serving(peer, HOME) as server:
        peer.server = server
        yield peer


# ---- Mastodon (docs.joinmastodon.org/methods/statuses) -------------------------------------------------------------


@dataclass
class Mastodon(Peer):
    """`POST /api/v1/statuses`: the same Idempotency-Key answers the same status."""

    token: str = "mastodon-token-of-ours"
    statuses: list[dict[str, Any]] = field(default_factory=list)
    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, heard: Heard) -> Answer:
        if heard.header("authorization") != f"Bearer {self.token}":
            # Some servers repeat what they were given.
            return 401, {"error": f"The access token is invalid: {heard.header('authorization')}"}
        if (heard.method, heard.path) != ("POST", "/api/v1/statuses"):
            return 404, {"error": "The page you are looking for isn't here."}
        if heard.header("content-type") != "application/json":
            return 415, {"error": "Unsupported media type"}
        body, key = json.loads(heard.body), heard.header("idempotency-key")
        if body.keys() != {"status"} or not body["status"] or key is None:
            return 422, {"error": "Validation failed: Text can't be blank"}
        if len(body["status"]) > 500:
            return 422, {"error": "Validation failed: Text character limit of 500 exceeded"}
        if key not in self.by_key:
            self.by_key[key] = self._made(body["status"])
        return 200, self.by_key[key]

    def _made(self, text: str) -> dict[str, Any]:
        number = str(109_000_000_000_000_000 + len(self.statuses))
        status = {
            "id": number,
            "created_at": "2026-11-21T17:00:00.000Z",
            "url": f"https://social.example/@pulse/{number}",
            "content": f"<p>{text}</p>",
            "visibility": "public",
            "account": {"id": "1", "username": "pulse"},
        }
        self.statuses.append(status)
        return status


# ---- Pinecone (docs.pinecone.io/reference/api, data plane) -----------------------------------------------------------


@dataclass
class Pinecone(Peer):
    """One index of three dimensions; fields that it does not know are refused."""

    key: str = "pcsk_ours"
    spaces: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def answer(self, heard: Heard) -> Answer:
        if heard.header("api-key") != self.key:
            return 401, {"code": 16, "message": f"Invalid API Key {heard.header('api-key')}", "details": []}
        if heard.header("x-pinecone-api-version") != "2026-07" or heard.header("content-type") != "application/json":
            return 400, _invalid("wrong headers")
        operations: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "/vectors/upsert": self.upsert,
            "/query": self.query,
            "/vectors/delete": self.delete,
        }
        if heard.method != "POST" or heard.path not in operations:
            return 404, {"code": 5, "message": "no such operation", "details": []}
        return operations[heard.path](json.loads(heard.body))

    def upsert(self, body: dict[str, Any]) -> Answer:
        for record in body["vectors"]:
            if record.keys() - {"id", "values", "metadata", "sparseValues"}:
                return 400, _invalid("unknown fields of a vector")
            if len(record["values"]) != 3:
                words = f"Vector dimension {len(record['values'])} does not match the dimension of the index 3"
                return 400, _invalid(words)
        if body.keys() - {"vectors", "namespace"}:
            return 400, _invalid("unknown fields")
        self.spaces.setdefault(body["namespace"], {}).update({each["id"]: each for each in body["vectors"]})
        return 200, {"upsertedCount": len(body["vectors"])}

    def query(self, body: dict[str, Any]) -> Answer:
        known = {"vector", "id", "topK", "filter", "includeMetadata", "includeValues", "namespace", "sparseVector"}
        if body.keys() - known or not 1 <= body["topK"] <= 10_000:
            return 400, _invalid("unknown fields, or a wrong topK")
        records = self.spaces.get(body.get("namespace", ""), {})
        wanted = records[body["id"]]["values"] if "id" in body else body.get("vector") or [1, 0, 0]
        found = [
            {
                "id": each["id"],
                "score": sum(a * b for a, b in zip(wanted, each["values"], strict=True)),
                **({"metadata": each["metadata"]} if body.get("includeMetadata") and "metadata" in each else {}),
                **({"values": each["values"]} if body.get("includeValues") else {}),
            }
            for each in records.values()
            if all(each.get("metadata", {}).get(name) == value for name, value in body.get("filter", {}).items())
        ]
        found.sort(key=lambda each: -each["score"])
        return 200, {
            "matches": found[: body["topK"]],
            "namespace": body.get("namespace", ""),
            "usage": {"readUnits": 5},
        }

    def delete(self, body: dict[str, Any]) -> Answer:
        if body.keys() - {"ids", "filter", "deleteAll", "namespace"}:
            return 400, _invalid("unknown fields")
        space = self.spaces.get(body.get("namespace", ""), {})
        gone = list(space) if body.get("deleteAll") else body.get("ids", [])
        gone = gone or [
            name for name, each in space.items() if body.get("filter", {}).items() <= each.get("metadata", {}).items()
        ]
        for name in gone:
            space.pop(name, None)
        return 200, {}


def _invalid(words: str) -> dict[str, Any]:
    return {"code": 3, "message": words, "details": []}


# ---- Sportradar (developer.sportradar.com, NFL v7) ----------------------------------------------------------------


@dataclass
class Sportradar(Peer):
    key: str = "sportradar-key-of-ours"

    def answer(self, heard: Heard) -> Answer:
        if heard.header("x-api-key") != self.key:
            return 403, {"message": f"Authentication Error for {heard.header('x-api-key')}"}
        if heard.method != "GET" or heard.header("idempotency-key") is not None:
            return 405, {"message": "reads only"}
        path, _, query = heard.path.partition("?")
        if path != "/nfl/official/trial/v7/en/games/current_week/schedule.json":
            return 404, {"message": "Object not found"}
        return 200, {"year": 2026, "type": "REG", "week": {"sequence": 12, "games": [{"id": "g1"}]}, "query": query}
