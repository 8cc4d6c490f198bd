"""An installation from before there were variables gets their tables, and keeps what it has."""

import shutil
from pathlib import Path

from sqlalchemy import column, insert, table

from pulse.core.ids import Ids
from pulse.storage.branches import Branch
from pulse.storage.database import Database
from pulse.storage.migrations import migrate, pending
from pulse.tenancy.records import Environment
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.tables import BRANCH, tenancy_tables
from pulse.tenancy.variables import VariableStore
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import own_prefix

prefix = own_prefix


async def of_before(database: Database, name: str) -> Environment:
    """An organization and its environment as they were stored then."""
    place = Environment(f"env_{name}", f"org_{name}", "production", 1)
    async with database.write() as connection:
        for kind, row in (
            ("organizations", {"id": place.organization_id, "name": name, "created_at": 1}),
            ("environments", {field: value for field, value in vars(place).items() if field != "revision"}),
        ):
            older = table(f"{database.prefix}{kind}", *map(column, row))
            await connection.execute(insert(older).values(row))
    return place


async def test_variables_come_to_an_older_installation(open_database: OpenDatabase, tmp_path: Path) -> None:
    clock = SetClock()
    database, ids, vault = open_database(clock=clock), Ids(clock), Vault([new_master_key()])
    older = tmp_path / "older"
    older.mkdir()
    shutil.copy(BRANCH.folder / "tenancy_0001_first.py", older)
    await migrate(database, [Branch("tenancy", older)])
    tables = tenancy_tables(database.prefix)
    sources = SourceStore(database, tables, vault, clock)
    here, there = await of_before(database, "ours"), await of_before(database, "theirs")
    source = await sources.create(here, "hub", "github", "a secret of before")

    later = sorted(path.stem[: len("tenancy_0000")] for path in BRANCH.folder.glob("tenancy_*.py"))[1:]
    assert sorted(await pending(database, [BRANCH])) == later
    assert sorted(await migrate(database, [BRANCH])) == later
    assert await migrate(database, [BRANCH]) == []
    variables = VariableStore(database, tables, vault, ids, clock)
    for place, value in ((here, "ours"), (there, "theirs")):
        await variables.create(place.organization_id, place.id, "KEY", value)
        assert (await variables.values(place.organization_id, place.id)).values == (("KEY", value),)
    found = await SourceStore(database, tables, vault, clock).find(source.id)
    assert found is not None
    assert found.secrets == ("a secret of before",)
