"""The journal: what a message's scripts asked of the world, and what came of it, recorded before they see it.

A message that does anything has one *header*: what its first evaluation began with, so that a later one begins with the
same, whatever has changed since. Each effect has one entry under its number: first the *intent*, unless it only reads,
then what it came to. `delivery` is the place of its answer among the answers that the scripts got: a later evaluation
hands them out in that order, and so takes the same way.

Every write carries the epoch under which the message is held; once that has moved on, nothing is written any more. The
journal goes with the success of its message, in the same transaction; a failed message keeps it, for a replay.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, select

from pulse.core.errors import LeaseLost
from pulse.messages.tables import MessageTables
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer
from pulse.storage.database import Database
from pulse.storage.rows import Deletion, Insertion

EntryState = Literal["intent", "done", "failed"]
# The delivery of what has no answer yet.
UNDELIVERED = 0


class Entry(Struct, frozen=True):
    """One effect. `digest` tells whether a repeat asks for the same, `arguments` shows what, without secrets (JSON).

    `key` is what the outside is given to know a repeat by; `answer` is the JSON of the value, or of the error; `at` is
    when it was answered (ms since 1970), `log` the JSON of its entry in the execution log.
    """

    seq: int
    function: str
    digest: bytes
    arguments: bytes
    key: str
    state: EntryState = "intent"
    delivery: int = UNDELIVERED
    answer: bytes = b""
    at: int = 0
    log: bytes = b""

    @property
    def is_answered(self) -> bool:
        return self.state != "intent"


class Journaled(Struct, frozen=True):
    """What is recorded of a message: its header, and its entries by number."""

    header: bytes
    entries: Sequence[Entry] = ()


class Note(Struct, frozen=True):
    """What is to be recorded: an entry, and the header where it is the first."""

    message_id: str
    organization_id: str
    epoch: int
    entry: Entry
    header: bytes | None = None


class Journal:
    """Writes entries of many messages together; reads those of one."""

    def __init__(self, database: Database, tables: MessageTables, committer: Committer, claims: Claims) -> None:
        self._database = database
        self._tables = tables
        self._committer = committer
        self._claims = claims
        self._headers = Insertion(tables.journals, "id", "organization_id", "header", instead="keep")
        self._entries = Insertion(tables.effects, *_COLUMNS, instead="replace")

    async def record(self, note: Note) -> None:
        """Returns when it is durable. Raises LeaseLost where the message is held by somebody else; Unavailable."""
        if not await self._committer.write(self._record, note):
            raise LeaseLost

    async def of(self, organization_id: str, message_id: str) -> Journaled | None:
        """What is recorded of the message; None when nothing is."""
        j, e = self._tables.journals.c, self._tables.effects.c
        async with self._database.read() as connection:
            mine = (j.organization_id == organization_id) & (j.id == message_id)
            header = await connection.scalar(select(j.header).where(mine))
            if header is None:
                return None
            columns = [e[name] for name in _COLUMNS[1:]]
            rows = await connection.execute(select(*columns).where(e.message_id == message_id).order_by(e.seq))
            return Journaled(header, tuple(Entry(*row) for row in rows))

    async def inherited(self, organization_id: str, message_id: str | None) -> Journaled | None:
        """What a replay takes over of the message: what it recorded, and what it took over itself, as a replay."""
        entries: dict[int, Entry] = {}
        header, reused = None, message_id
        while reused is not None:
            found = await self.of(organization_id, reused)
            if found is not None:
                header = header or found.header
                entries = {**{entry.seq: entry for entry in found.entries}, **entries}
            reused = await self._reused_by(organization_id, reused)
        return None if header is None else Journaled(header, tuple(entries[seq] for seq in sorted(entries)))

    async def _reused_by(self, organization_id: str, message_id: str) -> str | None:
        m = self._tables.messages.c
        mine = (m.organization_id == organization_id) & (m.id == message_id)
        async with self._database.read() as connection:
            reused: str | None = await connection.scalar(select(m.reuses).where(mine))
            return reused

    def _record(self, connection: Connection, notes: Sequence[Note]) -> list[bool]:
        held = self._claims.hold(connection, {(note.message_id, note.epoch) for note in notes})
        mine = [note for note in notes if note.message_id in held]
        headers = {note.message_id: note for note in mine if note.header is not None}
        if headers:
            rows = [(note.message_id, note.organization_id, note.header) for note in headers.values()]
            self._headers.execute(connection, rows)
        if mine:
            # One statement changes a row at most once: of an intent and its answer, the answer.
            last = {(note.message_id, note.entry.seq): note for note in mine}
            self._entries.execute(connection, [_row(last[key]) for key in sorted(last)])
        return [note.message_id in held for note in notes]


class Forgetting:
    """Deletes the journals of messages, within a transaction of others."""

    def __init__(self, database: Database, tables: MessageTables) -> None:
        self._entries = Deletion(database.dialect, tables.effects.c.message_id)
        self._headers = Deletion(database.dialect, tables.journals.c.id)

    def execute(self, connection: Connection, message_ids: Collection[str]) -> None:
        if message_ids:
            self._entries.execute(connection, message_ids)
            self._headers.execute(connection, message_ids)


_COLUMNS = ("message_id", "seq", "function", "digest", "arguments", "key", "state", "delivery", "answer", "at", "log")


def _row(note: Note) -> tuple[object, ...]:
    entry = note.entry
    return (
        note.message_id,
        entry.seq,
        entry.function,
        entry.digest,
        entry.arguments,
        entry.key,
        entry.state,
        entry.delivery,
        entry.answer,
        entry.at,
        entry.log,
    )
