"""The tables of tenancy."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from pulse.storage.branches import Branch
from pulse.tenancy.audit.tables import AuditTables, audit_tables
from pulse.tenancy.people_tables import PeopleTables, people_tables

BRANCH = Branch("tenancy", Path(__file__).parent / "migrations")


@dataclass(frozen=True)
class TenancyTables(PeopleTables):
    metadata: MetaData
    organizations: Table
    environments: Table
    api_keys: Table
    sources: Table
    data_keys: Table
    variables: Table
    variable_values: Table
    audit: AuditTables


@cache
def tenancy_tables(prefix: str) -> TenancyTables:
    metadata = MetaData()
    organizations = Table(
        f"{prefix}organizations",
        metadata,
        Column("id", String, primary_key=True),
        Column("name", String, nullable=False, unique=True),
        Column("created_at", BigInteger, nullable=False),
        Column("revision", Integer, nullable=False, server_default="1"),
    )
    organization_id = f"{prefix}organizations.id"
    environments = Table(
        f"{prefix}environments",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", ForeignKey(organization_id), nullable=False),
        Column("name", String, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("revision", Integer, nullable=False, server_default="1"),
    )
    Index(f"{prefix}environments_name", environments.c.organization_id, environments.c.name, unique=True)
    return TenancyTables(
        **vars(people_tables(metadata, prefix)),
        metadata=metadata,
        organizations=organizations,
        environments=environments,
        api_keys=_api_keys(metadata, prefix, organization_id),
        sources=_sources(metadata, prefix, organization_id),
        data_keys=_data_keys(metadata, prefix, organization_id),
        variables=_variables(metadata, prefix, organization_id),
        variable_values=_variable_values(metadata, prefix),
        audit=audit_tables(metadata, prefix),
    )


def _api_keys(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    return Table(
        f"{prefix}api_keys",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", ForeignKey(organization_id), nullable=False, index=True),
        Column("environment_id", ForeignKey(f"{prefix}environments.id"), nullable=False),
        Column("name", String, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("scopes", String, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("revoked_at", BigInteger),
        Column("last_used_at", BigInteger),
    )


def _sources(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    return Table(
        f"{prefix}sources",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", ForeignKey(organization_id), nullable=False, index=True),
        Column("environment_id", ForeignKey(f"{prefix}environments.id"), nullable=False),
        Column("name", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("secrets", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


def _data_keys(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    return Table(
        f"{prefix}data_keys",
        metadata,
        Column("organization_id", ForeignKey(organization_id), primary_key=True),
        Column("wrapped", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


def _variables(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    variables = Table(
        f"{prefix}variables",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", ForeignKey(organization_id), nullable=False),
        Column("environment_id", ForeignKey(f"{prefix}environments.id"), nullable=False),
        Column("name", String, nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("last_used_at", BigInteger),
    )
    c = variables.c
    Index(f"{prefix}variables_name", c.organization_id, c.environment_id, c.name, unique=True)
    return variables


def _variable_values(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}variable_values",
        metadata,
        Column("variable_id", ForeignKey(f"{prefix}variables.id"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("sealed", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
