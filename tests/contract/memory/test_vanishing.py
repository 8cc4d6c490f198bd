"""Documents that are kept while their environment is being deleted: nothing is left behind."""

import asyncio

import pytest
from sqlalchemy import func, select

from pulse.core.errors import NotFound
from pulse.core.ids import Ids
from pulse.memory.tables import BRANCH, memory_tables
from pulse.memory.vectors.exact import ExactVectors
from pulse.memory.vectors.memory import VectorMemory
from pulse.memory.vectors.port import Document, Space
from pulse.memory.vectors.store import DatabaseIndex
from pulse.storage.migrations import migrate
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH as TENANCY
from pulse.tenancy.tables import tenancy_tables
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import lent
from tests.contract.tenancy.places.deleting import blocked_or_done, deleting

prefix = lent("kept_places", [TENANCY, BRANCH])


async def test_nothing_is_kept_in_a_place_that_is_being_deleted(open_database: OpenDatabase) -> None:
    clock = SetClock()
    database = open_database(clock=clock)
    await migrate(database, [TENANCY, BRANCH])
    tenancy, tables = tenancy_tables(database.prefix), memory_tables(database.prefix)
    store = TenancyStore(database, tenancy, Ids(clock), clock)
    organization = await store.create_organization("Ours")
    here = await store.create_environment(organization.id, "production")
    index = DatabaseIndex(database, tables, ExactVectors(tables, database.dialect), PlaceHold(tenancy), clock)
    memory, space = VectorMemory(index, texts=index), Space(organization.id, here.id)
    async with deleting(database, (organization.id, here.id), [index]) as deletion:
        keeping = asyncio.create_task(memory.upsert(space, [Document("d1", "some words")]))
        await blocked_or_done(database, keeping)
    await deletion
    with pytest.raises(NotFound, match="There is no environment"):
        await keeping
    async with database.read() as connection:
        for table in tables.metadata.sorted_tables:
            assert await connection.scalar(select(func.count()).select_from(table)) == 0
