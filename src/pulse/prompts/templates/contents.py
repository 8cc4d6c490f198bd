"""What prompts keep of an environment or an organization, for whoever deletes one."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.prompts.tables import PromptTables


class PromptContents:
    """Prompt templates and runs of one environment; of a whole organization (None) also its models and credentials."""

    def __init__(self, tables: PromptTables) -> None:
        self._tables = tables

    async def count(
        self, connection: AsyncConnection, organization_id: str, environment_id: str | None
    ) -> Mapping[str, int]:
        tables = {"prompt templates": self._tables.templates}
        if environment_id is None:
            models = {"model configurations": self._tables.configurations, "legacy models": self._tables.legacy}
            tables |= {**models, "credentials": self._tables.credentials}
        found: dict[str, int] = {}
        for name, table in tables.items():
            query = select(func.count()).select_from(table).where(*_of(table, organization_id, environment_id))
            found[name] = await connection.scalar(query) or 0
        return found

    async def remove(self, connection: AsyncConnection, organization_id: str, environment_id: str | None) -> None:
        """A run that goes on meanwhile finds its cells gone, and writes nothing any more."""
        t, place = self._tables, (organization_id, environment_id)
        for below, column, above in (
            (t.cells, t.cells.c.run_id, t.runs),
            (t.versions, t.versions.c.template_id, t.templates),
            (t.variable_sets, t.variable_sets.c.template_id, t.templates),
        ):
            await connection.execute(delete(below).where(column.in_(_ids(above, *place))))
        for table in (t.runs, t.templates):
            await connection.execute(delete(table).where(*_of(table, *place)))
        if environment_id is None:
            await connection.execute(
                delete(t.buckets).where(t.buckets.c.credential_id.in_(_ids(t.credentials, *place)))
            )
            for table in (t.configurations, t.legacy, t.credentials):
                await connection.execute(delete(table).where(*_of(table, *place)))


def _ids(table: Table, organization_id: str, environment_id: str | None) -> Select[Any]:
    return select(table.c.id).where(*_of(table, organization_id, environment_id))


def _of(table: Table, organization_id: str, environment_id: str | None) -> list[ColumnElement[Any]]:
    mine: list[ColumnElement[Any]] = [table.c.organization_id == organization_id]
    return mine if environment_id is None else [*mine, table.c.environment_id == environment_id]
