"""What the catalog reads to compile plans: which workflows there are, and the drawings of those that are not known."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.storage.claims import chunks
from pulse.storage.database import Database
from pulse.workflows.plan import entity_ids
from pulse.workflows.records import Entity, Outline, Workflow
from pulse.workflows.tables import WorkflowTables, to_entity, to_workflow


class DrawnWorkflows:
    """Reads workflows with their entities. Every method takes the organization first and sees nothing of another."""

    def __init__(self, database: Database, tables: WorkflowTables) -> None:
        self._database = database
        self._tables = tables

    async def outlines(self, organization_id: str, environment_id: str) -> list[Outline]:
        """The workflows of an environment in the order they are tried, without what is drawn."""
        c = self._tables.workflows.c
        here = (c.organization_id == organization_id) & (c.environment_id == environment_id)
        query = select(c.id, c.name, c.is_active, c.version).where(here)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(c.priority, c.created_at, c.id))
            return [Outline(*row) for row in rows]

    async def drawn(self, organization_id: str, ids: Sequence[str]) -> list[tuple[Workflow, dict[str, Entity]]]:
        """These workflows, as far as they are there, each with the entities that it uses, by id."""
        workflows, entities = self._tables.workflows, self._tables.entities
        async with self._database.read() as connection:
            rows = await self._by_ids(connection, workflows, organization_id, ids)
            found = [to_workflow(row) for row in rows]
            used = {workflow.id: entity_ids(workflow.data) for workflow in found}
            wanted = sorted(set().union(*used.values())) if used else []
            known = {
                row["id"]: to_entity(row) for row in await self._by_ids(connection, entities, organization_id, wanted)
            }
        return [
            (
                workflow,
                {
                    entity_id: known[entity_id]
                    for entity_id in used[workflow.id]
                    if entity_id in known and known[entity_id].environment_id == workflow.environment_id
                },
            )
            for workflow in found
        ]

    async def _by_ids(
        self, connection: AsyncConnection, table: Table, organization_id: str, ids: Sequence[str]
    ) -> list[RowMapping]:
        mine = table.c.organization_id == organization_id
        rows: list[RowMapping] = []
        for part in chunks(list(ids)):
            rows.extend((await connection.execute(select(table).where(mine, table.c.id.in_(part)))).mappings())
        return rows
