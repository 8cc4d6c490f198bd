"""One organization's rows and no others, by PostgreSQL's own row-level security: a second line behind every WHERE.

Pulse signs in as the owner of its tables, whom no policy concerns: claims, sweeps and group commits see everything and
cost nothing more. What is done for somebody is done `narrowed` to their organization: its transactions take on the role
ROLE, who sees only what the policies let through, and name the organization. A store that forgot its WHERE finds
nothing there that belongs to others. SQLite has no such thing.

The policies are made by the revisions of the schema (`protect` in migrations.py); the role, which belongs to the whole
server, and its rights by `let_narrow`. Where the server's administrator lets Pulse make no role, it works without.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, text

from pulse.core.errors import Misconfigured

ROLE = "pulse_tenant"
SETTING = "pulse.organization"
# The organization that a transaction is narrowed to, as SQL.
NARROWED_TO = f"current_setting('{SETTING}', true)"
_ORGANIZATION: ContextVar[str] = ContextVar("narrowed_to", default="")
_NARROW = text(f"SELECT set_config('role', '{ROLE}', true), set_config('{SETTING}', :organization, true)")


@contextmanager
def narrowed(organization_id: str) -> Iterator[None]:
    """A block whose transactions see the rows of one organization; of "", all."""
    token = _ORGANIZATION.set(organization_id)
    try:
        yield
    finally:
        _ORGANIZATION.reset(token)


def is_narrowed() -> bool:
    return bool(_ORGANIZATION.get())


def narrow(connection: Connection) -> None:
    """Part of a transaction, its first: narrows it as the block says that it is in."""
    if organization_id := _ORGANIZATION.get():
        connection.execute(_NARROW, {"organization": organization_id})


# ---- the role ----------------------------------------------------------------------------------------------------


NOT_THE_OWNER = (
    "The tables belong to another user of PostgreSQL than the one in PULSE_DATABASE_URL, who cannot see what is in "
    "them: name their owner there, or let an administrator GRANT the owner's role TO this user."
)
# Nothing, where no table is protected.
_IS_HIDDEN = text("""
    SELECT bool_or(row_security_active(oid)) FROM pg_class
    WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace AND starts_with(relname, :prefix)
""")
_EXISTS = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
_MAY_CREATE = text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
# Another database's Pulse may make it at the same moment.
_CREATE = text(f"""
    DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
""")
# From 16 on a membership may say that nobody can take the role on.
_IS_MEMBER = text("""
    SELECT pg_has_role(
        current_user, :role, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END
    )
""")
_JOIN = text(f"""
    DO $$ BEGIN EXECUTE format('GRANT {ROLE} TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$
""")
_WITHOUT_RIGHTS = text("""
    SELECT format('GRANT USAGE ON SCHEMA %I TO ', current_schema()) AS statement
    WHERE NOT has_schema_privilege(:role, current_schema(), 'USAGE')
    UNION ALL
    SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO ', oid::regclass) FROM pg_class
    WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace AND starts_with(relname, :prefix)
      AND NOT has_table_privilege(:role, oid, 'DELETE')
    UNION ALL
    SELECT format('GRANT USAGE ON SEQUENCE %s TO ', seqrelid::regclass)
    FROM pg_sequence
    JOIN pg_depend ON objid = seqrelid AND deptype = 'a'
    JOIN pg_class ON pg_class.oid = refobjid
    WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace AND starts_with(relname, :prefix)
      AND NOT has_sequence_privilege(:role, seqrelid, 'USAGE')
""")


def let_narrow(connection: Connection, prefix: str) -> bool:
    """Gives the role its rights on the protected tables; whether this connection's user can take it on.

    `prefix` begins the names of the tables. The transaction holds the lock of the schema (see `migrate`). Raises
    Misconfigured where the policies hide the tables from this user, who is not their owner.
    """
    given = {"role": ROLE, "prefix": prefix}
    is_hidden = connection.execute(_IS_HIDDEN, given).scalar_one()
    if is_hidden:
        raise Misconfigured(NOT_THE_OWNER)
    if is_hidden is None:
        return False
    if connection.execute(_EXISTS, {"role": ROLE}).first() is None:
        if not connection.execute(_MAY_CREATE).scalar_one():
            return False
        connection.execute(_CREATE)
    if not connection.execute(_IS_MEMBER, {"role": ROLE}).scalar_one():
        connection.execute(_JOIN)
    for statement in connection.execute(_WITHOUT_RIGHTS, given).scalars().all():
        connection.exec_driver_sql(statement + ROLE)
    return can_narrow(connection)


def can_narrow(connection: Connection) -> bool:
    """Whether transactions of this connection's user can be narrowed."""
    if connection.dialect.name != "postgresql" or connection.execute(_EXISTS, {"role": ROLE}).first() is None:
        return False
    return bool(connection.execute(_IS_MEMBER, {"role": ROLE}).scalar_one())
