"""Schedules: each time is fired once, however many processes run.

A process that finds a schedule due moves it to its next time with a compare-and-set, in the transaction in which the
signal is stored: of two that find it, one changes a row.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection, select, update

from pulse.core.schedule import due
from pulse.engine.records import TriggerEnvelope
from pulse.engine.store.definitions import DefinitionStore, schedule_from
from pulse.engine.store.forms.tables import DONE
from pulse.engine.store.forms.values import moment_at, plain_json
from pulse.engine.store.ground import Ground
from pulse.engine.store.signals import Emission, Emitted, Signals

BATCH = 100
SourceOf = Callable[[str], str]


class Schedules:
    """Fires what is due. `source_of` says the source of a type of signal."""

    def __init__(self, ground: Ground, definitions: DefinitionStore, signals: Signals, source_of: SourceOf) -> None:
        self._ground = ground
        self._table = ground.tables.schedules
        self._definitions = definitions
        self._signals = signals
        self._source_of = source_of

    async def fire_due(self) -> list[Emitted]:
        """Fires every schedule that is due now, at most BATCH of them; what was emitted."""
        c, now = self._table.c, self._ground.clock.now_ms()
        query = select(c.definition_id).where(c.next_at <= now).order_by(c.next_at).limit(BATCH)
        async with self._ground.database.read() as connection:
            ids = list(await connection.scalars(query))
        emitted: list[Emitted] = []
        for definition_id in ids:
            emitted += await self._ground.database.transact(partial(self._fire, definition_id, now))
        return emitted

    async def next_at(self) -> int | None:
        """When the next schedule is due, in milliseconds since 1970."""
        c = self._table.c
        query = select(c.next_at).where(c.next_at.is_not(None)).order_by(c.next_at).limit(1)
        async with self._ground.database.read() as connection:
            return await connection.scalar(query)

    def _fire(self, definition_id: str, now: int, connection: Connection) -> Sequence[Emitted]:
        c = self._table.c
        mine = select(c.tenant_id, c.schedule, c.next_at).where(c.definition_id == definition_id)
        row = connection.execute(self._ground.database.locked(mine)).first()
        if row is None or row.next_at is None or row.next_at > now:
            return []
        schedule = schedule_from(row.schedule)
        # Times that wait for their turn are not missed.
        kept = replace(schedule, missed="all") if schedule.overlap == "queue" else schedule
        following = due(kept, row.next_at, now, limit=1 if schedule.overlap == "queue" else BATCH)
        busy = schedule.overlap != "allow" and self._is_running(connection, definition_id)
        if busy and schedule.overlap == "queue":
            return []
        fires = () if busy else following.fires
        values = {"next_at": following.next_ms} | ({"last_at": fires[-1]} if fires else {})
        moved = update(self._table).where(c.definition_id == definition_id, c.next_at == row.next_at).values(**values)
        if connection.execute(moved).rowcount == 0:
            return []
        chosen = fires[:1] if schedule.overlap == "skip" else fires
        return self._signals.emit(connection, [self._emission(connection, definition_id, at, now) for at in chosen])

    def _is_running(self, connection: Connection, definition_id: str) -> bool:
        c = self._ground.tables.runs.c
        active = select(c.id).where(c.definition_id == definition_id, c.state != DONE).limit(1)
        return connection.scalar(active) is not None

    def _emission(self, connection: Connection, definition_id: str, at: int, now: int) -> Emission:
        c = self._ground.tables.definitions.c
        row = connection.execute(
            select(c.tenant_id, c.name, c.trigger_type, c.environment_filter, c.resource_type_filter).where(
                c.id == definition_id
            )
        ).one()
        payload = {"scheduledFor": moment_at(at).isoformat(), "workflow": row.name}
        trigger = TriggerEnvelope(
            id=self._ground.ids.new("trg"),
            tenant_id=row.tenant_id,
            source=self._source_of(row.trigger_type),
            type=row.trigger_type,
            resource_type=row.resource_type_filter,
            resource_id=None,
            environment=row.environment_filter,
            payload=payload,
            created_at=moment_at(now),
            idempotency_key=f"schedule:{definition_id}:{at}",
        )
        return Emission(trigger, plain_json(payload, "the payload of a signal"))
