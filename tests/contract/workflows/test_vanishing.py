"""What is drawn while its environment is being deleted: two transactions that meet, and nothing is left behind."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import NotFound
from pulse.core.ids import Ids
from pulse.storage.migrations import migrate
from pulse.tenancy.places.changing import NotEmpty, PlaceStore
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import TenancyTables, tenancy_tables
from pulse.workflows.contents import WorkflowContents
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tables import BRANCH, workflow_tables
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import lent
from tests.contract.tenancy.places.deleting import blocked_or_done, deleting
from tests.contract.workflows.conftest import Drawings
from tests.unit.workflows.drawn import inline

prefix = lent("drawn_places", [TENANCY, BRANCH])


class Slow(PlaceHold):
    """Stops between looking for the environment and making something in it."""

    def __init__(self, tables: TenancyTables) -> None:
        super().__init__(tables)
        self.holds, self.goes_on = asyncio.Event(), asyncio.Event()

    async def hold(self, connection: AsyncConnection, organization_id: str, environment_id: str) -> None:
        await super().hold(connection, organization_id, environment_id)
        self.holds.set()
        await self.goes_on.wait()


Place = tuple[Drawings, tuple[str, str]]


@pytest.fixture
async def place(open_database: OpenDatabase, clock: SetClock) -> Place:
    """A store of workflows, and an environment that is there."""
    database = open_database(clock=clock)
    await migrate(database, [TENANCY, BRANCH])
    tables, ids = tenancy_tables(database.prefix), Ids(clock)
    tenancy = TenancyStore(database, tables, ids, clock)
    organization = await tenancy.create_organization("Ours")
    environment = await tenancy.create_environment(organization.id, "production")
    store = WorkflowStore(database, workflow_tables(database.prefix), PlaceHold(tables), ids, clock)
    return Drawings(database, store, clock), (organization.id, environment.id)


def contents_of(drawings: Drawings) -> WorkflowContents:
    return WorkflowContents(workflow_tables(drawings.database.prefix))


async def left(drawings: Drawings) -> int:
    """How many rows there are, of any kind."""
    async with drawings.database.read() as connection:
        tables = workflow_tables(drawings.database.prefix).metadata.sorted_tables
        return sum([await connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables])


@pytest.mark.parametrize("whole", ["", "Ours"])
async def test_nothing_is_drawn_in_a_place_that_is_being_deleted(place: Place, whole: str) -> None:
    drawings, here = place
    async with deleting(drawings.database, here, [contents_of(drawings)], whole=whole) as deletion:
        drawing = asyncio.create_task(drawings.drawn(*here))
        await blocked_or_done(drawings.database, drawing)
    await deletion
    with pytest.raises(NotFound, match="There is no environment"):
        await drawing
    assert await left(drawings) == 0


Change = Callable[[Drawings, Entity, Workflow], Coroutine[Any, Any, Any]]
CHANGES: dict[str, Change] = {
    "a workflow is made": lambda drawings, entity, _: drawings.workflow(
        {"root": inline(entity.id)}, entity.organization_id, entity.environment_id
    ),
    "a workflow changes": lambda drawings, _, workflow: drawings.store.update_workflow(replace(workflow, name="New")),
    "an entity changes": lambda drawings, entity, _: drawings.store.update_entity(
        replace(entity, fields={"postScript": "1"})
    ),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_what_is_drawn_there_already_leaves_nothing_behind(place: Place, what: str) -> None:
    """A version would otherwise outlive the workflow that it is of."""
    drawings, here = place
    entity, workflow = await drawings.drawn(*here)
    async with deleting(drawings.database, here, [contents_of(drawings)], whole="Ours") as deletion:
        changing = asyncio.create_task(CHANGES[what](drawings, entity, workflow))
        await blocked_or_done(drawings.database, changing)
    await deletion
    with pytest.raises(NotFound):
        await changing
    assert await left(drawings) == 0


@pytest.mark.parametrize("force", [False, True])
async def test_what_is_just_being_drawn_is_found_by_who_deletes_the_place(place: Place, *, force: bool) -> None:
    drawings, here = place
    database, clock = drawings.database, drawings.clock
    tables = tenancy_tables(database.prefix)
    slow = Slow(tables)
    store = WorkflowStore(database, workflow_tables(database.prefix), slow, Ids(clock), clock)
    drawing = asyncio.create_task(store.create_entity(Entity("", *here, "Drawn", "event")))
    await slow.holds.wait()
    places = PlaceStore(database, tables, [contents_of(drawings)])
    deletion = asyncio.create_task(places.delete_environment(*here, force=force))
    await blocked_or_done(database, deletion)
    slow.goes_on.set()
    await drawing
    if force:
        await deletion
        assert await left(drawings) == 0
    else:
        with pytest.raises(NotEmpty, match="1 workflow entities"):
            await deletion
        assert await left(drawings) == 1


async def test_nothing_is_drawn_where_nothing_is(place: Place) -> None:
    drawings, (organization_id, _) = place
    for elsewhere in ((organization_id, "env_none"), ("org_none", place[1][1])):
        with pytest.raises(NotFound, match="There is no environment"):
            await drawings.entity("event", *elsewhere)
