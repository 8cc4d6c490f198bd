"""The stores of tenancy on one database, with two organizations that have everything under the same names."""

from dataclasses import dataclass, replace

import pytest
from argon2 import PasswordHasher

from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.storage.migrations import migrate
from pulse.tenancy.people.passwords import Passwords
from pulse.tenancy.people.sign_in import People, build_people
from pulse.tenancy.records import Environment, Organization, Variable
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import BRANCH, TenancyTables, tenancy_tables
from pulse.tenancy.variables import VariableStore
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import lent


@dataclass
class Tenancy:
    """The stores, and the two organizations that each test has."""

    database: Database
    tables: TenancyTables
    clock: SetClock
    master_key: str
    store: TenancyStore
    ours: Organization
    theirs: Organization
    here: Environment
    there: Environment

    def sources(self) -> SourceStore:
        """Another process's view of the sources: nothing is kept from before."""
        return SourceStore(self.database, self.tables, Vault([self.master_key]), self.clock)

    def people(self) -> People:
        """Another process's view of the people."""
        ids, vault = Ids(self.clock), Vault([self.master_key])
        made = build_people(self.database, self.tables, self.store, ids, self.clock, vault=vault)
        return replace(made, passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=1 << 10)))

    def variables(self, refresh_seconds: float = 300.0) -> VariableStore:
        """Another process's view of the variables."""
        vault, ids = Vault([self.master_key]), Ids(self.clock)
        return VariableStore(self.database, self.tables, vault, ids, self.clock, refresh_seconds=refresh_seconds)

    async def add(self, name: str, value: str) -> Variable:
        """A new variable of ours."""
        return await self.variables().create(self.ours.id, self.here.id, name, value)

    async def values(self) -> dict[str, str]:
        """What scripts of our environment get, read anew."""
        return dict((await self.variables().values(self.ours.id, self.here.id)).values)

    async def their_values(self) -> dict[str, str]:
        return dict((await self.variables().values(self.theirs.id, self.there.id)).values)


prefix = lent("tenancy", [BRANCH])


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def tenancy(open_database: OpenDatabase, clock: SetClock) -> Tenancy:
    database = open_database(clock=clock)
    await migrate(database, [BRANCH])
    tables = tenancy_tables(database.prefix)
    store = TenancyStore(database, tables, Ids(clock), clock)
    ours, theirs = await store.create_organization("Ours"), await store.create_organization("Theirs")
    here, there = [await store.create_environment(each.id, "production") for each in (ours, theirs)]
    return Tenancy(database, tables, clock, new_master_key(), store, ours, theirs, here, there)


@pytest.fixture
async def theirs(tenancy: Tenancy) -> Variable:
    """A variable of the other organization, under a name that tests use too."""
    return await tenancy.variables().create(tenancy.theirs.id, tenancy.there.id, "KEY", "theirs")
