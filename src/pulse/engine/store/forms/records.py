"""Rows of triggers, runs and logs, as records."""

from typing import Any

from sqlalchemy import Row

from pulse.engine.records import ExecutionLog, TriggerEnvelope, WorkflowRun
from pulse.engine.store.forms.values import Values, moment_at, moment_of
from pulse.storage.claims import NEVER


class Records:
    """Makes records of rows that have all columns of their table."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def trigger(self, row: Row[*tuple[Any, ...]]) -> TriggerEnvelope:
        return TriggerEnvelope(
            id=row.id,
            tenant_id=row.tenant_id,
            source=row.source,
            type=row.type,
            resource_type=row.resource_type,
            resource_id=row.resource_id,
            environment=row.environment,
            payload=self._values.load(row.payload),
            created_at=moment_of(row.created_at),  # type: ignore[arg-type]
            idempotency_key=row.idempotency_key,
            traceparent=row.traceparent,
        )

    def run(self, row: Row[*tuple[Any, ...]], snapshot: dict[str, Any] | None = None) -> WorkflowRun:
        """`snapshot` is the definition, where it is known and the row does not have it."""
        waits = row.status in ("pending", "waiting") and row.due_at < NEVER
        return WorkflowRun(
            id=row.id,
            definition_id=row.definition_id,
            tenant_id=row.tenant_id,
            trigger_id=row.trigger_id,
            status=row.status,
            context=self._values.load(row.context),
            current_step_index=row.current_step_index,
            is_replay=bool(row.is_replay),
            definition_snapshot=self._values.load(row.definition_snapshot) if snapshot is None else snapshot,
            created_at=moment_of(row.created_at),  # type: ignore[arg-type]
            updated_at=moment_of(row.updated_at),  # type: ignore[arg-type]
            started_at=moment_of(row.started_at),
            completed_at=moment_of(row.completed_at),
            failed_at=moment_of(row.failed_at),
            canceled_at=moment_of(row.canceled_at),
            cancel_reason=row.cancel_reason,
            error_message=row.error_message,
            definition_version=row.definition_version,
            is_dry_run=bool(row.is_dry_run),
            attempt=row.attempt,
            parent_run_id=row.parent_run_id,
            parent_step_run_id=row.parent_step_run_id,
            due_at=moment_at(row.due_at) if waits else None,
        )

    def log(self, row: Row[*tuple[Any, ...]]) -> ExecutionLog:
        return ExecutionLog(
            id=row.id,
            run_id=row.run_id,
            step_run_id=row.step_run_id,
            tenant_id=row.tenant_id,
            level=row.level,
            message=row.message,
            data=self._values.load(row.data),
            created_at=moment_of(row.created_at),  # type: ignore[arg-type]
        )
