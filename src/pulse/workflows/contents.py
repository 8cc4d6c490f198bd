"""What workflows keep of an environment, for whoever deletes one."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.workflows.tables import WorkflowTables


class WorkflowContents:
    """Workflows, their versions and entities of one environment, or (None) of a whole organization."""

    def __init__(self, tables: WorkflowTables) -> None:
        self._tables = tables

    async def count(
        self, connection: AsyncConnection, organization_id: str, environment_id: str | None
    ) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for name, table in (("workflows", self._tables.workflows), ("workflow entities", self._tables.entities)):
            query = select(func.count()).select_from(table).where(*_of(table, organization_id, environment_id))
            found[name] = await connection.scalar(query) or 0
        return found

    async def remove(self, connection: AsyncConnection, organization_id: str, environment_id: str | None) -> None:
        """The versions, too, which otherwise outlive their workflow: nobody can ask for its messages any more."""
        for table in (self._tables.workflows, self._tables.versions, self._tables.entities):
            await connection.execute(delete(table).where(*_of(table, organization_id, environment_id)))


def _of(table: Table, organization_id: str, environment_id: str | None) -> list[ColumnElement[Any]]:
    mine: list[ColumnElement[Any]] = [table.c.organization_id == organization_id]
    return mine if environment_id is None else [*mine, table.c.environment_id == environment_id]
