"""An installation from before there were variables gets their tables, and keeps what it has."""

import shutil
from pathlib import Path

from pulse.core.ids import Ids
from pulse.storage.branches import Branch
from pulse.storage.migrations import migrate, pending
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH, tenancy_tables
from pulse.tenancy.variables import VariableStore
from pulse.tenancy.vault import Vault, new_master_key
from tests.contract.conftest import OpenDatabase, SetClock


async def test_variables_come_to_an_older_installation(open_database: OpenDatabase, tmp_path: Path) -> None:
    clock = SetClock()
    database, ids, vault = open_database(clock=clock), Ids(clock), Vault([new_master_key()])
    older = tmp_path / "older"
    older.mkdir()
    shutil.copy(BRANCH.folder / "tenancy_0001_first.py", older)
    await migrate(database, [Branch("tenancy", older)])
    tables = tenancy_tables(database.prefix)
    store, sources = TenancyStore(database, tables, ids, clock), SourceStore(database, tables, vault, clock)
    here = await store.create_environment((await store.create_organization("Ours")).id, "production")
    there = await store.create_environment((await store.create_organization("Theirs")).id, "production")
    source = await sources.create(here, "hub", "github", "a secret of before")

    assert await pending(database, [BRANCH]) == ["tenancy_0002"]
    assert await migrate(database, [BRANCH]) == ["tenancy_0002"]
    assert await migrate(database, [BRANCH]) == []
    variables = VariableStore(database, tables, vault, ids, clock)
    for place, value in ((here, "ours"), (there, "theirs")):
        await variables.create(place.organization_id, place.id, "KEY", value)
        assert (await variables.values(place.organization_id, place.id)).values == (("KEY", value),)
    found = await SourceStore(database, tables, vault, clock).find(source.id)
    assert found is not None
    assert found.secrets == ("a secret of before",)
