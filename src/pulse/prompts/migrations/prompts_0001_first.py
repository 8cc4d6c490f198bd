"""Model credentials and their limits, configurations; prompt templates, their versions, sets of values and runs."""

import sqlalchemy as sa
from alembic import op

from pulse.storage.migrations import table_prefix

revision = "prompts_0001"
down_revision = None
branch_labels = ("prompts",)
depends_on = None

UNFINISHED = "state IN ('ready', 'running', 'blocked', 'held') AND lane IS NOT NULL"


def upgrade() -> None:
    prefix = table_prefix()
    _credentials(prefix)
    _configurations(prefix)
    _templates(prefix)
    _runs(prefix)
    _cells(prefix)


def _identity() -> "list[sa.Column[object]]":
    return [
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
    ]


def _times() -> "list[sa.Column[object]]":
    return [
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    ]


def _credentials(prefix: str) -> None:
    op.create_table(
        f"{prefix}model_system_keys",
        sa.Column("organization_id", sa.String, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    name = f"{prefix}model_credentials"
    op.create_table(
        name,
        *_identity(),
        sa.Column("description", sa.Text),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("auth_type", sa.String, nullable=False),
        sa.Column("base_url", sa.Text),
        sa.Column("aws_region", sa.String),
        sa.Column("requests_per_minute", sa.BigInteger),
        sa.Column("tokens_per_minute", sa.BigInteger),
        sa.Column("tokens_per_day", sa.BigInteger),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("has_api_key", sa.Boolean, nullable=False),
        sa.Column("has_service_account", sa.Boolean, nullable=False),
        sa.Column("has_access_keys", sa.Boolean, nullable=False),
        sa.Column("has_custom_headers", sa.Boolean, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("secret_version", sa.Integer, nullable=False),
        sa.Column("last_validated", sa.BigInteger),
        sa.Column("validation_error", sa.Text),
        *_times(),
    )
    op.create_index(f"{name}_name", name, ["organization_id", "name"], unique=True)
    op.create_table(
        f"{prefix}model_buckets",
        sa.Column("credential_id", sa.String, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("day_tokens", sa.BigInteger, nullable=False),
    )


def _configurations(prefix: str) -> None:
    name, credential_id = f"{prefix}model_configurations", f"{prefix}model_credentials.id"
    op.create_table(
        name,
        *_identity(),
        sa.Column("description", sa.Text),
        sa.Column("definition_id", sa.String, nullable=False),
        sa.Column("credential_id", sa.String, sa.ForeignKey(credential_id), nullable=False, index=True),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("model_id", sa.String),
        sa.Column("default_temperature", sa.Float),
        sa.Column("default_max_tokens", sa.Integer, nullable=False),
        sa.Column("default_timeout_ms", sa.Integer, nullable=False),
        sa.Column("is_visible", sa.Boolean, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        *_times(),
    )
    op.create_index(f"{name}_name", name, ["organization_id", "name"], unique=True)


def _templates(prefix: str) -> None:
    name, template_id = f"{prefix}prompt_templates", f"{prefix}prompt_templates.id"
    op.create_table(
        name,
        *_identity(),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("configuration_id", sa.String, index=True),
        sa.Column("system", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        *_times(),
    )
    op.create_index(f"{name}_name", name, ["organization_id", "environment_id", "name"], unique=True)
    op.create_table(
        f"{prefix}prompt_template_versions",
        sa.Column("template_id", sa.String, sa.ForeignKey(template_id), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("configuration_id", sa.String),
        sa.Column("system", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    sets = f"{prefix}prompt_variable_sets"
    op.create_table(
        sets,
        *_identity(),
        sa.Column("template_id", sa.String, sa.ForeignKey(template_id), nullable=False),
        sa.Column("contents", sa.Text, nullable=False),
        *_times(),
    )
    op.create_index(f"{sets}_name", sets, ["template_id", "name"], unique=True)


def _runs(prefix: str) -> None:
    name = f"{prefix}prompt_runs"
    op.create_table(
        name,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("environment_id", sa.String, nullable=False),
        sa.Column("template_id", sa.String, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("canceled_at", sa.BigInteger),
    )
    op.create_index(f"{name}_list", name, ["organization_id", "template_id", "id"])


def _cells(prefix: str) -> None:
    name = f"{prefix}prompt_cells"
    op.create_table(
        name,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("organization_id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("lane", sa.String),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lone_deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("run_id", sa.String, sa.ForeignKey(f"{prefix}prompt_runs.id"), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("completed_at", sa.BigInteger),
    )
    op.create_index(f"{name}_place", name, ["run_id", "place"], unique=True)
    _partial(name, "ready", ["organization_id", "due_at", "id"], "state = 'ready'")
    _partial(name, "suspects", ["id"], "state = 'ready' AND deaths >= 2")
    _partial(name, "running", ["owner", "lease_until"], "state = 'running'")
    _partial(name, "lanes", ["organization_id", "lane", "id"], UNFINISHED)


def _partial(table: str, suffix: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(f"{table}_{suffix}", table, columns, sqlite_where=condition, postgresql_where=condition)
