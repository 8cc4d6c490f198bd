"""Intake: where a message becomes durable. One transaction for many; what `accept` answers is committed.

What is over its organization's limit is stored all the same, with its outcome, or held (see allowance.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Insert, Table, insert, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from pulse.messages.allowance import ENDS, Allowance
from pulse.messages.records import Accepted, NewMessage, Work
from pulse.messages.result import untouched_body
from pulse.messages.tables import MessageTables
from pulse.storage.claims import BLOCKED, READY, Claims, chunks
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.rows import Given, Insertion, Prepared


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

    def __init__(
        self,
        database: Database,
        tables: MessageTables,
        committer: Committer,
        claims: Claims,
        allowance: Allowance,
        ended: Callable[[str], None],
    ) -> None:
        """`ended` hears of each message that is over from the first, once that is committed."""
        self._allowance = allowance
        self._ended = ended
        self._database = database
        self._tables = tables
        self._committer = committer
        self._claims = claims
        self._payloads = Insertion(tables.payloads, "id", "payload")
        given = Given(database.dialect, {name: tables.messages.c[name].type for name in _COLUMNS})
        self._waiting = _insertion(given, tables.messages, {})
        self._claimed = _insertion(given, tables.messages, claims.held_from_birth())
        at_once = {"completed_at": given.rows.c.received_at, "elapsed_ms": 0, "state": "ignore"}
        self._over = {code: _insertion(given, tables.messages, {**at_once, "code": code}) for code in ENDS}
        self._bodies = Insertion(tables.results, "id", "body")

    async def accept(self, message: NewMessage) -> Accepted:
        """Stores a message, or finds that it is a repeat. Returns after the commit; raises Unavailable if it cannot."""
        return await self._committer.write(self._store, message, self._pass_on, self.locks(message))

    async def accept_once(self, message: NewMessage) -> Accepted:
        """Like `accept`, for a message whose id says that it is the same one: a repeat finds the first."""
        return await self._committer.write(self._store_once, message, self._pass_on, self.locks(message))

    def locks(self, message: NewMessage) -> list[int]:
        """The locks that a transaction which stores this message must hold from its beginning."""
        if self._database.dialect == "sqlite":
            return []
        lane = [] if message.lane is None else [self._claims.lane_lock(message.organization_id, message.lane)]
        return [self._allowance.lock(message.organization_id), *lane]

    def enqueue(self, connection: Connection, messages: list[NewMessage]) -> None:
        """Stores messages within a transaction of the caller, who holds their `locks` and calls `worker.hint` after it.

        One whose id is there already was sent before, and is left as it is.
        """
        there = self._present(connection, messages)
        messages = [message for message in messages if message.id not in there]
        if messages:
            self._insert(connection, messages, room=0)

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
        if accepted.is_over:
            self._ended(accepted.id)
        elif accepted.work is not None:
            self.worker.take(accepted.work)
        else:
            self.worker.hint()

    def _store(self, connection: Connection, messages: Sequence[NewMessage]) -> list[Accepted]:
        repeats = self._repeats(connection, [message for message in messages if message.idempotency_key])
        fresh = [message for message in messages if message.id not in repeats]
        new = self._insert(connection, fresh, self.worker.room()) if fresh else {}
        return [repeats.get(message.id) or new[message.id] for message in messages]

    def _insert(self, connection: Connection, messages: list[NewMessage], room: int) -> dict[str, Accepted]:
        """Stores new messages, at most `room` of them claimed in passing; what became of each, by id."""
        refused = self._allowance.refusals(connection, messages)
        over = [message for message in messages if refused.get(message.id) in ENDS]
        entering = [message for message in messages if refused.get(message.id) not in ENDS]
        states = self._states(connection, entering, refused)
        claimed = [message for message in entering if states[message.id] == READY][:room]
        direct = {message.id: Accepted(message.id, work=_work(message)) for message in claimed}
        waiting = [_row(message, states[message.id]) for message in entering if message.id not in direct]
        if waiting:
            self._waiting.execute(connection, waiting)
        if claimed:
            self._claimed.execute(connection, [_row(message, None) for message in claimed])
        if over:
            self._end(connection, over, refused)
        self._payloads.execute(connection, [(message.id, message.payload) for message in messages])
        if self.signals is not None:
            self.signals.put(connection, [message for message in messages if message.id not in refused])
        ends = {message.id: Accepted(message.id, is_over=True) for message in over}
        return {message.id: Accepted(message.id) for message in entering} | direct | ends

    def _end(self, connection: Connection, over: Sequence[NewMessage], codes: Mapping[str, str]) -> None:
        """Stores messages that are over from the first."""
        for code in sorted({codes[message.id] for message in over}):
            self._over[code].execute(connection, [_row(each, None) for each in over if codes[each.id] == code])
        self._bodies.execute(connection, [(message.id, untouched_body(message.payload)) for message in over])

    def _states(
        self, connection: Connection, messages: Sequence[NewMessage], refused: Mapping[str, str]
    ) -> dict[str, str]:
        """Held; ready; or blocked for those that are not the first of their lane."""
        lanes = {(message.organization_id, message.lane) for message in messages if message.lane is not None}
        occupied: set[Any] = set(self._claims.occupied(connection, lanes)) if lanes else set()
        states = {}
        for message in messages:
            lane = (message.organization_id, message.lane)
            waits = message.lane is not None and lane in occupied
            states[message.id] = refused.get(message.id) or (BLOCKED if waits else READY)
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
        reuses=message.reuses,
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
        message.reuses,
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
    "reuses",
    "state",
)


def _insertion(given: Given, table: Table, instead: Mapping[str, object]) -> Prepared:
    """Inserts given rows, with some values that are the same for all of them."""
    values = {name: given.rows.c[name] for name in _COLUMNS} | {name: _expression(instead[name]) for name in instead}
    return Prepared(insert(table).from_select(list(values), select(*values.values())), given)


def _expression(value: object) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value)
