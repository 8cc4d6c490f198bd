"""How runs come into being: ready, claimed from birth, or held back by a limit. Part of the caller's transaction.

A run's id depends on its trigger, its workflow and what started it, so that starting it twice starts it once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, literal, select, update

from pulse.core.ids import derive_id
from pulse.engine.records import TriggerEnvelope, WorkflowRun, WorkflowStepRun
from pulse.engine.rules.matcher import key_at
from pulse.engine.rules.progress import first_step
from pulse.engine.store.definitions import Version
from pulse.engine.store.forms.steps import StepRows
from pulse.engine.store.forms.values import moment_at, moment_text, ms_of
from pulse.engine.store.ground import Ground
from pulse.engine.store.held import Held, begun
from pulse.storage.claims import BLOCKED, READY, RUNNING, WAITING
from pulse.storage.rows import Given, Prepared, insert_into

_COLUMNS = (
    "id",
    "definition_id",
    "definition_version",
    "tenant_id",
    "lane",
    "lane_limit",
    "priority",
    "trigger_id",
    "due_at",
    "state",
    "status",
    "context",
    "current_step_index",
    "is_replay",
    "is_dry_run",
    "definition_snapshot",
    "parent_run_id",
    "parent_step_run_id",
    "started_at",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True)
class Origin:
    """What started a run besides its signal.

    `nonce` tells apart the runs of one signal and workflow: an id, made when the signal was replayed.
    """

    is_replay: bool = False
    is_dry_run: bool = False
    parent_run_id: str | None = None
    parent_step_run_id: str | None = None
    nonce: str = ""


@dataclass(frozen=True)
class NewRun:
    """A run to be made. `take`: this process will drive it at once, if no limit holds it back."""

    trigger: TriggerEnvelope
    version: Version
    origin: Origin
    take: bool = False

    @cached_property
    def id(self) -> str:
        # A run's id has the time at which it was made: that of its signal, or of the replay.
        return derive_id("run", self.origin.nonce or self.trigger.id, self.trigger.id, self.version.definition_id)


@dataclass(frozen=True)
class _Placed:
    """Where a new run stands in the queue."""

    run: NewRun
    state: str
    due: datetime
    lane: str | None


class NewRuns:
    """Inserts runs with their first steps."""

    def __init__(self, ground: Ground, steps: StepRows) -> None:
        self._database = ground.database
        self._tables = ground.tables
        self._claims = claims = ground.claims
        self._values = ground.values
        self._replay_safe = ground.replay_safe
        self._steps = steps
        born = {"owner": claims.held_from_birth()["owner"], "epoch": 1}
        lease_until = claims.held_from_birth()["lease_until"]
        runs = ground.tables.runs.c
        given = Given(ground.database.dialect, {name: runs[name].type for name in _COLUMNS})
        self._insert_waiting = self._insertion(given, {})
        self._insert_held = self._insertion(given, {**born, "lease_until": lease_until})

    def start(self, connection: Connection, runs: Sequence[NewRun], now: datetime) -> dict[str, Held]:
        """Makes the runs; those that this process drives at once, by id. One that is there already stays as it is."""
        held_back = [run for run in runs if run.version.workflow.debounce_key is not None and not run.origin.is_replay]
        for run in held_back:
            self._debounce(connection, run, now)
        placed = [self._place(connection, run, now) for run in runs if run not in held_back]
        if not placed:
            return {}
        lanes = {(each.run.trigger.tenant_id, each.lane) for each in placed if each.lane is not None}
        self._claims.lock_lanes(connection, lanes)
        self._insert(connection, placed, now)
        self._claims.promote(connection, lanes)
        return self._first_steps(connection, placed, now)

    def _first_steps(self, connection: Connection, placed: Sequence[_Placed], now: datetime) -> dict[str, Held]:
        """Inserts the row of each first step: begun already, where the run is driven at once."""
        held = {each.run.id: _held(each.run, now) for each in placed if each.state == RUNNING}
        rows = [_first_step(each.run, now) for each in placed if each.run.id not in held]
        for run in held.values():
            rows += begun(run, now, self._replay_safe) or run.steps.values()
        self._steps.write(connection, rows)
        return held

    def _place(self, connection: Connection, run: NewRun, now: datetime) -> _Placed:
        workflow = run.version.workflow
        lane = _lane(run)
        due = now if workflow.rate_limit is None else self._reserve(connection, run, now)
        if due > now:
            return _Placed(run, WAITING, due, lane)
        if lane is not None:
            return _Placed(run, BLOCKED, now, lane)
        taken = run.take and not self._claims.limits_tenants
        return _Placed(run, RUNNING if taken else READY, now, None)

    def _insert(self, connection: Connection, placed: Sequence[_Placed], now: datetime) -> None:
        for state_is_running, statement in ((True, self._insert_held), (False, self._insert_waiting)):
            rows = [self._row(each, now) for each in placed if (each.state == RUNNING) is state_is_running]
            if rows:
                statement.execute(connection, rows)

    # ---- limits ----------------------------------------------------------------------------------------------

    def _reserve(self, connection: Connection, run: NewRun, now: datetime) -> datetime:
        """The time at which this run of a rate-limited workflow may begin."""
        limit = run.version.workflow.rate_limit
        assert limit is not None
        table, insert_or_keep = self._tables.rates, insert_into(self._database.dialect, self._tables.rates)
        key = run.version.definition_id
        connection.execute(insert_or_keep.values(definition_id=key, next_at=0).on_conflict_do_nothing())
        now_ms, pause = float(ms_of(now)), limit.per_seconds * 1000 / limit.limit
        following = case((table.c.next_at > now_ms, table.c.next_at), else_=now_ms) + pause
        reserved = (
            update(table).where(table.c.definition_id == key).values(next_at=following).returning(table.c.next_at)
        )
        return moment_at(round(connection.execute(reserved).scalar_one() - pause))

    def _debounce(self, connection: Connection, run: NewRun, now: datetime) -> None:
        """Makes the run wait for the last of its signals, or gives the one that waits already this signal."""
        workflow, table = run.version.workflow, self._tables.runs
        assert workflow.debounce_key is not None
        assert workflow.debounce_ms is not None
        due = ms_of(now) + workflow.debounce_ms
        last = ms_of(now) + (workflow.debounce_max_ms or 10 * workflow.debounce_ms)
        values: dict[str, Any] = dict(
            zip(_COLUMNS, self._row(_Placed(run, WAITING, now, _lane(run)), now), strict=True)
        )
        for name in ("created_at", "updated_at", "started_at"):
            values[name] = self._values.moment(now) if values[name] is not None else None
        values |= {"due_at": min(due, last), "debounce_key": _digest(run, workflow.debounce_key)}
        made = insert_into(self._database.dialect, table).values(**values, debounce_until=last)
        sooner = case((table.c.debounce_until < due, table.c.debounce_until), else_=due)
        again = {"trigger_id": run.trigger.id, "due_at": sooner, "updated_at": values["updated_at"]}
        upsert = made.on_conflict_do_update(
            index_elements=["definition_id", "debounce_key"], index_where=table.c.debounce_key.is_not(None), set_=again
        )
        made_id = connection.execute(upsert.returning(table.c.id)).scalar_one()
        if made_id == run.id:
            self._steps.write(connection, [_first_step(run, now)])

    # ---- rows ------------------------------------------------------------------------------------------------

    def _row(self, placed: _Placed, now: datetime) -> tuple[object, ...]:
        """The values of `_COLUMNS`."""
        run, running = placed.run, placed.state == RUNNING
        said = moment_text(now)
        return (
            run.id,
            run.version.definition_id,
            run.version.number,
            run.trigger.tenant_id,
            placed.lane,
            run.version.workflow.concurrency,
            run.version.workflow.priority,
            run.trigger.id,
            ms_of(placed.due),
            placed.state,
            "running" if running else "pending",
            self._values.seal("{}"),
            0,
            run.origin.is_replay,
            run.origin.is_dry_run,
            run.version.text,
            run.origin.parent_run_id,
            run.origin.parent_step_run_id,
            said if running else None,
            said,
            said,
        )

    def _insertion(self, given: Given, born: dict[str, object]) -> Prepared:
        """Inserts given rows; a run that is there already is left as it is."""
        table = self._tables.runs
        rows = given.rows
        values: dict[str, Any] = {name: rows.c[name] for name in _COLUMNS} | born
        chosen = select(*[_expression(value) for value in values.values()]).where(rows.c.id.is_not(None))
        made: Any = insert_into(self._database.dialect, table).from_select(list(values), chosen)
        return Prepared(made.on_conflict_do_nothing(), given)


def _lane(run: NewRun) -> str | None:
    workflow = run.version.workflow
    if workflow.concurrency is None:
        return None
    key = "" if workflow.concurrency_key is None else _digest(run, workflow.concurrency_key)
    return f"{run.version.definition_id}:{key}"


def _digest(run: NewRun, path: str) -> str:
    """The key at the path, however long: an index holds no long values, and a codec's payloads stay unread."""
    return hashlib.blake2b(key_at(run.trigger, path).encode(), digest_size=16).hexdigest()


def _expression(value: Any) -> Any:
    return value if isinstance(value, ColumnElement) else literal(value)


def _first_step(run: NewRun, now: datetime) -> WorkflowStepRun:
    return first_step(run.id, run.trigger.tenant_id, run.version.workflow, now)


def _held(run: NewRun, now: datetime) -> Held:
    made = WorkflowRun(
        id=run.id,
        definition_id=run.version.definition_id,
        tenant_id=run.trigger.tenant_id,
        trigger_id=run.trigger.id,
        status="running",
        context={},
        current_step_index=0,
        is_replay=run.origin.is_replay,
        definition_snapshot=run.version.json,
        created_at=now,
        updated_at=now,
        started_at=now,
        definition_version=run.version.number,
        is_dry_run=run.origin.is_dry_run,
        parent_run_id=run.origin.parent_run_id,
        parent_step_run_id=run.origin.parent_step_run_id,
    )
    step = _first_step(run, now)
    return Held(run.id, 1, 0, made, run.version.workflow, run.trigger, {step.path: step}, {}, due=now)
