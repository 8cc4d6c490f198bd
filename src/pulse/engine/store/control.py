"""What people do to runs: cancel, retry. Each is one transaction; what a holder writes afterwards is refused."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from pulse.core.errors import NotFound
from pulse.engine.definition.checks import all_steps
from pulse.engine.errors import IllegalTransition
from pulse.engine.records import ExecutionLog, RunStatus, WorkflowRun, WorkflowStepRun
from pulse.engine.rules.rewind import rewound
from pulse.engine.rules.transitions import check_run
from pulse.engine.store.definitions import DefinitionStore
from pulse.engine.store.forms.records import Records
from pulse.engine.store.forms.steps import StepRows
from pulse.engine.store.forms.tables import DONE
from pulse.engine.store.forms.values import moment_at
from pulse.engine.store.ground import Ground
from pulse.engine.store.journal import Children
from pulse.storage.claims import BLOCKED, READY

UNFINISHED_STEPS = ("pending", "scheduled", "running")
BATCH = 100


@dataclass(frozen=True)
class RunFilter:
    """Which runs: those for which everything that is given holds. `workflow` is a name."""

    tenant_id: str | None = None
    status: RunStatus | None = None
    workflow: str | None = None
    trigger_type: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Control:
    """Cancels and retries runs."""

    def __init__(self, ground: Ground, definitions: DefinitionStore, steps: StepRows) -> None:
        self._ground = ground
        self._database = ground.database
        self._tables = ground.tables
        self._claims = ground.claims
        self._definitions = definitions
        self._steps = steps
        self._records = Records(ground.values)
        self._children = Children(ground)

    async def cancel(self, run_id: str, reason: str | None, tenant_id: str | None) -> tuple[WorkflowRun, list[str]]:
        """The run, canceled, and the ids of all that were (its awaited children too).

        Raises NotFound; IllegalTransition where it has ended.
        """
        return await self._database.transact(partial(self._cancel_one, run_id, reason, tenant_id))

    async def cancel_matching(self, where: RunFilter, reason: str | None) -> list[str]:
        """Cancels every unfinished run that the filter names; the ids of those that were."""
        c = self._tables.runs.c
        canceled: list[str] = []
        while True:
            ids = await self._ids(where, c.state != DONE)
            if not ids:
                return canceled
            canceled += await self._database.transact(partial(self._cancel, ids, reason))

    async def retry(self, run_id: str, from_step: str | None, tenant_id: str | None) -> WorkflowRun:
        """The run, going on at its failed step (or at `from_step`). Raises NotFound, IllegalTransition."""
        return await self._database.transact(partial(self._retry, run_id, from_step, tenant_id))

    async def retry_matching(self, where: RunFilter) -> list[str]:
        """Retries every failed run that the filter names and that is there now; the ids of those that were."""
        c = self._tables.runs.c
        retried: list[str] = []
        last = ""
        while True:
            ids = await self._ids(where, (c.status == "failed") & (c.id > last))
            if not ids:
                return retried
            last = ids[-1]
            for run_id in ids:
                retried += await self._database.transact(partial(self._retry_if_failed, run_id))

    def conditions(self, where: RunFilter) -> list[ColumnElement[bool]]:
        """What the filter asks of a row."""
        c, definitions, triggers = self._tables.runs.c, self._tables.definitions.c, self._tables.triggers.c
        moment = self._ground.values.moment
        named = select(definitions.id).where(definitions.name == where.workflow)
        typed = select(triggers.id).where(triggers.type == where.trigger_type, triggers.id == c.trigger_id)
        wanted: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
            (where.tenant_id, lambda: c.tenant_id == where.tenant_id),
            (where.status, lambda: c.status == where.status),
            (where.workflow, lambda: c.definition_id.in_(named)),
            (where.trigger_type, lambda: c.trigger_id.in_(typed)),
            (where.created_after, lambda: c.created_at > moment(_utc(where.created_after))),
            (where.created_before, lambda: c.created_at < moment(_utc(where.created_before))),
        ]
        return [condition() for given, condition in wanted if given is not None]

    async def _ids(self, where: RunFilter, also: ColumnElement[bool]) -> list[str]:
        c = self._tables.runs.c
        query = select(c.id).where(also, *self.conditions(where)).order_by(c.id).limit(BATCH)
        async with self._database.read() as connection:
            return list(await connection.scalars(query))

    # ---- cancel ----------------------------------------------------------------------------------------------

    def _cancel_one(
        self, run_id: str, reason: str | None, tenant_id: str | None, connection: Connection
    ) -> tuple[WorkflowRun, list[str]]:
        before = self._locked(connection, run_id, tenant_id)
        check_run(before.status, "canceled")
        canceled = self._cancel(connection=connection, ids=[run_id], reason=reason)
        return self._run(connection, run_id), canceled

    def _cancel(self, ids: Collection[str], reason: str | None, connection: Connection) -> list[str]:
        c, steps, waits = self._tables.runs.c, self._tables.steps, self._tables.waits
        moment = self._ground.values.moment(self._now())
        values = {
            "status": "canceled",
            "state": DONE,
            "canceled_at": moment,
            "updated_at": moment,
            "cancel_reason": reason,
            "epoch": c.epoch + 1,
            "debounce_key": None,
        }
        unfinished = update(self._tables.runs).where(c.id.in_(sorted(ids)), c.state != DONE)
        rows = connection.execute(unfinished.values(**values).returning(*c)).all()
        canceled = [row.id for row in rows]
        ended = steps.c.run_id.in_(canceled) & steps.c.status.in_(UNFINISHED_STEPS)
        skipped = {"status": "skipped", "skip_reason": "canceled", "completed_at": moment}
        connection.execute(update(steps).where(ended).values(**skipped))
        connection.execute(delete(waits).where(waits.c.run_id.in_(canceled)))
        self._claims.fill(connection, {(row.tenant_id, row.lane) for row in rows if row.lane is not None})
        children = connection.scalars(select(c.id).where(c.parent_run_id.in_(canceled), c.state != DONE)).all()
        self._children.ended(connection, [self._records.run(row) for row in rows])
        return canceled + (self._cancel(children, reason, connection) if children else [])

    # ---- retry -----------------------------------------------------------------------------------------------

    def _retry_if_failed(self, run_id: str, connection: Connection) -> list[str]:
        run = self._locked(connection, run_id, None)
        if run.status != "failed":
            return []
        return [self._go_on(connection, run, None).id]

    def _retry(self, run_id: str, from_step: str | None, tenant_id: str | None, connection: Connection) -> WorkflowRun:
        run = self._locked(connection, run_id, tenant_id)
        if run.status != "failed":
            raise IllegalTransition(f"Only a failed run can be retried; this one is {run.status}.", before=run.status)
        return self._go_on(connection, run, from_step)

    def _go_on(self, connection: Connection, run: WorkflowRun, from_step: str | None) -> WorkflowRun:
        key = (run.definition_id, run.definition_version)
        workflow = self._definitions.versions(connection, [key])[key].workflow
        steps = self._steps.of_runs(connection, [run.id]).get(run.id, {})
        if from_step is not None and from_step not in {step.name for _, step in all_steps(workflow.steps)}:
            known = ", ".join(step.name for _, step in all_steps(workflow.steps))
            raise NotFound(f"This run has no step {from_step!r}; it has: {known}.")
        changed, removed = rewound(workflow, steps, from_step)
        self._retry_children(connection, run, [row for row in changed if row.status == "scheduled"])
        self._forget(connection, removed)
        self._steps.write(connection, changed)
        gone = {row.step_name for row in removed}
        self._reopen(connection, run, {name: value for name, value in run.context.items() if name not in gone})
        return self._run(connection, run.id)

    def _reopen(self, connection: Connection, run: WorkflowRun, context: dict[str, Any]) -> None:
        c, now = self._tables.runs.c, self._now()
        values = {
            "status": "running",
            "due_at": self._ground.clock.now_ms(),
            "failed_at": None,
            "error_message": None,
            "attempt": run.attempt + 1,
            "updated_at": self._ground.values.moment(now),
            "context": self._ground.values.seal(json.dumps(context, separators=(",", ":"))),
            "deaths": 0,
            "lone_deaths": 0,
        }
        lane = connection.scalar(select(c.lane).where(c.id == run.id))
        state = READY if lane is None else BLOCKED
        connection.execute(update(self._tables.runs).where(c.id == run.id).values(**values, state=state))
        if lane is not None:
            self._claims.fill(connection, {(run.tenant_id, lane)})
        said = f"Retried (attempt {run.attempt + 1} of the run)."
        log = ExecutionLog(self._ground.ids.new("log"), run.id, None, run.tenant_id, "info", said, None, now)
        self._steps.write_logs(connection, [log])

    def _retry_children(self, connection: Connection, run: WorkflowRun, rows: Sequence[WorkflowStepRun]) -> None:
        """Steps that failed because a run that they waited for failed: that run is retried, and waited for again."""
        c, waits = self._tables.runs.c, self._tables.waits
        for row in rows:
            mine = (c.parent_run_id == run.id) & (c.parent_step_run_id == row.id)
            # Locked: one that ends now sees who waits for it.
            query = select(*c).where(mine).order_by(c.id)
            locked = query if self._database.dialect == "sqlite" else query.with_for_update()
            children = connection.execute(locked).all()
            connection.execute(delete(waits).where(waits.c.id == row.id))
            values = {"id": row.id, "run_id": run.id, "tenant_id": run.tenant_id, "path": row.path}
            trigger = children[0].trigger_id if children else None
            connection.execute(waits.insert().values(**values, trigger_id=trigger, children=len(children)))
            for child in children:
                if child.status == "failed":
                    self._go_on(connection, self._records.run(child), None)
            self._children.ended(connection, [replace(self._records.run(child)) for child in children])

    def _forget(self, connection: Connection, rows: Iterable[WorkflowStepRun]) -> None:
        ids = [row.id for row in rows]
        if ids:
            connection.execute(delete(self._tables.steps).where(self._tables.steps.c.id.in_(ids)))
            connection.execute(delete(self._tables.waits).where(self._tables.waits.c.id.in_(ids)))

    # ---- rows ------------------------------------------------------------------------------------------------

    def _locked(self, connection: Connection, run_id: str, tenant_id: str | None) -> WorkflowRun:
        return self._run(connection, run_id, tenant_id, lock=self._database.dialect != "sqlite")

    def _run(
        self, connection: Connection, run_id: str, tenant_id: str | None = None, *, lock: bool = False
    ) -> WorkflowRun:
        c = self._tables.runs.c
        query = select(*c).where(c.id == run_id)
        row: Row[Any] | None = connection.execute(query.with_for_update() if lock else query).first()
        if row is None or tenant_id not in (None, row.tenant_id):
            raise NotFound(f"There is no run {run_id!r}.")
        return self._records.run(row)

    def _now(self) -> datetime:
        return moment_at(self._ground.clock.now_ms())


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
