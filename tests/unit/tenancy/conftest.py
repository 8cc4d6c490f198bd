"""The stores of tenancy on a database file of their own, with a clock that the test sets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.records import Environment
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import tenancy_tables


@dataclass
class SetClock:
    """Says what it was told to say."""

    ms: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


@dataclass
class Stores:
    """Both stores, and what they stand on."""

    file: Path
    database: Database
    clock: SetClock
    master_key: str
    tenancy: TenancyStore
    sources: SourceStore

    def sources_under(self, *master_keys: str) -> SourceStore:
        """The same sources, as a process with other master keys sees them."""
        return SourceStore(self.database, tenancy_tables("t_"), Vault(master_keys), self.clock)

    async def environment(self, organization: str = "Acme", name: str = "development") -> Environment:
        made = await self.tenancy.create_organization(organization)
        return await self.tenancy.create_environment(made.id, name)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    file, clock, master_key = tmp_path / "pulse.db", SetClock(), new_master_key()
    database, tables = Database(f"sqlite+aiosqlite:///{file}", prefix="t_"), tenancy_tables("t_")
    async with database.write() as connection:
        await connection.run_sync(tables.metadata.create_all)
    tenancy = TenancyStore(database, tables, Ids(clock), clock)
    sources = SourceStore(database, tables, Vault([master_key]), clock)
    yield Stores(file, database, clock, master_key, tenancy, sources)
    await database.close()
