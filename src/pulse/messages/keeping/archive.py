"""The archiver: closed hours move from the database into segments, and old things go.

The order makes a crash harmless at every point: first the object is durable, then one transaction commits its row in
the directory, points the messages to it and drops their bytes. An object whose transaction did not come is an orphan
that nobody reads; the next round writes another. Whoever was overtaken (a message was deleted, or moved by another
process, since it was read) commits nothing and takes its object back: what is deleted stays in no segment.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import RowMapping, delete, insert, select, update

from pulse.core.clock import Clock
from pulse.core.errors import Misconfigured, NotFound
from pulse.core.ids import Ids
from pulse.messages.keeping.segments import HOUR_MS, MAX_BYTES, MAX_LINES, Segment, hour_of, object_key, pack, unpack
from pulse.messages.records import DELETED, OUTCOMES, MessageRow, StoredMessage
from pulse.messages.result import document
from pulse.messages.tables import MessageTables
from pulse.objects.port import Objects
from pulse.storage.claims import chunks
from pulse.storage.database import Database

log = structlog.get_logger(__name__)
KEPT_SEGMENTS = 8


class _Overtaken(Exception):
    """Somebody else has changed these rows meanwhile; nothing was committed."""


@dataclass(frozen=True)
class _Group:
    organization_id: str
    environment_id: str
    status: str
    hour: int


class Archive:
    """Writes and reads segments. `layout` 'object' also writes one object a message."""

    def __init__(
        self,
        database: Database,
        tables: MessageTables,
        objects: Objects,
        ids: Ids,
        clock: Clock,
        layout: str = "segment",
    ) -> None:
        self._database = database
        self._tables = tables
        self._objects = objects
        self._ids = ids
        self._clock = clock
        self._layout = layout
        self._kept: OrderedDict[str, dict[str, bytes]] = OrderedDict()

    async def fetch(self, segment_id: str, message_id: str) -> bytes:
        """The line of an archived message. Raises NotFound."""
        line = (await self._lines(segment_id)).get(message_id)
        if line is None:
            raise NotFound(f"There is no message {message_id!r} in its segment.")
        return line

    async def archive_closed_hours(self) -> int:
        """Moves everything that ended before the present hour; how many messages that were."""
        before = hour_of(self._clock.now_ms())
        moved = 0
        while (batch := await self._batch(before)) is not None:
            moved += await self._move(*batch)
        return moved

    async def rewrite_tombstones(self) -> int:
        """Writes segments that hold deleted messages anew without them; how many segments that were."""
        c = self._tables.messages.c
        query = select(c.segment_id).where(c.state == DELETED, c.segment_id.is_not(None)).distinct().limit(100)
        async with self._database.read() as connection:
            segment_ids = list((await connection.execute(query)).scalars())
        rewritten = 0
        for segment_id in segment_ids:
            try:
                await self._rewrite(str(segment_id))
                rewritten += 1
            except (Misconfigured, NotFound, _Overtaken) as error:
                log.error("segment_not_rewritten", segment=segment_id, reason=str(error))
        return rewritten

    async def drop_segments(self, before: int) -> int:
        """Deletes segments of hours that were over before the given time; how many."""
        s = self._tables.segments.c
        async with self._database.read() as connection:
            query = select(self._tables.segments).where(s.hour < before - HOUR_MS).limit(1_000)
            old = (await connection.execute(query)).mappings().all()
        for segment in old:
            if self._layout == "object":
                await self._delete_objects(_group(segment), await self._message_ids(segment))
            await self._objects.delete(segment["object_key"])
            async with self._database.write() as connection:
                await connection.execute(delete(self._tables.segments).where(s.id == segment["id"]))
        return len(old)

    # ---- moving ----------------------------------------------------------------------------------------------

    async def _batch(self, before: int) -> tuple[_Group, list[StoredMessage]] | None:
        """The next messages that belong into one segment."""
        m, p, r = self._tables.messages, self._tables.payloads, self._tables.results
        ended = (m.c.completed_at < before) & m.c.segment_id.is_(None) & m.c.state.in_(OUTCOMES)
        async with self._database.read() as connection:
            first = (
                (await connection.execute(select(m).where(ended).order_by(m.c.completed_at).limit(1)))
                .mappings()
                .first()
            )
            if first is None:
                return None
            group = _Group(
                first["organization_id"], first["environment_id"], first["state"], hour_of(first["completed_at"])
            )
            joined = m.join(p, p.c.id == m.c.id).outerjoin(r, r.c.id == m.c.id)
            query = select(m, p.c.payload, r.c.body).select_from(joined).where(ended, *self._in_group(group))
            rows = await connection.execute(query.order_by(m.c.completed_at).limit(MAX_LINES))
            return group, _bounded([_stored(row) for row in rows.mappings()])

    def _in_group(self, group: _Group) -> list[Any]:
        c = self._tables.messages.c
        return [
            c.organization_id == group.organization_id,
            c.environment_id == group.environment_id,
            c.state == group.status,
            c.completed_at >= group.hour,
            c.completed_at < group.hour + HOUR_MS,
        ]

    async def _move(self, group: _Group, messages: list[StoredMessage]) -> int:
        """Moves the messages into a segment: all of them, or none where somebody was faster. How many moved."""
        lines = [document(message) for message in messages]
        segment = await self._write(group, lines)
        if self._layout == "object":
            for message, line in zip(messages, lines, strict=True):
                await self._objects.put(f"{_folder(group)}/{message.row.id}.json", line)
        ids = [message.row.id for message in messages]
        try:
            await self._commit(segment, ids)
        except _Overtaken:
            await self._take_back(group, segment, ids)
            return 0
        log.info("segment_written", segment=segment.id, messages=len(ids), bytes=segment.bytes)
        return len(ids)

    async def _commit(self, segment: Segment, ids: list[str]) -> None:
        m, moved = self._tables.messages, 0
        async with self._database.write() as connection:
            await connection.execute(insert(self._tables.segments), [vars(segment)])
            for part in chunks(ids):
                here = m.c.id.in_(part) & m.c.segment_id.is_(None) & (m.c.state == segment.status)
                moved += (await connection.execute(update(m).where(here).values(segment_id=segment.id))).rowcount
                for table in (self._tables.payloads, self._tables.results):
                    await connection.execute(delete(table).where(table.c.id.in_(part)))
            if moved != len(ids):
                raise _Overtaken

    async def _take_back(self, group: _Group, segment: Segment, ids: list[str]) -> None:
        await self._objects.delete(segment.object_key)
        if self._layout == "object":
            m, left = self._tables.messages, set(ids)
            async with self._database.read() as connection:
                for part in chunks(ids):
                    there = select(m.c.id).where(m.c.id.in_(part), m.c.state == group.status)
                    left.difference_update((await connection.execute(there)).scalars())
            await self._delete_objects(group, left)

    async def _write(self, group: _Group, lines: list[bytes]) -> Segment:
        segment_id = self._ids.new("seg")
        data = pack(lines)
        key = object_key(group.organization_id, group.environment_id, group.status, group.hour, segment_id)
        await self._objects.put(key, data)
        return Segment(
            id=segment_id,
            organization_id=group.organization_id,
            environment_id=group.environment_id,
            status=group.status,
            hour=group.hour,
            object_key=key,
            messages=len(lines),
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            created_at=self._clock.now_ms(),
        )

    # ---- reading and rewriting -------------------------------------------------------------------------------

    async def _segment(self, segment_id: str) -> RowMapping:
        async with self._database.read() as connection:
            query = select(self._tables.segments).where(self._tables.segments.c.id == segment_id)
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no segment {segment_id!r}.")
        return row

    async def _lines(self, segment_id: str) -> dict[str, bytes]:
        if segment_id in self._kept:
            self._kept.move_to_end(segment_id)
            return self._kept[segment_id]
        row = await self._segment(segment_id)
        try:
            data = await self._objects.get(row["object_key"])
        except NotFound:
            raise Misconfigured("A segment of the archive is missing. Restore it from a backup.") from None
        lines = unpack(data, row["sha256"])
        self._kept[segment_id] = lines
        if len(self._kept) > KEPT_SEGMENTS:
            self._kept.popitem(last=False)
        return lines

    async def _rewrite(self, segment_id: str) -> None:
        row = await self._segment(segment_id)
        lines = await self._lines(segment_id)
        m = self._tables.messages
        async with self._database.read() as connection:
            gone = select(m.c.id).where(m.c.segment_id == segment_id, m.c.state == DELETED)
            deleted = set((await connection.execute(gone)).scalars())
        left = [line for message_id, line in lines.items() if message_id not in deleted]
        group = _group(row)
        written = await self._write(group, left) if left else None
        try:
            await self._exchange(segment_id, written, deleted)
        except _Overtaken:
            if written is not None:
                await self._objects.delete(written.object_key)
            raise
        self._kept.pop(segment_id, None)
        await self._objects.delete(row["object_key"])
        if self._layout == "object":
            await self._delete_objects(group, deleted)

    async def _exchange(self, segment_id: str, written: Segment | None, deleted: set[str]) -> None:
        """Puts the new segment, if anything is left, in the place of the old one, and forgets the deleted messages."""
        m, s = self._tables.messages, self._tables.segments
        async with self._database.write() as connection:
            if (await connection.execute(delete(s).where(s.c.id == segment_id))).rowcount == 0:
                raise _Overtaken
            await connection.execute(delete(m).where(m.c.segment_id == segment_id, m.c.id.in_(deleted)))
            if written is not None:
                await connection.execute(insert(s), [vars(written)])
                await connection.execute(update(m).where(m.c.segment_id == segment_id).values(segment_id=written.id))

    async def _message_ids(self, segment: RowMapping) -> set[str]:
        """The messages of a segment; none where it is damaged."""
        try:
            return set(await self._lines(segment["id"]))
        except (Misconfigured, NotFound) as error:
            log.error("segment_not_read", segment=segment["id"], reason=error.message)
            return set()

    async def _delete_objects(self, group: _Group, message_ids: set[str]) -> None:
        for message_id in message_ids:
            await self._objects.delete(f"{_folder(group)}/{message_id}.json")


def _group(segment: RowMapping) -> _Group:
    return _Group(segment["organization_id"], segment["environment_id"], segment["status"], segment["hour"])


def _folder(group: _Group) -> str:
    return f"{group.organization_id}/{group.environment_id}/{group.status}"


def _stored(row: RowMapping) -> StoredMessage:
    fields = {name: row[name] for name in MessageRow.__struct_fields__ if name != "status"}
    return StoredMessage(MessageRow(**fields, status=row["state"]), row["payload"], row["body"])


def _bounded(messages: list[StoredMessage]) -> list[StoredMessage]:
    """As many of the messages as fit into one segment, at least one."""
    size = 0
    for count, message in enumerate(messages):
        size += len(message.payload) + len(message.body or b"")
        if size > MAX_BYTES and count:
            return messages[:count]
    return messages
