"""The final state: everything that is stored about messages, read from outside, from the database and the archive."""

import asyncio
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import zstandard

OUTCOMES = ("success", "fail", "ignore", "canceled")
_QUERIES = {
    "messages": "SELECT id, state, lane, epoch, completed_at, code, segment_id FROM pulse_messages",
    "payloads": "SELECT id, payload FROM pulse_message_payloads",
    "results": "SELECT id, body FROM pulse_message_results",
    "keys": "SELECT key, message_id FROM pulse_message_keys",
    "segments": "SELECT id, object_key, sha256 FROM pulse_message_segments",
}
Rows = Mapping[str, Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Message:
    """A message as it lies there. `outcomes`: rows in results plus lines of the archive."""

    id: str
    state: str
    nonce: str
    seq: int = 0
    lane: str | None = None
    epoch: int = 1
    completed_at: int | None = None
    code: str | None = None
    outcomes: int = 1
    result: Mapping[str, Any] | None = None

    @property
    def is_terminal(self) -> bool:
        return self.state in OUTCOMES


@dataclass(frozen=True)
class State:
    """All messages by id, the idempotency keys, results that belong to no message, and what is broken by itself."""

    messages: Mapping[str, Message]
    keys: Sequence[tuple[str, str]] = ()
    strays: Sequence[str] = ()
    damages: Sequence[str] = field(default_factory=list)


def read_sqlite(data: Path, objects: Path | None = None) -> State:
    """The state of a data folder; a database or a table that is not there holds nothing."""
    if not (data / "pulse.db").exists():
        return State({})
    with closing(sqlite3.connect(f"file:{data / 'pulse.db'}?mode=ro", uri=True, timeout=30)) as connection:
        damages = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows: Rows = {
            name: connection.execute(query).fetchall() if query.split()[-1] in tables else []
            for name, query in _QUERIES.items()
        }
    return _state(rows, objects or data / "objects", damages)


def read_postgresql(url: str, objects: Path) -> State:
    """The state of a PostgreSQL database, given as SQLAlchemy's address of it."""
    rows = {name: query_postgresql(url, query) for name, query in _QUERIES.items()}
    return _state(rows, objects, [])


def query_postgresql(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows that a statement gives."""

    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def _state(rows: Rows, objects: Path, damages: list[str]) -> State:
    lines = [line for segment in rows["segments"] for line in _lines(objects, segment, damages)]
    archived = {line["id"]: line for line in lines}
    outcomes = Counter([row[0] for row in rows["results"]] + [line["id"] for line in lines])
    payloads = {message_id: json.loads(payload) for message_id, payload in rows["payloads"]}
    results = {message_id: json.loads(body).get("result") for message_id, body in rows["results"]}
    messages = {}
    for message_id, state, lane, epoch, completed_at, code, _ in rows["messages"]:
        line = archived.get(message_id, {})
        sent = payloads.get(message_id) or line.get("message") or {}
        result = results.get(message_id) or line.get("result")
        said = sent.get("payload") or {}
        messages[message_id] = Message(
            id=message_id,
            state=state,
            nonce=said.get("nonce", ""),
            seq=said.get("seq", 0),
            lane=lane,
            epoch=epoch,
            completed_at=completed_at,
            code=code,
            outcomes=outcomes[message_id],
            result=result,
        )
    keys = [(key, message_id) for key, message_id in rows["keys"]]
    return State(messages, keys, sorted(outcomes.keys() - messages.keys()), damages)


def _lines(objects: Path, segment: Sequence[Any], damages: list[str]) -> Iterable[dict[str, Any]]:
    """The lines of a segment that the directory knows; others are left over from a death, and nobody reads them."""
    segment_id, key, sha256 = segment
    try:
        data = (objects / key).read_bytes()
    except OSError as error:
        damages.append(f"segment {segment_id}: {error}")
        return []
    if hashlib.sha256(data).hexdigest() != sha256:
        damages.append(f"segment {segment_id} is not what was written")
    return [json.loads(line) for line in zstandard.ZstdDecompressor().decompress(data).splitlines()]
