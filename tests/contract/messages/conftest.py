"""A place with everything about messages, and a second tenant in it to whom nothing may happen."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pulse.billing.tables import BRANCH as BILLING
from pulse.messages.tables import BRANCH
from pulse.objects.store import ObstoreObjects
from pulse.storage.migrations import migrate
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import lent
from tests.contract.messages.office import PRODUCTION, Office

BYSTANDER = "org_bystander"


prefix = lent("messages", [BRANCH, BILLING])


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def objects(tmp_path: Path) -> ObstoreObjects:
    return ObstoreObjects((tmp_path / "objects").as_uri())


@pytest.fixture
async def office(open_database: OpenDatabase, clock: SetClock, objects: ObstoreObjects) -> Office:
    made = Office(open_database(clock=clock), objects, clock)
    await migrate(made.database, [BRANCH, BILLING])
    return made


@pytest.fixture
def beside(open_database: OpenDatabase, office: Office) -> Office:
    """Another process on the same data."""
    return Office(open_database(clock=office.clock), office.objects, office.clock)


@pytest.fixture
async def bystander(office: Office) -> AsyncIterator[str]:
    """A message of another organization, with the same lane and key that tests use; it must stay as it is."""
    message = office.message(BYSTANDER, PRODUCTION, lane="lane", idempotency_key="key", type="order")
    await office.intake.accept(message)
    await office.put_into(message.id, state="held")
    before = (await office.rows())[message.id], await office.bytes_of(message.id)
    yield message.id
    assert ((await office.rows())[message.id], await office.bytes_of(message.id)) == before
    assert [row for row in (await office.rows()).values() if row.organization_id == BYSTANDER] == [before[0]]
