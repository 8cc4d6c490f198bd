"""The tables of people: users, what they sign in with, their memberships and teams."""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)


@dataclass(frozen=True)
class PeopleTables:
    users: Table
    members: Table
    teams: Table
    team_members: Table
    team_rights: Table
    sessions: Table
    tickets: Table
    sign_in_failures: Table
    people_keys: Table
    second_factors: Table
    recovery_codes: Table
    identities: Table
    sign_in_requests: Table


def people_tables(metadata: MetaData, prefix: str) -> PeopleTables:
    """The tables, of which some refer to organizations and environments in the same metadata."""
    organization_id = f"{prefix}organizations.id"
    return PeopleTables(
        users=_users(metadata, prefix),
        members=_members(metadata, prefix, organization_id),
        teams=_teams(metadata, prefix, organization_id),
        team_members=_team_members(metadata, prefix),
        team_rights=_team_rights(metadata, prefix),
        sessions=_sessions(metadata, prefix),
        tickets=_tickets(metadata, prefix, organization_id),
        sign_in_failures=_sign_in_failures(metadata, prefix),
        people_keys=_people_keys(metadata, prefix),
        second_factors=_second_factors(metadata, prefix),
        recovery_codes=_recovery_codes(metadata, prefix),
        identities=_identities(metadata, prefix),
        sign_in_requests=_sign_in_requests(metadata, prefix),
    )


def _users(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}users",
        metadata,
        Column("id", String, primary_key=True),
        Column("email", String, nullable=False, unique=True),
        Column("first_name", String, nullable=False),
        Column("last_name", String, nullable=False),
        Column("avatar", Text),
        Column("is_system", Boolean, nullable=False),
        Column("password", String),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("disabled_at", BigInteger),
    )


def _members(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    return Table(
        f"{prefix}members",
        metadata,
        Column("organization_id", ForeignKey(organization_id), primary_key=True),
        Column("user_id", ForeignKey(f"{prefix}users.id"), primary_key=True, index=True),
        Column("role", String, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("environments", String, nullable=False, server_default="all"),
    )


def _teams(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    teams = Table(
        f"{prefix}teams",
        metadata,
        Column("id", String, primary_key=True),
        Column("organization_id", ForeignKey(organization_id), nullable=False),
        Column("name", String, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
    )
    Index(f"{prefix}teams_name", teams.c.organization_id, teams.c.name, unique=True)
    return teams


def _team_members(metadata: MetaData, prefix: str) -> Table:
    """Who leaves the organization leaves its teams."""
    members = f"{prefix}members"
    table = Table(
        f"{prefix}team_members",
        metadata,
        Column("team_id", ForeignKey(f"{prefix}teams.id", ondelete="CASCADE"), primary_key=True),
        Column("organization_id", String, nullable=False),
        Column("user_id", String, primary_key=True),
        ForeignKeyConstraint(
            ["organization_id", "user_id"],
            [f"{members}.organization_id", f"{members}.user_id"],
            ondelete="CASCADE",
        ),
    )
    Index(f"{prefix}team_members_user", table.c.user_id, table.c.organization_id)
    return table


def _team_rights(metadata: MetaData, prefix: str) -> Table:
    environment_id = f"{prefix}environments.id"
    return Table(
        f"{prefix}team_rights",
        metadata,
        Column("team_id", ForeignKey(f"{prefix}teams.id", ondelete="CASCADE"), primary_key=True),
        Column("environment_id", ForeignKey(environment_id, ondelete="CASCADE"), primary_key=True, index=True),
        Column("role", String, nullable=False),
    )


def _sessions(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}sessions",
        metadata,
        Column("id", LargeBinary, primary_key=True),
        Column("user_id", ForeignKey(f"{prefix}users.id"), nullable=False, index=True),
        Column("created_at", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    )


def _tickets(metadata: MetaData, prefix: str, organization_id: str) -> Table:
    tickets = Table(
        f"{prefix}tickets",
        metadata,
        Column("id", String, primary_key=True),
        Column("purpose", String, nullable=False),
        Column("digest", LargeBinary, nullable=False, unique=True),
        Column("email", String, nullable=False),
        Column("user_id", ForeignKey(f"{prefix}users.id", ondelete="CASCADE")),
        Column("organization_id", ForeignKey(organization_id, ondelete="CASCADE")),
        Column("role", String),
        Column("invited_by", String),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    )
    c = tickets.c
    # Of each user one ticket a purpose, and of each address one invitation an organization: the others have neither.
    Index(f"{prefix}tickets_user", c.user_id, c.purpose, unique=True)
    Index(f"{prefix}tickets_invited", c.organization_id, c.email, unique=True)
    return tickets


def _sign_in_failures(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}sign_in_failures",
        metadata,
        Column("id", String, primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("since", BigInteger, nullable=False),
    )


def _people_keys(metadata: MetaData, prefix: str) -> Table:
    """The data key of people, who belong to no single organization."""
    return Table(
        f"{prefix}people_keys",
        metadata,
        Column("organization_id", String, primary_key=True),
        Column("wrapped", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )


def _second_factors(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}second_factors",
        metadata,
        Column("user_id", ForeignKey(f"{prefix}users.id", ondelete="CASCADE"), primary_key=True),
        Column("id", String, nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("confirmed_at", BigInteger),
        Column("last_step", BigInteger, nullable=False),
    )


def _recovery_codes(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}recovery_codes",
        metadata,
        Column("user_id", ForeignKey(f"{prefix}users.id", ondelete="CASCADE"), primary_key=True),
        Column("digest", LargeBinary, primary_key=True),
    )


def _identities(metadata: MetaData, prefix: str) -> Table:
    """Who somebody is at an identity provider; nobody is two."""
    identities = Table(
        f"{prefix}identities",
        metadata,
        Column("issuer", String, primary_key=True),
        Column("subject", String, primary_key=True),
        Column("user_id", ForeignKey(f"{prefix}users.id", ondelete="CASCADE"), nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    Index(f"{prefix}identities_user", identities.c.user_id, unique=True)
    return identities


def _sign_in_requests(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}sign_in_requests",
        metadata,
        Column("id", LargeBinary, primary_key=True),
        Column("expires_at", BigInteger, nullable=False),
    )
