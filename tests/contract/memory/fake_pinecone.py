"""A server that keeps vectors as the public description of Pinecone's API says, and refuses what it does not know."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.contract.serving import Handler, served

KEY, VERSION, DIMENSION = "pcsk_pulse-test", "2026-07", 64
# Pages are kept short, so that there are several.
PAGE = 7
Space = dict[str, dict[str, Any]]


class Refused(Exception):
    """What the server says no to."""


@dataclass
class FakePinecone:
    """`spaces` are namespaces, each with its records by id. `instead` is an answer to give without a look."""

    url: str
    spaces: dict[str, Space] = field(default_factory=dict)
    instead: tuple[int, bytes] | None = None
    calls: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        path, query = urlsplit(handler.path).path, parse_qs(urlsplit(handler.path).query)
        self.calls.append(path)
        if handler.headers["api-key"] != KEY:
            return 401, "Invalid API Key"
        if (
            handler.headers["x-pinecone-api-version"] != VERSION
            or handler.headers["content-type"] != "application/json"
        ):
            return 400, {"code": 3, "message": "wrong headers", "details": []}
        operation = _OPERATIONS.get((handler.command, path))
        if operation is None:
            return 404, {"code": 5, "message": "no such operation", "details": []}
        try:
            return operation(self, json.loads(body) if body else query)
        except Refused as refused:
            return 400, {"code": 3, "message": str(refused), "details": []}

    def upsert(self, body: dict[str, Any]) -> tuple[int, Any]:
        _only(body, "vectors", "namespace")
        if not 1 <= len(body["vectors"]) <= 100:
            raise Refused("1 to 100 vectors at once")
        for record in body["vectors"]:
            _only(record, "id", "values", "metadata")
            _check_record(record)
        for record in body["vectors"]:
            self.spaces.setdefault(body["namespace"], {})[record["id"]] = record
        return 200, {"upsertedCount": len(body["vectors"])}

    def query(self, body: dict[str, Any]) -> tuple[int, Any]:
        _only(body, "vector", "topK", "namespace", "filter", "includeMetadata", "includeValues")
        if len(body["vector"]) != DIMENSION:
            raise Refused(
                f"Vector dimension {len(body['vector'])} does not match the dimension of the index {DIMENSION}"
            )
        if not 1 <= body["topK"] <= 1000 or body["includeValues"] or not body["includeMetadata"]:
            raise Refused("topK is 1 to 1000; metadata only")
        found = [
            {"id": each["id"], "score": _cosine(body["vector"], each["values"]), "metadata": _doubles(each["metadata"])}
            for each in self.spaces.get(body["namespace"], {}).values()
            if _meets(each["metadata"], body["filter"])
        ]
        best = sorted(found, key=lambda each: (-each["score"], each["id"]))[: body["topK"]]
        return 200, {"matches": best, "namespace": body["namespace"], "usage": {"readUnits": 1}}

    def fetch(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        [namespace] = query["namespace"]
        records = self.spaces.get(namespace, {})
        found = {each: records[each] for each in query["ids"] if each in records}
        return 200, {"vectors": found, "namespace": namespace, "usage": {"readUnits": 1}}

    def listed(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        [namespace], [prefix], [limit] = query["namespace"], query["prefix"], query["limit"]
        if namespace not in self.spaces:
            return 404, {"code": 5, "message": "Namespace not found", "details": []}
        start = int(query.get("paginationToken", ["0"])[0])
        ids = sorted(each for each in self.spaces[namespace] if each.startswith(prefix))
        page = ids[start : start + min(PAGE, int(limit))]
        following = {"pagination": {"next": str(start + PAGE)}} if start + PAGE < len(ids) else {}
        return 200, {"vectors": [{"id": each} for each in page], "namespace": namespace, **following}

    def delete(self, body: dict[str, Any]) -> tuple[int, Any]:
        _only(body, "ids", "deleteAll", "namespace")
        if body["namespace"] not in self.spaces:
            return 404, {"code": 5, "message": "Namespace not found", "details": []}
        if body.get("deleteAll"):
            del self.spaces[body["namespace"]]
        elif not 1 <= len(body["ids"]) <= 1000:
            raise Refused("1 to 1000 ids at once")
        else:
            for each in body["ids"]:
                self.spaces[body["namespace"]].pop(each, None)
        return 200, {}

    def stats(self, _body: dict[str, Any]) -> tuple[int, Any]:
        counts = {name: {"vectorCount": len(records)} for name, records in self.spaces.items()}
        return 200, {"namespaces": counts, "dimension": DIMENSION, "indexFullness": 0}


_OPERATIONS = {
    ("POST", "/vectors/upsert"): FakePinecone.upsert,
    ("POST", "/query"): FakePinecone.query,
    ("GET", "/vectors/fetch"): FakePinecone.fetch,
    ("GET", "/vectors/list"): FakePinecone.listed,
    ("POST", "/vectors/delete"): FakePinecone.delete,
    ("POST", "/describe_index_stats"): FakePinecone.stats,
}


@contextmanager
def running() -> Iterator[FakePinecone]:
    class Here(Handler):
        def answered(self) -> None:
            status, answer = fake.answer(self, self.body())
            raw = json.dumps(answer).encode()
            if fake.instead is not None:
                status, raw = fake.instead
            self.reply(status, raw)

    with served(Here) as address:
        fake = FakePinecone(address)
        yield fake


def _only(given: Mapping[str, Any], *names: str) -> None:
    if unknown := given.keys() - set(names):
        raise Refused(f"unknown fields {sorted(unknown)}")


def _check_record(record: dict[str, Any]) -> None:
    if not 1 <= len(record["id"]) <= 512 or not record["id"].isascii():
        raise Refused("an id has 1 to 512 ASCII characters")
    if len(record["values"]) != DIMENSION or not any(record["values"]):
        raise Refused(f"Vector dimension {len(record['values'])} does not match the dimension of the index {DIMENSION}")
    if len(json.dumps(record["metadata"]).encode()) > 40 * 1024:
        raise Refused("metadata over 40 KB")
    for name, value in record["metadata"].items():
        simple = isinstance(value, str | bool | int | float)
        texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if name.startswith("$") or not (simple or texts):
            raise Refused(f"Metadata value must be a string, number, boolean or list of strings, got {value!r}")


def _doubles(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if type(value) is int else value for name, value in metadata.items()}


def _cosine(one: list[float], other: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / (math.hypot(*one) * math.hypot(*other))


def _meets(metadata: dict[str, Any], condition: dict[str, Any]) -> bool:
    return all(_term(metadata, name, operand) for name, operand in condition.items())


def _term(metadata: dict[str, Any], name: str, operand: Any) -> bool:
    if name == "$and":
        return all(_meets(metadata, each) for each in operand)
    if name == "$or":
        return any(_meets(metadata, each) for each in operand)
    if name.startswith("$"):
        raise Refused(f"{name} is not a valid operator here")
    terms = operand if isinstance(operand, dict) else {"$eq": operand}
    return all(_compared(metadata.get(name), operator, value) for operator, value in terms.items())


def _compared(value: Any, operator: str, operand: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    wanted = operand if isinstance(operand, list) else [operand]
    among = any((type(a) is type(b) and a == b) or _both(a, b) for a in values for b in wanted)
    numeric = type(value) in (int, float) and type(operand) in (int, float)
    answers: dict[str, bool] = {
        "$exists": (value is not None) == operand,
        "$eq": among,
        "$in": among,
        "$ne": not among,
        "$nin": not among,
        "$gt": numeric and value > operand,
        "$gte": numeric and value >= operand,
        "$lt": numeric and value < operand,
        "$lte": numeric and value <= operand,
    }
    if operator not in answers:
        raise Refused(f"{operator} is not a valid operator")
    return answers[operator]


def _both(a: Any, b: Any) -> bool:
    """Two numbers that are equal."""
    return type(a) in (int, float) and type(b) in (int, float) and a == b
