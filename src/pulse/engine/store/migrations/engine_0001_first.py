"""Triggers, workflows and their versions, runs, steps, logs, waits, schedules."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix
from pulse.storage.types import JSON_TEXT, MOMENT, SORTED_ID

revision = "engine_0001"
down_revision = None
branch_labels = ("engine",)
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    _triggers(prefix)
    _workflow_definitions(prefix)
    _definition_versions(prefix)
    _workflow_runs(prefix)
    _workflow_step_runs(prefix)
    _execution_logs(prefix)
    _waits(prefix)
    _workflow_schedules(prefix)
    _rate_limits(prefix)


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _triggers(prefix: str) -> None:
    name = f"{prefix}triggers"
    op.create_table(
        name,
        sa.Column("id", SORTED_ID, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("resource_type", sa.Text),
        sa.Column("resource_id", sa.Text),
        sa.Column("environment", sa.Text),
        sa.Column("payload", JSON_TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("traceparent", sa.Text),
    )
    _partial(f"{name}_once", name, ["tenant_id", "idempotency_key"], "idempotency_key IS NOT NULL", unique=True)
    op.create_index(f"{name}_type", name, ["tenant_id", "type", "id"])


def _workflow_definitions(prefix: str) -> None:
    name = f"{prefix}workflow_definitions"
    op.create_table(
        name,
        sa.Column("id", SORTED_ID, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("trigger_type", sa.Text, nullable=False),
        sa.Column("environment_filter", sa.Text),
        sa.Column("resource_type_filter", sa.Text),
        sa.Column("steps", JSON_TEXT, nullable=False),
        sa.Column("config", JSON_TEXT, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("cron_expression", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("definition", JSON_TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index(f"{name}_match", name, ["tenant_id", "trigger_type"])
    op.create_index(f"{name}_name", name, ["tenant_id", "name"], unique=True)


def _definition_versions(prefix: str) -> None:
    name = f"{prefix}definition_versions"
    op.create_table(
        name,
        sa.Column("definition_id", SORTED_ID, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("definition", JSON_TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )


def _workflow_runs(prefix: str) -> None:
    name = f"{prefix}workflow_runs"
    op.create_table(
        name,
        sa.Column("id", SORTED_ID, primary_key=True),
        sa.Column("definition_id", SORTED_ID, nullable=False),
        sa.Column("definition_version", sa.Integer, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("lane", sa.Text),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lone_deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("lane_limit", sa.Integer),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("trigger_id", SORTED_ID, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("context", JSON_TEXT, nullable=False),
        sa.Column("current_step_index", sa.Integer, nullable=False),
        sa.Column("is_replay", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("is_dry_run", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("definition_snapshot", JSON_TEXT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("completed_at", MOMENT),
        sa.Column("failed_at", MOMENT),
        sa.Column("canceled_at", MOMENT),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("parent_run_id", SORTED_ID),
        sa.Column("parent_step_run_id", SORTED_ID),
        sa.Column("debounce_key", sa.Text),
        sa.Column("debounce_until", sa.BigInteger),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    _partial(f"{name}_active", name, ["definition_id"], "state != 'done'")
    _partial(f"{name}_children", name, ["parent_run_id"], "parent_run_id IS NOT NULL")
    _partial(f"{name}_debounce", name, ["definition_id", "debounce_key"], "debounce_key IS NOT NULL", unique=True)
    _partial(f"{name}_failed", name, ["tenant_id", "id"], "status = 'failed'")
    _partial(
        f"{name}_lanes",
        name,
        ["tenant_id", "lane", "id"],
        "state IN ('ready', 'running', 'blocked', 'held') AND lane IS NOT NULL",
    )
    op.create_index(f"{name}_list", name, ["tenant_id", "id"])
    _partial(f"{name}_ready", name, ["tenant_id", "priority", "due_at", "id"], "state = 'ready'")
    _partial(f"{name}_running", name, ["owner", "lease_until"], "state = 'running'")
    _partial(f"{name}_suspects", name, ["id"], "state = 'ready' AND deaths >= 2")
    op.create_index(f"{name}_trigger", name, ["trigger_id"])
    _partial(f"{name}_waiting", name, ["due_at"], "state = 'waiting'")


def _workflow_step_runs(prefix: str) -> None:
    name = f"{prefix}workflow_step_runs"
    op.create_table(
        name,
        sa.Column("id", SORTED_ID, primary_key=True),
        sa.Column("run_id", SORTED_ID, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("step_index", sa.Integer, nullable=False),
        sa.Column("step_type", sa.Text, nullable=False),
        sa.Column("step_name", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("scheduled_for", MOMENT),
        sa.Column("started_at", MOMENT),
        sa.Column("completed_at", MOMENT),
        sa.Column("result", JSON_TEXT),
        sa.Column("error_message", sa.Text),
        sa.Column("branch_index", sa.Integer),
        sa.Column("parent_step_run_id", SORTED_ID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("skip_reason", sa.Text),
    )
    op.create_index(f"{name}_run", name, ["run_id"])


def _execution_logs(prefix: str) -> None:
    name = f"{prefix}execution_logs"
    op.create_table(
        name,
        sa.Column("id", SORTED_ID, primary_key=True),
        sa.Column("run_id", SORTED_ID, nullable=False),
        sa.Column("step_run_id", SORTED_ID),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", JSON_TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index(f"{name}_run", name, ["run_id"])


def _waits(prefix: str) -> None:
    name = f"{prefix}waits"
    op.create_table(
        name,
        sa.Column("id", SORTED_ID, primary_key=True),
        sa.Column("run_id", SORTED_ID, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("signal_type", sa.Text),
        sa.Column("match", JSON_TEXT),
        sa.Column("trigger_id", SORTED_ID),
        sa.Column("children", sa.Integer),
    )
    op.create_index(f"{name}_run", name, ["run_id"])
    _partial(f"{name}_signal", name, ["tenant_id", "signal_type"], "signal_type IS NOT NULL")


def _workflow_schedules(prefix: str) -> None:
    name = f"{prefix}workflow_schedules"
    op.create_table(
        name,
        sa.Column("definition_id", SORTED_ID, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("schedule", JSON_TEXT, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("last_at", sa.BigInteger),
    )
    _partial(f"{name}_next", name, ["next_at"], "next_at IS NOT NULL")


def _rate_limits(prefix: str) -> None:
    name = f"{prefix}rate_limits"
    op.create_table(
        name,
        sa.Column("definition_id", SORTED_ID, primary_key=True),
        sa.Column("next_at", sa.Float, nullable=False),
    )
