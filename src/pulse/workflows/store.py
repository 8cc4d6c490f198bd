"""Entities and workflows in the database. Every method takes the organization first and sees nothing of another."""

import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note
from pulse.tenancy.places.holding import Holds
from pulse.workflows.copying import namesakes, redrawn
from pulse.workflows.plan import Drawing, behaves_alike, check_workflow, entity_ids, workflow_ids
from pulse.workflows.records import Entity, Page, Workflow
from pulse.workflows.tables import WorkflowTables, to_entity, to_row, to_workflow
from pulse.workflows.versions import record

Record = TypeVar("Record", Entity, Workflow)


class WorkflowStore:
    """Reads and writes entities and workflows; refuses what could not be evaluated.

    Whatever it writes, it writes into an environment that stays meanwhile (`places`).
    """

    def __init__(self, database: Database, tables: WorkflowTables, places: Holds, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._places = places
        self._ids = ids
        self._clock = clock

    # ---- entities --------------------------------------------------------------------------------------------

    async def create_entity(self, draft: Entity) -> Entity:
        """Stores a new entity; its id, revision and times are given here. Raises NotFound for the environment."""
        entity = self._stamped(draft, "ent")
        async with self._database.write() as connection:
            await self._places.hold(connection, entity.organization_id, entity.environment_id)
            await connection.execute(insert(self._tables.entities), [to_row(entity)])
            note("entity", entity.id, entity.name, created=True)
        return entity

    async def update_entity(self, entity: Entity, expected: int | None = None) -> Entity:
        """Stores a changed entity. Raises NotFound, StaleRevision.

        Workflows that use it get a new version, where the change makes them do something else.
        """
        async with self._drawing(entity.organization_id, entity.environment_id) as connection:
            found = await _own(connection, self._tables.entities, entity)
            changed = self._changed(entity, found, expected)
            await _replace(connection, self._tables.entities, to_row(changed))
            note("entity", changed.id, changed.name, revision=changed.revision)
            for workflow in await self._users(connection, entity):
                await self._renew(connection, workflow, before=to_entity(found), after=changed)
        return changed

    async def delete_entity(self, organization_id: str, entity_id: str) -> None:
        """Raises NotFound; Conflict while workflows use it."""
        async with self._drawing(organization_id) as connection:
            row = await _one(connection, self._tables.entities, organization_id, entity_id)
            users = await self._users(connection, to_entity(row))
            if users:
                raise Conflict(f"This entity is used by {_named(users)}. Take it out there first.")
            await connection.execute(delete(self._tables.entities).where(self._tables.entities.c.id == entity_id))
            note("entity", entity_id, row["name"], deleted=True)

    async def entity(self, organization_id: str, entity_id: str) -> Entity:
        async with self._database.read() as connection:
            return to_entity(await _one(connection, self._tables.entities, organization_id, entity_id))

    async def entities(
        self, organization_id: str, environment_id: str | None = None, page: Page | None = None
    ) -> tuple[list[Entity], int]:
        """A page of entities in the order of creation (all of them without `page`), and how many there are in all."""
        rows, total = await self._list(self._tables.entities, organization_id, environment_id, page)
        return [to_entity(row) for row in rows], total

    async def usage_count(self, organization_id: str, entity_id: str) -> int:
        """How many workflows use the entity."""
        async with self._database.read() as connection:
            row = await _one(connection, self._tables.entities, organization_id, entity_id)
            return len(await self._users(connection, to_entity(row)))

    # ---- workflows -------------------------------------------------------------------------------------------

    async def create_workflow(self, draft: Workflow) -> Workflow:
        """Stores a new workflow. Raises InvalidFields with the path of every fault, NotFound for the environment."""
        workflow = dataclasses.replace(self._stamped(draft, "wf"), version=1)
        async with self._drawing(workflow.organization_id, workflow.environment_id) as connection:
            entities = await self._check(connection, workflow)
            await connection.execute(insert(self._tables.workflows), [to_row(workflow)])
            await record(connection, self._tables, workflow, entities)
            note("workflow", workflow.id, workflow.name, created=True)
        return workflow

    async def update_workflow(self, workflow: Workflow, expected: int | None = None) -> Workflow:
        """Stores a changed workflow. Raises NotFound, InvalidFields, StaleRevision."""
        async with self._drawing(workflow.organization_id, workflow.environment_id) as connection:
            found = await _own(connection, self._tables.workflows, workflow)
            entities = await self._check(connection, workflow)
            changed = self._changed(workflow, found, expected)
            before = to_workflow(found)
            if (before.name, True) == (workflow.name, await self._same(connection, before, workflow, entities)):
                changed = dataclasses.replace(changed, version=before.version)
            else:
                changed = dataclasses.replace(changed, version=before.version + 1)
                await record(connection, self._tables, changed, entities)
            await _replace(connection, self._tables.workflows, to_row(changed))
            note("workflow", changed.id, changed.name, version=changed.version, is_active=changed.is_active)
        return changed

    async def copy_workflow(
        self, organization_id: str, workflow_id: str, environment_id: str, name: str | None = None
    ) -> Workflow:
        """Stores a workflow once more, switched off, with copies of its entities, in any environment.

        What it starts are the workflows of the same names there. Raises NotFound for the workflow or the environment,
        InvalidFields where it would have faults there.
        """
        async with self._drawing(organization_id, environment_id) as connection:
            source = to_workflow(await _one(connection, self._tables.workflows, organization_id, workflow_id))
            there = await namesakes(connection, self._tables, source, environment_id)
            fresh = dataclasses.replace(source, environment_id=environment_id, name=name or source.name)
            copy = dataclasses.replace(self._stamped(fresh, "wf"), version=1, is_active=False)
            used = (await self._used(connection, source)).items()
            moved = {old: dataclasses.replace(each, environment_id=environment_id) for old, each in used}
            moved = {old: self._stamped(each, "ent") for old, each in moved.items()}
            copy = redrawn(copy, moved, {**there, source.id: copy.id})
            if rows := [to_row(each) for each in moved.values()]:
                await connection.execute(insert(self._tables.entities), rows)
            await connection.execute(insert(self._tables.workflows), [to_row(copy)])
            await record(connection, self._tables, copy, await self._check(connection, copy))
            note("workflow", copy.id, copy.name, copy_of=source.id)
        return copy

    async def delete_workflow(self, organization_id: str, workflow_id: str) -> None:
        """Raises NotFound; Conflict while other workflows start it. Its versions are kept."""
        async with self._drawing(organization_id) as connection:
            row = await _one(connection, self._tables.workflows, organization_id, workflow_id)
            named = await self._naming(connection, vars(to_workflow(row)))
            users = [user for user in named if user.id != workflow_id and workflow_id in workflow_ids(user.data)]
            if users:
                raise Conflict(f"This workflow is started by {_named(users)}. Take it out there first.")
            await connection.execute(delete(self._tables.workflows).where(self._tables.workflows.c.id == workflow_id))
            note("workflow", workflow_id, row["name"], deleted=True)

    async def workflow(self, organization_id: str, workflow_id: str) -> Workflow:
        async with self._database.read() as connection:
            return to_workflow(await _one(connection, self._tables.workflows, organization_id, workflow_id))

    async def workflows(
        self,
        organization_id: str,
        environment_id: str | None = None,
        page: Page | None = None,
        *,
        is_active: bool | None = None,
    ) -> tuple[list[Workflow], int]:
        """A page of workflows in the order they are tried (all of them without `page`), and how many there are."""
        rows, total = await self._list(
            self._tables.workflows, organization_id, environment_id, page, is_active=is_active
        )
        return [to_workflow(row) for row in rows], total

    # ---- within a transaction --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _drawing(self, organization_id: str, environment_id: str | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction that writes; those of an organization come one after another, as all do on SQLite.

        `environment_id`: where something is to be made. Raises NotFound where that is gone.
        """
        async with self._database.write() as connection:
            if self._database.dialect == "postgresql":
                name = f"{self._tables.workflows.name}|{organization_id}"
                await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
            if environment_id is not None:
                await self._places.hold(connection, organization_id, environment_id)
            yield connection

    async def _check(self, connection: AsyncConnection, workflow: Workflow) -> dict[str, Entity]:
        """The entities that the workflow refers to, by id. Raises InvalidFields where it has faults."""
        entities = await self._used(connection, workflow)
        faults = check_workflow(workflow.data, entities, await self._targets(connection, workflow))
        if faults:
            raise InvalidFields(faults)
        return entities

    async def _used(self, connection: AsyncConnection, workflow: Workflow) -> dict[str, Entity]:
        c = self._tables.entities.c
        here = (c.organization_id == workflow.organization_id) & (c.environment_id == workflow.environment_id)
        wanted = sorted(entity_ids(workflow.data))
        rows = await connection.execute(select(self._tables.entities).where(here, c.id.in_(wanted)))
        return {row["id"]: to_entity(row) for row in rows.mappings()}

    async def _targets(self, connection: AsyncConnection, workflow: Workflow) -> set[str]:
        """Those of the workflows that this one would start which are there."""
        wanted = sorted(workflow_ids(workflow.data))
        if not wanted:
            return set()
        c = self._tables.workflows.c
        here = (c.organization_id == workflow.organization_id) & (c.environment_id == workflow.environment_id)
        rows = await connection.execute(select(c.id).where(here, c.id.in_(wanted)))
        return set(rows.scalars())

    async def _same(
        self, connection: AsyncConnection, before: Workflow, after: Workflow, entities: dict[str, Entity]
    ) -> bool:
        return behaves_alike(Drawing(before.data, await self._used(connection, before)), Drawing(after.data, entities))

    async def _renew(self, connection: AsyncConnection, workflow: Workflow, *, before: Entity, after: Entity) -> None:
        """Gives a workflow a new version where one of its entities now does something else."""
        entities = await self._used(connection, workflow)
        old = Drawing(workflow.data, {**entities, before.id: before})
        if behaves_alike(old, Drawing(workflow.data, entities)):
            return
        raised = dataclasses.replace(workflow, version=workflow.version + 1, updated_at=after.updated_at)
        await _replace(connection, self._tables.workflows, to_row(raised))
        await record(connection, self._tables, raised, entities)

    async def _users(self, connection: AsyncConnection, entity: Entity) -> list[Workflow]:
        named = await self._naming(connection, vars(entity))
        return [workflow for workflow in named if entity.id in entity_ids(workflow.data)]

    async def _naming(self, connection: AsyncConnection, record: Mapping[str, Any]) -> list[Workflow]:
        """Workflows of the same environment in whose drawing the id of the record stands somewhere."""
        c = self._tables.workflows.c
        here = (c.organization_id == record["organization_id"]) & (c.environment_id == record["environment_id"])
        rows = await connection.execute(select(self._tables.workflows).where(here, c.data.contains(record["id"])))
        return [to_workflow(row) for row in rows.mappings()]

    async def _list(
        self,
        table: Table,
        organization_id: str,
        environment_id: str | None,
        page: Page | None,
        *,
        is_active: bool | None = None,
    ) -> tuple[list[RowMapping], int]:
        query = select(table).where(table.c.organization_id == organization_id)
        if environment_id is not None:
            query = query.where(table.c.environment_id == environment_id)
        if is_active is not None:
            query = query.where(table.c.is_active == is_active)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(query.subquery()))
            rows = await connection.execute(_paged(_ordered(query, table), page))
            return list(rows.mappings()), total or 0

    def _stamped(self, record: Record, kind: str) -> Record:
        now = self._clock.now_ms()
        return dataclasses.replace(record, id=self._ids.new(kind), revision=1, created_at=now, updated_at=now)

    def _changed(self, record: Record, found: RowMapping, expected: int | None) -> Record:
        if expected is not None and expected != found["revision"]:
            raise StaleRevision(revision=found["revision"])
        times = {"created_at": found["created_at"], "updated_at": self._clock.now_ms()}
        return dataclasses.replace(record, revision=found["revision"] + 1, **times)


async def _one(connection: AsyncConnection, table: Table, organization_id: str, record_id: str) -> RowMapping:
    mine = (table.c.organization_id == organization_id) & (table.c.id == record_id)
    row = (await connection.execute(select(table).where(mine))).mappings().first()
    if row is None:
        raise NotFound(f"There is nothing under {record_id!r}.")
    return row


async def _own(connection: AsyncConnection, table: Table, record: Record) -> RowMapping:
    """What is stored of the record; it stays in the environment that it was made in."""
    row = await _one(connection, table, record.organization_id, record.id)
    if row["environment_id"] != record.environment_id:
        raise NotFound(f"There is nothing under {record.id!r} in this environment.")
    return row


async def _replace(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> None:
    await connection.execute(update(table).where(table.c.id == row["id"]).values(row))


def _named(workflows: Sequence[Workflow]) -> str:
    return ", ".join(repr(workflow.name) for workflow in workflows[:3])


def _ordered(query: Select[Any], table: Table) -> Select[Any]:
    first = [table.c.priority] if "priority" in table.c else []
    return query.order_by(*first, table.c.created_at, table.c.id)


def _paged(query: Select[Any], page: Page | None) -> Select[Any]:
    return query if page is None else query.offset(page.offset).limit(page.limit)
