"""Reading runs, their steps, logs and triggers. A `tenant_id` that is given must match."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from pulse.engine.definition.json_form import from_json
from pulse.engine.records import ExecutionLog, TriggerEnvelope, WorkflowRun, WorkflowStepRun
from pulse.engine.rules.progress import step_at
from pulse.engine.store.control import Control, RunFilter
from pulse.engine.store.forms.records import Records
from pulse.engine.store.forms.steps import StepRows
from pulse.engine.store.ground import Ground


class Reading:
    """Queries; nothing here writes."""

    def __init__(self, ground: Ground, steps: StepRows, control: Control) -> None:
        self._database = ground.database
        self._tables = ground.tables
        self._steps = steps
        self._control = control
        self._records = Records(ground.values)

    async def run(self, run_id: str, tenant_id: str | None) -> WorkflowRun | None:
        c = self._tables.runs.c
        found = await self._runs(select(*c).where(c.id == run_id, *_of(c.tenant_id, tenant_id)))
        return found[0] if found else None

    async def runs_by_trigger(self, trigger_id: str, tenant_id: str | None) -> list[WorkflowRun]:
        c = self._tables.runs.c
        mine = select(*c).where(c.trigger_id == trigger_id, *_of(c.tenant_id, tenant_id))
        return await self._runs(mine.order_by(c.id))

    async def runs(self, where: RunFilter, limit: int, before: str | None) -> list[WorkflowRun]:
        """The newest first; `before` is the id of the last one of the page before."""
        c = self._tables.runs.c
        query = select(*c).where(*self._control.conditions(where)).order_by(c.id.desc()).limit(limit)
        return await self._runs(query if before is None else query.where(c.id < before))

    async def steps(self, run: WorkflowRun) -> list[WorkflowStepRun]:
        """In the order of the definition."""
        c, workflow = self._tables.steps.c, from_json(run.definition_snapshot)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(*c).where(c.run_id == run.id))).all()
        found = [self._steps.record(row, step_at(workflow, row.path).config) for row in rows]
        return sorted(found, key=lambda row: _place(row.path))

    async def logs(self, run_id: str) -> list[ExecutionLog]:
        """In the order in which they were written."""
        c = self._tables.logs.c
        async with self._database.read() as connection:
            rows = await connection.execute(select(*c).where(c.run_id == run_id).order_by(c.created_at, c.id))
            return [self._records.log(row) for row in rows]

    async def trigger(self, trigger_id: str, tenant_id: str | None) -> TriggerEnvelope | None:
        c = self._tables.triggers.c
        async with self._database.read() as connection:
            row = (await connection.execute(select(*c).where(c.id == trigger_id, *_of(c.tenant_id, tenant_id)))).first()
        return None if row is None else self._records.trigger(row)

    async def unfinished(self, trigger_id: str) -> int:
        """How many runs of the signal have not ended."""
        c = self._tables.runs.c
        async with self._database.read() as connection:
            rows = await connection.execute(select(c.id).where(c.trigger_id == trigger_id, c.state != "done"))
            return len(rows.all())

    async def _runs(self, query: Select[Any]) -> list[WorkflowRun]:
        async with self._database.read() as connection:
            return [self._records.run(row) for row in await connection.execute(query)]


def _of(column: ColumnElement[str], tenant_id: str | None) -> Sequence[ColumnElement[bool]]:
    return [] if tenant_id is None else [column == tenant_id]


def _place(path: str) -> list[int]:
    return list(map(int, path.split(".")))
