"""Versions: what a workflow was, with its entities, at each save that changed what it does. They never change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import NotFound
from pulse.storage.database import Database
from pulse.workflows.records import Entity, Page, Workflow
from pulse.workflows.tables import WorkflowTables


@dataclass(frozen=True)
class WorkflowVersion:
    """A workflow as it was; `entities` are those that it used, by id."""

    workflow: Workflow
    entities: Mapping[str, Entity]
    created_at: int


class WorkflowVersions:
    """Reads versions. Every method takes the organization first and sees nothing of another."""

    def __init__(self, database: Database, tables: WorkflowTables) -> None:
        self._database = database
        self._tables = tables

    async def list(
        self, organization_id: str, workflow_id: str, page: Page | None = None
    ) -> tuple[list[WorkflowVersion], int]:
        """Versions, newest first, and how many there are."""
        c = self._tables.versions.c
        mine = (c.organization_id == organization_id) & (c.workflow_id == workflow_id)
        query = select(self._tables.versions).where(mine).order_by(c.version.desc())
        if page is not None:
            query = query.offset(page.offset).limit(page.limit)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(self._tables.versions).where(mine))
            return [_read(row) for row in (await connection.execute(query)).mappings()], total or 0

    async def one(self, organization_id: str, workflow_id: str, version: int) -> WorkflowVersion:
        """Raises NotFound."""
        c = self._tables.versions.c
        mine = (c.organization_id == organization_id) & (c.workflow_id == workflow_id) & (c.version == version)
        async with self._database.read() as connection:
            row = (await connection.execute(select(self._tables.versions).where(mine))).mappings().first()
        if row is None:
            raise NotFound(f"There is no version {version} of {workflow_id!r}.")
        return _read(row)


async def record(
    connection: AsyncConnection, tables: WorkflowTables, workflow: Workflow, entities: Mapping[str, Entity]
) -> None:
    """Keeps the workflow as it is now, in the transaction that makes it so."""
    row = {
        "workflow_id": workflow.id,
        "version": workflow.version,
        "organization_id": workflow.organization_id,
        "environment_id": workflow.environment_id,
        "name": workflow.name,
        "data": json.dumps(workflow.data, ensure_ascii=False),
        "entities": json.dumps([vars(entity) for entity in entities.values()], ensure_ascii=False),
        "created_at": workflow.updated_at,
    }
    await connection.execute(insert(tables.versions), [row])


def _read(row: RowMapping) -> WorkflowVersion:
    entities: list[dict[str, Any]] = json.loads(row["entities"])
    workflow = Workflow(
        id=row["workflow_id"],
        organization_id=row["organization_id"],
        environment_id=row["environment_id"],
        name=row["name"],
        data=json.loads(row["data"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["created_at"],
    )
    return WorkflowVersion(workflow, {entity["id"]: Entity(**entity) for entity in entities}, row["created_at"])
