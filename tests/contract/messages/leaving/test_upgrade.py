"""Older installations get the outbox, and keep the messages that they have."""

import shutil
from pathlib import Path

import pytest

from pulse.billing.tables import BRANCH as BILLING
from pulse.bootstrap.joining.signals import MessageSignals
from pulse.messages.tables import BRANCH
from pulse.objects.store import ObstoreObjects
from pulse.storage.migrations import migrate, pending
from pulse.storage.outbox import Outbox
from tests.contract.conftest import OpenDatabase, SetClock
from tests.contract.lending import own_prefix
from tests.contract.messages.office import A, B, Office

prefix = own_prefix


@pytest.mark.parametrize("revisions", [1, 2], ids=["from the first", "from the one before"])
async def test_the_outbox_comes_to_an_older_installation(
    open_database: OpenDatabase, objects: ObstoreObjects, clock: SetClock, tmp_path: Path, revisions: int
) -> None:
    database = open_database(clock=clock)
    older = tmp_path / "older"
    older.mkdir()
    files = sorted(BRANCH.folder.glob("messages_*.py"))
    for file in files[:revisions]:
        shutil.copy(file, older)
    await migrate(database, [type(BRANCH)("messages", older)])
    office = Office(database, objects, clock)
    before, tables = office.message(type="order", body={"n": 1}), office.tables
    place = {"organization_id": A, "environment_id": before.environment_id, "state": "ready"}
    async with database.write() as connection:
        row = {"id": before.id, **place, "size": 1, "due_at": clock.ms, "received_at": clock.ms}
        await connection.execute(tables.messages.insert(), [row])
        await connection.execute(tables.payloads.insert(), [{"id": before.id, "payload": before.payload}])

    missing = [file.stem.rpartition("_")[0] for file in files[revisions:]]
    assert "messages_0003" in missing
    assert await pending(database, [BRANCH]) == missing
    assert await migrate(database, [BRANCH]) == missing
    assert await migrate(database, [BRANCH]) == []
    await migrate(database, [BILLING])

    outbox = Outbox(database, office.tables.outbox)
    office.intake.signals = MessageSignals(outbox, {"order"}, lambda: None)
    new = await office.accept(type="order")
    left: list[str] = []

    async def keep(key: str, _payload: bytes) -> None:
        left.append(key)

    assert await outbox.deliver({"signal": keep}) == 1
    assert left == [new]
    assert [work.id for work in await office.claim()] == [before.id, new]
    assert (await office.bytes_of(before.id))[0] == before.payload
    # Partitions go with their parents, not one by one.
    async with database.write() as connection:
        await connection.run_sync(tables.metadata.drop_all)


async def test_what_was_held_before_is_counted(
    open_database: OpenDatabase, objects: ObstoreObjects, clock: SetClock, tmp_path: Path
) -> None:
    database, older = open_database(clock=clock), tmp_path / "older"
    older.mkdir()
    for file in BRANCH.folder.glob("messages_000[1-6]_*.py"):
        shutil.copy(file, older)
    await migrate(database, [type(BRANCH)("messages", older)])
    office = Office(database, objects, clock)
    states = {A: ["held", "held", "ready"], B: ["held"], "org_c": ["ready"]}
    rows = [
        {"id": office.ids.new("msg"), "organization_id": each, "environment_id": "env", "state": state, "size": 1}
        | {"due_at": clock.ms, "received_at": clock.ms}
        for each, theirs in states.items()
        for state in theirs
    ]
    async with database.write() as connection:
        await connection.execute(office.tables.messages.insert(), rows)
    await migrate(database, [BRANCH, BILLING])
    assert [await office.reader.held(each) for each in states] == [2, 1, 0]
    await office.plans.configure(A, 1, "hold")
    assert (await office.held.release(A), await office.reader.held(A)) == (1, 1)
    async with database.write() as connection:
        await connection.run_sync(office.tables.metadata.drop_all)
