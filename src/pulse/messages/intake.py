"""Intake: where a message becomes durable. One transaction for many; what `accept` answers is committed.

(Usage is reserved and messages are held here too, once there is billing: in `_store`, in the same transaction.)
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Insert, Table, insert, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from pulse.messages.records import Accepted, NewMessage, Work
from pulse.messages.tables import MessageTables
from pulse.storage.claims import BLOCKED, READY, Claims, chunks
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.rows import Given, Insertion


class Worker(Protocol):
    """Who evaluates messages in this process. Without one, everything waits in the queue."""

    def room(self) -> int:
        """How many messages it would take at once, past the queue: none while others wait in it."""
        ...

    def take(self, work: Work) -> None:
        """Begins a message that was claimed for it."""
        ...

    def hint(self) -> None:
        """There may be new work in the queue; said too often rather than too seldom."""
        ...


class Nobody:
    """The worker of a process that evaluates nothing."""

    def room(self) -> int:
        return 0

    def take(self, work: Work) -> None:
        raise AssertionError("nobody has room")

    def hint(self) -> None:
        return None


class Signals(Protocol):
    """Who is told of messages besides (see bootstrap/signals.py)."""

    def put(self, connection: Connection, messages: Sequence[NewMessage]) -> None:
        """Part of the transaction that stores these new messages."""
        ...

    def stored(self) -> None:
        """Messages were committed."""
        ...


class Intake:
    """Stores messages. Where this process's worker has room and nobody waits, it gets them at once, claimed."""

    worker: Worker = Nobody()
    signals: Signals | None = None

    def __init__(self, database: Database, tables: MessageTables, committer: Committer, claims: Claims) -> None:
        self._database = database
        self._tables = tables
        self._committer = committer
        self._claims = claims
        self._payloads = Insertion(tables.payloads, "id", "payload")
        self._given = Given(database.dialect, {name: tables.messages.c[name].type for name in _COLUMNS})
        self._insert_waiting = _insertion(self._given, tables.messages, {})
        self._insert_held = _insertion(self._given, tables.messages, claims.held_from_birth())

    async def accept(self, message: NewMessage) -> Accepted:
        """Stores a message, or finds that it is a repeat. Returns after the commit; raises Unavailable if it cannot."""
        return await self._committer.write(self._store, message, self._pass_on)

    async def accept_once(self, message: NewMessage) -> Accepted:
        """Like `accept`, for a message whose id says that it is the same one: a repeat finds the first."""
        return await self._committer.write(self._store_once, message, self._pass_on)

    def enqueue(self, connection: Connection, messages: list[NewMessage]) -> None:
        """Stores messages within a transaction of the caller, who calls `worker.hint` after it.

        One whose id is there already was sent before, and is left as it is.
        """
        there = self._present(connection, messages)
        messages = [message for message in messages if message.id not in there]
        if not messages:
            return
        states = self._states(connection, messages)
        rows = [_row(message, state) for message, state in zip(messages, states, strict=True)]
        connection.execute(self._insert_waiting, self._given.parameters(rows))
        self._put_bytes(connection, messages)

    def _present(self, connection: Connection, messages: Sequence[NewMessage]) -> set[str]:
        """Those of the ids that are there already."""
        ids = self._tables.messages.c.id
        return set(connection.execute(select(ids).where(ids.in_([message.id for message in messages]))).scalars())

    def _store_once(self, connection: Connection, messages: Sequence[NewMessage]) -> list[Accepted]:
        there = self._present(connection, messages)
        fresh = {message.id: message for message in messages if message.id not in there}
        stored: dict[str, Accepted | None] = dict(
            zip(fresh, self._store(connection, list(fresh.values())), strict=True)
        )
        # The first of those that came together is the one that begins.
        return [stored.pop(message.id, None) or Accepted(message.id, deduplicated=True) for message in messages]

    def _pass_on(self, accepted: Accepted) -> None:
        if self.signals is not None:
            self.signals.stored()
        if accepted.work is not None:
            self.worker.take(accepted.work)
        else:
            self.worker.hint()

    def _store(self, connection: Connection, messages: Sequence[NewMessage]) -> list[Accepted]:
        repeats = self._repeats(connection, [message for message in messages if message.idempotency_key])
        fresh = [message for message in messages if message.id not in repeats]
        claimed = self._insert(connection, fresh) if fresh else {}
        return [repeats.get(m.id) or Accepted(m.id, work=claimed.get(m.id)) for m in messages]

    def _insert(self, connection: Connection, messages: list[NewMessage]) -> dict[str, Work]:
        """Stores new messages; those that were claimed in passing, by id."""
        states = self._states(connection, messages)
        room = self.worker.room()
        claimed = [message for message, state in zip(messages, states, strict=True) if state == READY][:room]
        direct = {message.id for message in claimed}
        waiting = [_row(m, state) for m, state in zip(messages, states, strict=True) if m.id not in direct]
        if waiting:
            connection.execute(self._insert_waiting, self._given.parameters(waiting))
        if claimed:
            held = [_row(message, None) for message in claimed]
            connection.execute(self._insert_held, self._given.parameters(held))
        self._put_bytes(connection, messages)
        return {message.id: _work(message) for message in claimed}

    def _put_bytes(self, connection: Connection, messages: Sequence[NewMessage]) -> None:
        self._payloads.execute(connection, [(message.id, message.payload) for message in messages])
        if self.signals is not None:
            self.signals.put(connection, messages)

    def _states(self, connection: Connection, messages: list[NewMessage]) -> list[str]:
        """Ready, or blocked for those that are not the first of their lane."""
        lanes = {(message.organization_id, message.lane) for message in messages if message.lane is not None}
        if not lanes:
            return [READY] * len(messages)
        self._claims.lock_lanes(connection, lanes)
        occupied: set[Any] = set(self._claims.occupied(connection, lanes))
        states = []
        for message in messages:
            lane = (message.organization_id, message.lane)
            states.append(BLOCKED if message.lane is not None and lane in occupied else READY)
            occupied.add(lane)
        return states

    def _repeats(self, connection: Connection, keyed: list[NewMessage]) -> dict[str, Accepted]:
        """What became of the messages whose key was used before, by their id."""
        first: dict[tuple[str, str, str], NewMessage] = {}
        for message in keyed:
            first.setdefault(_key(message), message)
        taken = self._reserve(connection, list(first.values()))
        repeats = {}
        for message in keyed:
            known = taken.get(_key(message)) or _claim_of(first[_key(message)])
            if known[0] != message.id:
                repeats[message.id] = Accepted(known[0], deduplicated=True, conflict=known[1] != message.fingerprint)
        return repeats

    def _reserve(
        self, connection: Connection, messages: list[NewMessage]
    ) -> dict[tuple[str, str, str], tuple[str, bytes | None]]:
        """Writes the keys that are new; (message id, fingerprint) of those that were not, by key."""
        keys = self._tables.keys
        columns = (keys.c.organization_id, keys.c.environment_id, keys.c.key)
        known = {}
        # In one order everywhere: two processes that write the same keys must not wait for each other.
        for part in chunks(sorted(messages, key=_key)):
            connection.execute(self._insert_or_leave(), [_key_row(message) for message in part])
            query = select(*columns, keys.c.message_id, keys.c.fingerprint)
            rows = connection.execute(query.where(tuple_(*columns).in_([_key(message) for message in part])))
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


def _work(message: NewMessage) -> Work:
    return Work(
        id=message.id,
        organization_id=message.organization_id,
        environment_id=message.environment_id,
        epoch=1,
        lone_deaths=0,
        received_at=message.received_at,
        lane=message.lane,
        payload=message.payload,
        type=message.type,
        pin=message.pin,
    )


def _row(message: NewMessage, state: str | None) -> tuple[object, ...]:
    """The values of `_COLUMNS`."""
    return (
        message.id,
        message.organization_id,
        message.environment_id,
        message.type,
        message.lane,
        message.received_at,
        message.received_at,
        len(message.payload),
        message.origin_id,
        message.pin,
        state,
    )


_COLUMNS = (
    "id",
    "organization_id",
    "environment_id",
    "type",
    "lane",
    "due_at",
    "received_at",
    "size",
    "origin_id",
    "pin",
    "state",
)


def _insertion(given: Given, table: Table, instead: Mapping[str, object]) -> Insert:
    """Inserts given rows, with some values that are the same for all of them."""
    values = {name: given.rows.c[name] for name in _COLUMNS} | {name: _expression(instead[name]) for name in instead}
    return insert(table).from_select(list(values), select(*values.values()))


def _expression(value: object) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value)
