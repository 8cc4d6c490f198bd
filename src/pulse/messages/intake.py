"""Intake: where a message becomes durable. One transaction for many; what `accept` answers is committed.

(Usage is reserved and messages are held here too, once there is billing: in `_store`, in the same transaction.)
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Insert, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.messages.records import Accepted, NewMessage
from pulse.messages.tables import MessageTables
from pulse.storage.claims import BLOCKED, READY, Claims, chunks
from pulse.storage.committer import Committer
from pulse.storage.database import Database

Hint = Callable[[], None]


class Intake:
    """Stores messages. `hint` is called when there is new work; it may be called too often."""

    def __init__(
        self, database: Database, tables: MessageTables, committer: Committer, claims: Claims, hint: Hint
    ) -> None:
        self._database = database
        self._tables = tables
        self._committer = committer
        self._claims = claims
        self._hint = hint

    async def accept(self, message: NewMessage) -> Accepted:
        """Stores a message, or finds that it is a repeat. Returns after the commit; raises Unavailable if it cannot."""
        accepted = await self._committer.write(self._store, message)
        self._hint()
        return accepted

    async def _store(self, connection: AsyncConnection, messages: Sequence[NewMessage]) -> list[Accepted]:
        repeats = await self._repeats(connection, [message for message in messages if message.idempotency_key])
        fresh = [message for message in messages if message.id not in repeats]
        if fresh:
            await self._insert(connection, fresh)
        return [repeats.get(message.id) or Accepted(message.id) for message in messages]

    async def _insert(self, connection: AsyncConnection, messages: list[NewMessage]) -> None:
        states = await self._states(connection, messages)
        rows = [_row(message, state) for message, state in zip(messages, states, strict=True)]
        await connection.execute(insert(self._tables.messages), rows)
        payloads = [{"id": message.id, "payload": message.payload} for message in messages]
        await connection.execute(insert(self._tables.payloads), payloads)

    async def _states(self, connection: AsyncConnection, messages: list[NewMessage]) -> list[str]:
        """Ready, or blocked for those that are not the first of their lane."""
        lanes = {(message.organization_id, message.lane) for message in messages if message.lane is not None}
        if not lanes:
            return [READY] * len(messages)
        await self._claims.lock_lanes(connection, lanes)
        occupied: set[Any] = set(await self._claims.occupied(connection, lanes))
        states = []
        for message in messages:
            lane = (message.organization_id, message.lane)
            states.append(BLOCKED if message.lane is not None and lane in occupied else READY)
            occupied.add(lane)
        return states

    async def _repeats(self, connection: AsyncConnection, keyed: list[NewMessage]) -> dict[str, Accepted]:
        """What became of the messages whose key was used before, by their id."""
        first: dict[tuple[str, str, str], NewMessage] = {}
        for message in keyed:
            first.setdefault(_key(message), message)
        taken = await self._reserve(connection, list(first.values()))
        repeats = {}
        for message in keyed:
            known = taken.get(_key(message)) or _claim_of(first[_key(message)])
            if known[0] != message.id:
                repeats[message.id] = Accepted(known[0], deduplicated=True, conflict=known[1] != message.fingerprint)
        return repeats

    async def _reserve(
        self, connection: AsyncConnection, messages: list[NewMessage]
    ) -> dict[tuple[str, str, str], tuple[str, bytes | None]]:
        """Writes the keys that are new; (message id, fingerprint) of those that were not, by key."""
        keys = self._tables.keys
        columns = (keys.c.organization_id, keys.c.environment_id, keys.c.key)
        known = {}
        for part in chunks(messages):
            await connection.execute(self._insert_or_leave(), [_key_row(message) for message in part])
            query = select(*columns, keys.c.message_id, keys.c.fingerprint)
            rows = await connection.execute(query.where(tuple_(*columns).in_([_key(message) for message in part])))
            known.update({(row[0], row[1], row[2]): (row.message_id, row.fingerprint) for row in rows})
        ours = {message.id for message in messages}
        return {key: value for key, value in known.items() if value[0] not in ours}

    def _insert_or_leave(self) -> Insert:
        if self._database.dialect == "sqlite":
            return sqlite.insert(self._tables.keys).on_conflict_do_nothing()
        return postgresql.insert(self._tables.keys).on_conflict_do_nothing()


def _key(message: NewMessage) -> tuple[str, str, str]:
    return (message.organization_id, message.environment_id, message.idempotency_key or "")


def _claim_of(message: NewMessage) -> tuple[str, bytes | None]:
    return (message.id, message.fingerprint)


def _key_row(message: NewMessage) -> dict[str, Any]:
    return {
        "organization_id": message.organization_id,
        "environment_id": message.environment_id,
        "key": message.idempotency_key,
        "fingerprint": message.fingerprint,
        "message_id": message.id,
        "created_at": message.received_at,
    }


def _row(message: NewMessage, state: str) -> dict[str, Any]:
    return {
        "id": message.id,
        "organization_id": message.organization_id,
        "environment_id": message.environment_id,
        "type": message.type,
        "state": state,
        "lane": message.lane,
        "due_at": message.received_at,
        "received_at": message.received_at,
        "size": len(message.payload),
        "origin_id": message.origin_id,
    }
