"""What workflows keep of an environment: counted, and deleted with it, and nothing beside it."""

import pytest
from sqlalchemy import select

from pulse.storage.database import Database
from pulse.workflows.contents import WorkflowContents
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.tables import workflow_tables
from tests.contract.workflows.conftest import ELSEWHERE, HERE, A, Drawings


async def versions(database: Database) -> set[tuple[str, str]]:
    """The organization and environment of each version that is kept."""
    c = workflow_tables(database.prefix).versions.c
    async with database.read() as connection:
        rows = await connection.execute(select(c.organization_id, c.environment_id))
        return {(organization_id, environment_id) for organization_id, environment_id in rows}


@pytest.mark.parametrize(("environment_id", "left"), [(HERE, {ELSEWHERE}), (None, set())])
async def test_what_is_deleted_with_its_place(
    drawings: Drawings, bystander: tuple[Entity, Workflow], environment_id: str | None, left: set[str]
) -> None:
    for place in (HERE, ELSEWHERE):
        await drawings.drawn(A, place)
    contents = WorkflowContents(workflow_tables(drawings.database.prefix))
    async with drawings.database.write() as connection:
        counted = await contents.count(connection, A, environment_id)
        await contents.remove(connection, A, environment_id)
        assert set((await contents.count(connection, A, environment_id)).values()) == {0}
    many = 2 - len(left)
    assert counted == {"workflows": many, "workflow entities": many}
    theirs = (bystander[1].organization_id, bystander[1].environment_id)
    assert await versions(drawings.database) == {theirs, *((A, place) for place in left)}
    assert {each.environment_id for each in (await drawings.store.entities(A))[0]} == left
