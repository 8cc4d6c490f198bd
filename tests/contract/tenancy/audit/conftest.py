"""A database whose changes are audited, as processes see it that share it."""

from dataclasses import dataclass

import pytest

from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import Act, Actor
from pulse.tenancy.audit.audit import Audit, build_audit
from pulse.tenancy.audit.chain import Broken
from pulse.tenancy.audit.committing import AuditedCommitter
from pulse.tenancy.audit.records import Entry, Wanted
from pulse.tenancy.store import TenancyStore
from tests.contract.conftest import OpenDatabase
from tests.contract.tenancy.conftest import Tenancy

ALL = Wanted()


@dataclass
class Process:
    """One process on the database."""

    tenancy: Tenancy
    database: Database
    audit: Audit
    store: TenancyStore
    committer: AuditedCommitter

    @property
    def ours(self) -> str:
        return self.tenancy.ours.id

    def act(self, action: str = "environments:create", actor: str = "usr_1", **fields: str) -> Act:
        """An act in our organization."""
        place = {"organization_id": self.ours, **fields}
        return Act(Actor("user", actor), action, self.tenancy.clock.ms, method="POST", path="/api/x", **place)

    async def entries(self, organization_id: str | None = None, wanted: Wanted = ALL) -> list[Entry]:
        """What is written of our organization, or of that one; newest first."""
        place = self.ours if organization_id is None else organization_id
        return list((await self.audit.reader.page(place, wanted, offset=0, limit=1000)).entries)

    async def faults(self) -> list[Broken]:
        found = await self.audit.reader.verify(60.0)
        assert found.is_whole
        return list(found.broken)


def process(tenancy: Tenancy, database: Database) -> Process:
    ids = Ids(tenancy.clock)
    audit = build_audit(database, tenancy.tables.audit, ids, tenancy.clock)
    store = TenancyStore(database, tenancy.tables, ids, tenancy.clock)
    return Process(tenancy, database, audit, store, AuditedCommitter(database, audit.log))


@pytest.fixture
def here(tenancy: Tenancy) -> Process:
    return process(tenancy, tenancy.database)


@pytest.fixture
def elsewhere(tenancy: Tenancy, open_database: OpenDatabase) -> Process:
    """Another process."""
    return process(tenancy, open_database(clock=tenancy.clock))
