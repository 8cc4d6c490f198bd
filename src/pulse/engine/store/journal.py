"""What a holder records: one transaction for many runs, each fenced by its epoch.

A record carries all that follows from something that happened: rows of steps, the run's new place, logs, signals that
steps emit, waits that begin. It is answered with True once it is durable, and with False where the lease was lost and
nothing of it was written. Recorded twice (its answer was lost), it changes nothing the second time.

A run that would come to rest is looked at once more under its lock: a signal or a child may have ended one of its waits
meanwhile. Then it stays with its holder, who is told the news.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from pulse.engine.definition.steps import Wait
from pulse.engine.records import ExecutionLog, TriggerEnvelope, WorkflowRun, WorkflowStepRun
from pulse.engine.rules.matcher import resolved
from pulse.engine.rules.progress import News
from pulse.engine.store.definitions import DefinitionStore
from pulse.engine.store.forms.steps import StepRows
from pulse.engine.store.forms.tables import DONE
from pulse.engine.store.forms.values import moment_text, plain_json
from pulse.engine.store.ground import Ground
from pulse.engine.store.held import Held
from pulse.engine.store.queue import RunQueue
from pulse.engine.store.signals import Emission, Signals
from pulse.storage.claims import NEVER, RUNNING, WAITING
from pulse.storage.database import Database
from pulse.storage.rows import insert_into

_ADVANCING = ("current_step_index", "context", "updated_at")
_LEAVING = (
    *_ADVANCING,
    "status",
    "state",
    "due_at",
    "started_at",
    "completed_at",
    "failed_at",
    "error_message",
    "deaths",
    "lone_deaths",
)


@dataclass(frozen=True)
class Record:
    """What happened to a run. `run` is the run after it, `due_at` when it goes on (ms; NEVER: not by time)."""

    held: Held
    run: WorkflowRun
    rows: Sequence[WorkflowStepRun]
    context: str
    logs: Sequence[ExecutionLog] = ()
    emissions: Sequence[tuple[WorkflowStepRun, Emission, bool]] = ()
    waits: Sequence[tuple[WorkflowStepRun, Wait]] = ()
    due_at: int = NEVER
    on_failure: TriggerEnvelope | None = None

    @property
    def state(self) -> str:
        if self.run.status == "running":
            return RUNNING
        return WAITING if self.run.status == "waiting" else DONE

    @property
    def is_plain(self) -> bool:
        """It changes rows of its run and nothing else."""
        return self.state == RUNNING and not self.emissions and not self.waits

    @property
    def is_end(self) -> bool:
        """It ends its run, and does nothing else."""
        return self.state == DONE and not self.emissions and not self.waits


@dataclass(frozen=True)
class Recorded:
    """What became of a record. `news`: the run did not come to rest, because of these."""

    written: bool
    news: dict[str, News] | None = None
    started: bool = False


class Journal:
    """Writes records, within the transactions of the committer."""

    def __init__(
        self, ground: Ground, definitions: DefinitionStore, signals: Signals, queue: RunQueue, steps: StepRows
    ) -> None:
        self._database = ground.database
        self._tables = ground.tables
        self._claims = ground.claims
        self._values = ground.values
        self._definitions = definitions
        self._signals = signals
        self._queue = queue
        self._steps = steps
        self._children = Children(ground)

    def advance(self, connection: Connection, records: Sequence[Record]) -> list[Recorded]:
        """For plain records: two statements, however many there are."""
        rows = [self._place(record) for record in records]
        held = self._claims.end(connection, rows, _ADVANCING)
        self._write_rows(connection, [record for record in records if record.held.id in held])
        return [Recorded(record.held.id in held) for record in records]

    def finish(self, connection: Connection, records: Sequence[Record]) -> list[Recorded]:
        """For runs that end, where nothing else happens."""
        held = self._claims.end(connection, [self._place(record) + _ending(record) for record in records], _LEAVING)
        mine = [record for record in records if record.held.id in held]
        self._write_rows(connection, mine)
        self._fill_lanes(connection, mine)
        self._end(connection, mine)
        return [Recorded(record.held.id in held) for record in records]

    def settle(self, connection: Connection, records: Sequence[Record]) -> list[Recorded]:
        """For whatever else can happen: steps that emit or wait for signals, runs that come to rest."""
        pairs = {(w.run.tenant_id, wait.signal_type) for w in records for _, wait in w.waits}
        if pairs:
            self._signals.lock_pairs(connection, pairs, shared=False)
        held = self._claims.fence(connection, [(record.held.id, record.held.epoch) for record in records])
        mine = [record for record in records if record.held.id in held]
        self._write_rows(connection, mine)
        started = [self._emit(connection, record) for record in mine]
        for record in mine:
            self._begin_waits(connection, record)
        news = self._news(connection, mine)
        self._place_all(connection, mine, news)
        self._end(connection, [record for record in mine if record.state == DONE])
        return [Recorded(record.held.id in held, news.get(record.held.id), any(started)) for record in records]

    # ---- parts of it -----------------------------------------------------------------------------------------

    def _write_rows(self, connection: Connection, records: Sequence[Record]) -> None:
        self._steps.write(connection, [row for record in records for row in record.rows])
        self._steps.write_logs(connection, [log for record in records for log in record.logs])

    def _place_all(self, connection: Connection, records: Sequence[Record], news: dict[str, dict[str, News]]) -> None:
        staying = [record for record in records if record.held.id in news or record.state == RUNNING]
        leaving = [record for record in records if record not in staying]
        if staying:
            self._claims.end(connection, [self._place(record) for record in staying], _ADVANCING)
        if leaving:
            self._claims.end(connection, [self._place(record) + _ending(record) for record in leaving], _LEAVING)
            self._fill_lanes(connection, leaving)

    def _fill_lanes(self, connection: Connection, records: Sequence[Record]) -> None:
        lanes = {(record.run.tenant_id, record.held.lane) for record in records if record.held.lane is not None}
        self._claims.fill(connection, lanes)

    def _place(self, record: Record) -> tuple[object, ...]:
        """The values of `_ADVANCING`, after the id and the epoch."""
        context = self._values.seal(record.context)
        place = (record.run.current_step_index, context, moment_text(record.run.updated_at))
        return (record.held.id, record.held.epoch, *place)

    def _emit(self, connection: Connection, record: Record) -> bool:
        if not record.emissions:
            return False
        emitted = self._signals.emit(connection, [emission for _, emission, _ in record.emissions])
        for (row, emission, waits), done in zip(record.emissions, emitted, strict=True):
            if waits:
                # Not all that it started need be its children: a run that is held back takes further signals in.
                children = self._children.unfinished(connection, row) if done.run_ids else 0
                values = self._wait_values(row) | {"trigger_id": emission.trigger.id, "children": children}
                connection.execute(_or_keep(self._database, self._tables.waits).values(**values))
        return any(done.run_ids or done.woke_others for done in emitted)

    def _begin_waits(self, connection: Connection, record: Record) -> None:
        c = self._tables.waits.c
        for row, wait in record.waits:
            match = resolved(dict(wait.match), record.held.trigger, record.run.context)
            text = plain_json(match, "a match")
            values = self._wait_values(row) | {"signal_type": wait.signal_type, "match": self._values.seal(text)}
            connection.execute(_or_keep(self._database, self._tables.waits).values(**values))
            found = self._signals.earlier(connection, record.run, wait.signal_type, match)
            if found is not None:
                over = update(self._tables.waits).where(c.id == row.id, c.signal_type.is_not(None))
                connection.execute(over.values(trigger_id=found, signal_type=None))

    def _wait_values(self, row: WorkflowStepRun) -> dict[str, Any]:
        return {"id": row.id, "run_id": row.run_id, "tenant_id": row.tenant_id, "path": row.path}

    def _news(self, connection: Connection, records: Sequence[Record]) -> dict[str, dict[str, News]]:
        """Of runs that would come to rest, what has arrived for them."""
        resting = [record for record in records if record.state == WAITING and record.held.has_open_waits]
        found = self._queue.news(connection, [record.held.id for record in resting])
        open_paths = {
            record.held.id: {row.path for row in record.held.steps.values() if row.status == "scheduled"}
            for record in resting
        }
        kept = {
            key: {path: each for path, each in news.items() if path in open_paths[key]} for key, news in found.items()
        }
        return {key: news for key, news in kept.items() if news}

    def _end(self, connection: Connection, records: Sequence[Record]) -> None:
        """What follows from the end of runs: nobody waits for them in vain."""
        if not records:
            return
        waited = [record for record in records if record.held.has_waited]
        if waited:
            c = self._tables.waits.c
            failed = [record.held.id for record in waited if record.run.status == "failed"]
            # A failed run may be retried: which signals it has had already must be known then.
            over = c.run_id.in_([record.held.id for record in waited]) & ~(
                c.run_id.in_(failed) & c.trigger_id.is_not(None)
            )
            connection.execute(delete(self._tables.waits).where(over))
        self._children.ended(connection, [record.run for record in records])
        for record in records:
            if record.on_failure is not None:
                self._start_on_failure(connection, record, record.on_failure)

    def _start_on_failure(self, connection: Connection, record: Record, trigger: TriggerEnvelope) -> None:
        version = self._definitions.named(connection, trigger.tenant_id, record.held.workflow.on_failure or "")
        if version is not None:
            payload = plain_json(trigger.payload, "the payload of a failed run")
            only = ((version.definition_id, version.number),)
            self._signals.emit(connection, [Emission(trigger, payload, only=only)])


class Children:
    """Runs that a step of another run waits for."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._tables = ground.tables
        self._claims = ground.claims

    def unfinished(self, connection: Connection, row: WorkflowStepRun) -> int:
        """How many of the step's children have not ended. They are locked: one that ends now sees who waits for it."""
        c = self._tables.runs.c
        mine = (c.parent_run_id == row.run_id) & (c.parent_step_run_id == row.id) & (c.state != DONE)
        query = select(c.id).where(mine).order_by(c.id)
        return len(connection.execute(query if self._database.dialect == "sqlite" else query.with_for_update()).all())

    def ended(self, connection: Connection, runs: Sequence[WorkflowRun]) -> None:
        """Counts the unfinished children of each parent's step again; a parent that waits for none goes on."""
        waits, c = self._tables.waits, self._tables.runs.c
        steps = sorted({run.parent_step_run_id for run in runs if run.parent_step_run_id is not None})
        for step_id in steps:
            # Its row is locked first: of two children that end at once, the second sees the first.
            locked = select(waits.c.run_id).where(waits.c.id == step_id)
            parent = connection.scalar(locked if self._database.dialect == "sqlite" else locked.with_for_update())
            if parent is None:
                continue
            mine = (c.parent_run_id == parent) & (c.parent_step_run_id == step_id) & (c.state != DONE)
            left = len(connection.execute(select(c.id).where(mine)).all())
            connection.execute(update(waits).where(waits.c.id == step_id).values(children=left))
            if left == 0:
                self._claims.rouse(connection, c.id == parent)


def _ending(record: Record) -> tuple[object, ...]:
    """The values of `_LEAVING` after those of `_ADVANCING`."""
    run = record.run
    return (
        run.status,
        record.state,
        record.due_at,
        moment_text(run.started_at),
        moment_text(run.completed_at),
        moment_text(run.failed_at),
        run.error_message,
        0,
        0,
    )


def _or_keep(database: Database, table: Any) -> Any:
    return insert_into(database.dialect, table).on_conflict_do_nothing()
