"""What memory keeps of an environment in the database: counted, and deleted with it, and nothing beside it."""

import pytest

from pulse.memory.vectors.port import Space
from pulse.memory.vectors.store import DatabaseIndex
from tests.contract.memory.library import GUIDES, OURS, SECRET, THEIRS, DatabaseLibrary


@pytest.mark.parametrize("environment_id", ["env_prod", None])
async def test_what_is_deleted_with_its_place(database_library: DatabaseLibrary, environment_id: str | None) -> None:
    library, index, beside = database_library, database_library.index, Space("org_ours_too", "env_prod", "handbook")
    assert isinstance(index, DatabaseIndex)
    await library.memory().upsert(OURS, GUIDES)
    for space in (*THEIRS, beside):
        await library.memory().upsert(space, [SECRET])
    mine = ("org_ours", environment_id)
    async with library.database.write() as connection:
        counted = await index.count(connection, *mine)
        await index.remove(connection, *mine)
        assert await index.count(connection, *mine) == {"documents in memory": 0}
    gone = [space for space in (OURS, *THEIRS) if space.organization_id == "org_ours"]
    if environment_id is not None:
        gone = [space for space in gone if space.environment_id == environment_id]
    assert counted == {"documents in memory": len(GUIDES) + len(gone) - 1}
    for space in (OURS, *THEIRS, beside):
        assert (await library.ids(space) == []) is (space in gone), space
