"""The tables of credentials, configurations, legacy models and prompt templates."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from pulse.storage.branches import Branch
from pulse.storage.claims import claim_columns, claim_indexes

BRANCH = Branch("prompts", Path(__file__).parent / "migrations")


@dataclass(frozen=True)
class PromptTables:
    metadata: MetaData
    system_keys: Table
    credentials: Table
    buckets: Table
    configurations: Table
    legacy: Table
    templates: Table
    versions: Table
    variable_sets: Table
    runs: Table
    cells: Table


@cache
def prompt_tables(prefix: str) -> PromptTables:
    metadata = MetaData()
    return PromptTables(
        metadata,
        _system_keys(metadata, prefix),
        _credentials(metadata, prefix),
        _buckets(metadata, prefix),
        _configurations(metadata, prefix),
        _legacy(metadata, prefix),
        _templates(metadata, prefix),
        _versions(metadata, prefix),
        _variable_sets(metadata, prefix),
        _runs(metadata, prefix),
        _cells(metadata, prefix),
    )


def _system_keys(metadata: MetaData, prefix: str) -> Table:
    """The data key of the installation itself, which is not among the organizations."""
    return Table(
        f"{prefix}model_system_keys",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("wrapped", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


def _credentials(metadata: MetaData, prefix: str) -> Table:
    credentials = Table(
        f"{prefix}model_credentials",
        metadata,
        *_identity(),
        Column("description", Text),
        Column("provider", String, nullable=False),
        Column("auth_type", String, nullable=False),
        Column("base_url", Text),
        Column("aws_region", String),
        Column("requests_per_minute", BigInteger),
        Column("tokens_per_minute", BigInteger),
        Column("tokens_per_day", BigInteger),
        Column("is_active", Boolean, nullable=False),
        Column("has_api_key", Boolean, nullable=False),
        Column("has_service_account", Boolean, nullable=False),
        Column("has_access_keys", Boolean, nullable=False),
        Column("has_custom_headers", Boolean, nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("secret_version", Integer, nullable=False),
        Column("last_validated", BigInteger),
        Column("validation_error", Text),
        *_times(),
        Column("last_used_at", BigInteger),
    )
    Index(f"{prefix}model_credentials_name", credentials.c.organization_id, credentials.c.name, unique=True)
    return credentials


def _buckets(metadata: MetaData, prefix: str) -> Table:
    """When each bucket of a credential is full again, in microseconds since 1970 (see buckets.py)."""
    return Table(
        f"{prefix}model_buckets",
        metadata,
        Column("credential_id", String, primary_key=True),
        Column("requests", BigInteger, nullable=False),
        Column("tokens", BigInteger, nullable=False),
        Column("day_tokens", BigInteger, nullable=False),
    )


def _configurations(metadata: MetaData, prefix: str) -> Table:
    configurations = Table(
        f"{prefix}model_configurations",
        metadata,
        *_identity(),
        Column("description", Text),
        Column("definition_id", String, nullable=False),
        Column("credential_id", ForeignKey(f"{prefix}model_credentials.id"), nullable=False, index=True),
        Column("category", String, nullable=False),
        Column("model_id", String),
        Column("default_temperature", Float),
        Column("default_max_tokens", Integer, nullable=False),
        Column("default_timeout_ms", Integer, nullable=False),
        Column("is_visible", Boolean, nullable=False),
        Column("is_default", Boolean, nullable=False),
        Column("priority", Integer, nullable=False),
        *_times(),
    )
    c = configurations.c
    Index(f"{prefix}model_configurations_name", c.organization_id, c.name, unique=True)
    return configurations


def _legacy(metadata: MetaData, prefix: str) -> Table:
    legacy = Table(
        f"{prefix}legacy_models",
        metadata,
        *_identity(),
        Column("url", Text, nullable=False),
        Column("has_token", Boolean, nullable=False),
        Column("has_keys", Boolean, nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("secret_version", Integer, nullable=False),
        *_times(),
    )
    Index(f"{prefix}legacy_models_name", legacy.c.organization_id, legacy.c.name, unique=True)
    return legacy


def _templates(metadata: MetaData, prefix: str) -> Table:
    templates = Table(
        f"{prefix}prompt_templates",
        metadata,
        *_identity(),
        Column("environment_id", String, nullable=False),
        Column("description", Text),
        Column("configuration_id", String, index=True),
        Column("system", Text),
        Column("text", Text, nullable=False),
        *_times(),
    )
    c = templates.c
    Index(f"{prefix}prompt_templates_name", c.organization_id, c.environment_id, c.name, unique=True)
    return templates


def _versions(metadata: MetaData, prefix: str) -> Table:
    """Rows that never change: what a template was at each save."""
    return Table(
        f"{prefix}prompt_template_versions",
        metadata,
        Column("template_id", ForeignKey(f"{prefix}prompt_templates.id"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("name", String, nullable=False),
        Column("configuration_id", String),
        Column("system", Text),
        Column("text", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


def _variable_sets(metadata: MetaData, prefix: str) -> Table:
    sets = Table(
        f"{prefix}prompt_variable_sets",
        metadata,
        *_identity(),
        Column("template_id", ForeignKey(f"{prefix}prompt_templates.id"), nullable=False),
        Column("contents", Text, nullable=False),
        *_times(),
    )
    Index(f"{prefix}prompt_variable_sets_name", sets.c.template_id, sets.c.name, unique=True)
    return sets


def _runs(metadata: MetaData, prefix: str) -> Table:
    """A run outlives its template, as the money does that it cost."""
    runs = Table(
        f"{prefix}prompt_runs",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("environment_id", String, nullable=False),
        Column("template_id", String, nullable=False),
        Column("plan", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("canceled_at", BigInteger),
    )
    Index(f"{prefix}prompt_runs_list", runs.c.organization_id, runs.c.template_id, runs.c.id)
    return runs


def _cells(metadata: MetaData, prefix: str) -> Table:
    """One answer wanted: a claimable row, then the answer."""
    cells = Table(
        f"{prefix}prompt_cells",
        metadata,
        Column("id", String, primary_key=True),
        *claim_columns(),
        Column("run_id", ForeignKey(f"{prefix}prompt_runs.id"), nullable=False),
        Column("place", Integer, nullable=False),
        Column("result", Text),
        Column("completed_at", BigInteger),
    )
    Index(f"{prefix}prompt_cells_place", cells.c.run_id, cells.c.place, unique=True)
    claim_indexes(cells)
    return cells


def _identity() -> list[Column[object]]:
    columns: list[Column[object]] = [
        Column("id", String, primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("name", String, nullable=False),
    ]
    return columns


def _times() -> list[Column[object]]:
    columns: list[Column[object]] = [
        Column("revision", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    ]
    return columns
