"""Old runs are deleted, in small batches, with their steps and logs, and triggers that no run needs any more."""

from datetime import timedelta
from functools import partial

from sqlalchemy import Connection, delete, exists, func, select

from pulse.core.ids import first_id_at
from pulse.engine.store.forms.tables import DONE
from pulse.engine.store.forms.values import moment_at
from pulse.engine.store.ground import Ground

BATCH = 500


class Retention:
    """Deletes runs that ended longer ago than `keep`; None keeps everything."""

    def __init__(self, ground: Ground, keep: timedelta | None) -> None:
        self._database = ground.database
        self._tables = ground.tables
        self._values = ground.values
        self._clock = ground.clock
        self._keep = keep

    async def enforce(self) -> int:
        """Deletes one batch; how many runs and triggers that was."""
        if self._keep is None:
            return 0
        until = self._clock.now_ms() - round(self._keep.total_seconds() * 1000)
        return await self._database.transact(partial(self._delete_batch, until))

    def _delete_batch(self, until_ms: int, connection: Connection) -> int:
        c, moment = self._tables.runs.c, self._values.moment(moment_at(until_ms))
        ended = func.coalesce(c.completed_at, c.failed_at, c.canceled_at) < moment
        old = select(c.id).where(c.id < first_id_at("run", until_ms), c.state == DONE, ended).order_by(c.id)
        ids = list(connection.scalars(self._database.locked(old.limit(BATCH))))
        for table in (self._tables.steps, self._tables.logs, self._tables.waits):
            connection.execute(delete(table).where(table.c.run_id.in_(ids)))
        connection.execute(delete(self._tables.runs).where(c.id.in_(ids)))
        return len(ids) + self._delete_triggers(connection, until_ms)

    def _delete_triggers(self, connection: Connection, until_ms: int) -> int:
        t, runs, waits = self._tables.triggers, self._tables.runs.c, self._tables.waits.c
        waited_for = select(waits.trigger_id).where(waits.trigger_id.is_not(None))
        needed = exists().where(runs.trigger_id == t.c.id) | t.c.id.in_(waited_for)
        old = select(t.c.id).where(t.c.id < first_id_at("trg", until_ms), ~needed).order_by(t.c.id).limit(BATCH)
        return connection.execute(delete(t).where(t.c.id.in_(self._database.locked(old)))).rowcount
