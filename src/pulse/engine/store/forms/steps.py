"""Rows of steps and of logs: written many at once, whatever they were before."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from pulse.engine.records import ExecutionLog, WorkflowStepRun
from pulse.engine.store.forms.tables import EngineTables
from pulse.engine.store.forms.values import Values, compact, moment_of, plain_json
from pulse.storage.claims import chunks
from pulse.storage.rows import Insertion

_COLUMNS = (
    "id",
    "run_id",
    "tenant_id",
    "step_index",
    "step_type",
    "step_name",
    "status",
    "scheduled_for",
    "started_at",
    "completed_at",
    "result",
    "error_message",
    "branch_index",
    "parent_step_run_id",
    "created_at",
    "path",
    "attempt",
    "skip_reason",
)
_LOG_COLUMNS = ("id", "run_id", "step_run_id", "tenant_id", "level", "message", "data", "created_at")


class StepRows:
    """The steps and logs of runs, within the transactions of others."""

    def __init__(self, tables: EngineTables, values: Values) -> None:
        self._tables = tables
        self._values = values
        self._rows = Insertion(tables.steps, *_COLUMNS, instead="replace")
        self._logs = Insertion(tables.logs, *_LOG_COLUMNS, instead="keep")

    def write(self, connection: Connection, rows: Collection[WorkflowStepRun]) -> None:
        """Inserts the rows, or replaces those of the same id."""
        if rows:
            self._rows.execute(connection, [self._values_of(row) for row in rows])

    def write_logs(self, connection: Connection, logs: Collection[ExecutionLog]) -> None:
        if logs:
            self._logs.execute(connection, [self._values_of_log(log) for log in logs])

    def of_runs(self, connection: Connection, run_ids: Iterable[str]) -> dict[str, dict[str, WorkflowStepRun]]:
        """The steps of each run by their path."""
        c = self._tables.steps.c
        found: dict[str, dict[str, WorkflowStepRun]] = {}
        for part in chunks(list(run_ids)):
            for row in connection.execute(select(*(c[name] for name in _COLUMNS)).where(c.run_id.in_(part))):
                found.setdefault(row.run_id, {})[row.path] = self.record(row)
        return found

    def record(self, row: Row[*tuple[Any, ...]], config: Mapping[str, Any] | None = None) -> WorkflowStepRun:
        return WorkflowStepRun(
            id=row.id,
            run_id=row.run_id,
            tenant_id=row.tenant_id,
            step_index=row.step_index,
            step_type=row.step_type,
            step_name=row.step_name,
            status=row.status,
            created_at=moment_of(row.created_at),  # type: ignore[arg-type]
            path=row.path,
            scheduled_for=moment_of(row.scheduled_for),
            started_at=moment_of(row.started_at),
            completed_at=moment_of(row.completed_at),
            result=self._values.load(row.result),
            error_message=row.error_message,
            branch_index=row.branch_index,
            parent_step_run_id=row.parent_step_run_id,
            attempt=row.attempt,
            skip_reason=row.skip_reason,
            config=config or {},
        )

    def _values_of(self, row: WorkflowStepRun) -> tuple[object, ...]:
        moment = self._values.moment
        result = None if row.result is None else self._values.seal(compact(row.result))
        return (
            row.id,
            row.run_id,
            row.tenant_id,
            row.step_index,
            row.step_type,
            row.step_name,
            row.status,
            moment(row.scheduled_for),
            moment(row.started_at),
            moment(row.completed_at),
            result,
            row.error_message,
            row.branch_index,
            row.parent_step_run_id,
            moment(row.created_at),
            row.path,
            row.attempt,
            row.skip_reason,
        )

    def _values_of_log(self, log: ExecutionLog) -> tuple[object, ...]:
        data = None if log.data is None else self._values.seal(plain_json(log.data, "the data of a log entry"))
        moment = self._values.moment(log.created_at)
        return (log.id, log.run_id, log.step_run_id, log.tenant_id, log.level, log.message, data, moment)
