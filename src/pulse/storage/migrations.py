"""The migration runner: one Alembic branch a noun, one version table, safe to run from many processes at once.

A noun's branch is a folder of revisions (`<noun>/migrations/`) named `<noun>_0001` and so on, whose first one carries
`branch_labels = ("<noun>",)`. A database may hold other nouns' branches beside those that are asked for.
Tables are named with the database's prefix, which a revision gets from `table_prefix()`. The whole upgrade is one
transaction under one lock, so a process killed in the middle leaves nothing half done.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from pulse.core.errors import Misconfigured
from pulse.storage.branches import Branch
from pulse.storage.database import Database
from pulse.storage.narrowing import NARROWED_TO, let_narrow

_LOCK = 0x50554C5345  # "PULSE"


async def migrate(database: Database, branches: Sequence[Branch]) -> list[str]:
    """Brings the tables of `branches` to their newest revision; returns the revisions that were applied, in order.

    On PostgreSQL it also sees to it that the database's transactions can be narrowed to one organization.
    """
    async with database.write() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        applied = await connection.run_sync(_upgrade, database.prefix, branches)
        if database.dialect == "postgresql":
            database.narrows = await connection.run_sync(let_narrow, database.prefix)
    return applied


async def pending(database: Database, branches: Sequence[Branch]) -> list[str]:
    """The revisions that `migrate` would apply."""
    async with database.read() as connection:
        return await connection.run_sync(_missing, database.prefix, branches)


def table_prefix() -> str:
    """For revisions: what the names of this database's tables begin with."""
    return str(op.get_context().opts["table_prefix"])


def protect(table: str, rows: str = f"organization_id = {NARROWED_TO}", *, seen: str | None = None) -> None:
    """For revisions: narrowed transactions see and change the rows that a condition names, and see those of `seen`.

    Without a condition they are those whose `organization_id` is the one that it is narrowed to (see narrowing.py).
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} USING ({rows}) WITH CHECK ({rows})")
    if seen is not None:
        op.execute(f"CREATE POLICY seen ON {table} FOR SELECT USING ({seen})")


def protect_by(table: str, column: str, parent: str, parent_column: str = "id") -> None:
    """For revisions: as `protect`, for rows that belong to whoever may see the row of `parent` that they refer to."""
    is_theirs = f"EXISTS (SELECT 1 FROM {parent} WHERE {parent}.{parent_column} = {table}.{column})"  # noqa: S608
    protect(table, is_theirs)


def share(table: str) -> None:
    """For revisions: narrowed transactions see all rows of the table, and change none."""
    protect(table, "false", seen="true")


def _scripts(branches: Sequence[Branch]) -> ScriptDirectory:
    folders = [str(branch.folder) for branch in branches]
    return ScriptDirectory(str(Path(__file__).parent), version_locations=folders)


def _upgrade(connection: Connection, prefix: str, branches: Sequence[Branch]) -> list[str]:
    scripts = _scripts(branches)
    applied: list[str] = []

    def steps(revision: Any, _context: MigrationContext) -> Any:
        found = _steps(scripts, branches, revision)
        applied.extend(step.revision.revision for step in found)
        return found

    migration = _context(connection, prefix, fn=steps)
    with Operations.context(migration):
        migration.run_migrations()
    return applied


def _missing(connection: Connection, prefix: str, branches: Sequence[Branch]) -> list[str]:
    heads: Any = _context(connection, prefix).get_current_heads()
    return [step.revision.revision for step in _steps(_scripts(branches), branches, heads)]


def _steps(scripts: ScriptDirectory, branches: Sequence[Branch], heads: Sequence[str]) -> Any:
    """What brings these branches up to date in a database that is at `heads`, some of which may be other nouns'."""
    ours = {script.revision for script in scripts.walk_revisions()}
    nouns = {branch.noun for branch in branches}
    for head in heads:
        if head not in ours and head.rpartition("_")[0] in nouns:
            raise Misconfigured(f"The database is at revision {head}, which this Pulse is too old to know: upgrade it.")
    known: Any = tuple(head for head in heads if head in ours)
    return scripts._upgrade_revs("heads", known)  # noqa: SLF001 - what alembic.command.upgrade calls


def _context(connection: Connection, prefix: str, **options: Any) -> MigrationContext:
    return MigrationContext.configure(
        connection,
        opts={
            "version_table": f"{prefix}schema_versions",
            "table_prefix": prefix,
            **options,
        },
    )
