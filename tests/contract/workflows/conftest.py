"""The store of workflows on one database, and a second organization that has the same under its own ids."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from pulse.workflows.records import Entity, EntityType, Workflow
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tables import BRANCH, workflow_tables
from pulse.workflows.versions import WorkflowVersions
from tests.contract.anywhere import Anywhere
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import lent
from tests.unit.workflows.drawn import inline

A, B = "org_a", "org_b"
HERE, ELSEWHERE = "env_here", "env_elsewhere"


@dataclass
class Drawings:
    """A store, and what is drawn in it in one line."""

    database: Database
    store: WorkflowStore
    clock: SetClock

    async def entity(
        self, kind: EntityType = "event", organization_id: str = A, environment_id: str = HERE, **fields: Any
    ) -> Entity:
        self.clock.ms += 1
        draft = Entity("", organization_id, environment_id, f"An {kind}", kind, fields=fields)
        return await self.store.create_entity(draft)

    async def workflow(self, data: Any, organization_id: str = A, environment_id: str = HERE, **more: Any) -> Workflow:
        self.clock.ms += 1
        draft = Workflow("", organization_id, environment_id, **{"name": "Drawn", "data": data, **more})
        return await self.store.create_workflow(draft)

    async def drawn(self, organization_id: str = A, environment_id: str = HERE) -> tuple[Entity, Workflow]:
        """An event, and a workflow of this event alone."""
        start = await self.entity("event", organization_id, environment_id)
        return start, await self.workflow({"root": inline(start.id)}, organization_id, environment_id)


prefix = lent("workflows", [BRANCH])


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def drawings(open_database: OpenDatabase, clock: SetClock) -> Drawings:
    database = open_database(clock=clock)
    await migrate(database, [BRANCH])
    store = WorkflowStore(database, workflow_tables(database.prefix), Anywhere(), Ids(clock), clock)
    return Drawings(database, store, clock)


@pytest.fixture
async def bystander(drawings: Drawings) -> AsyncIterator[tuple[Entity, Workflow]]:
    """What another organization has; it must stay as it is."""
    entity, workflow = await drawings.drawn(B)
    yield entity, workflow
    assert await drawings.store.entities(B) == ([entity], 1)
    assert await drawings.store.workflows(B) == ([workflow], 1)


def renamed(workflow: Workflow, name: str) -> Workflow:
    return replace(workflow, name=name)


@pytest.fixture
def versions(drawings: Drawings) -> WorkflowVersions:
    return WorkflowVersions(drawings.database, drawings.store._tables)
