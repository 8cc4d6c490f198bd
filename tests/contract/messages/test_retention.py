"""Retention: what is over-age goes, and nothing else; the disk gets its room back."""

from pathlib import Path

import pytest
from sqlalchemy import text

from pulse.core.errors import Conflict, NotFound
from pulse.messages.records import Accepted
from pulse.storage.database import sqlite_file
from tests.contract.lending import own_prefix
from tests.contract.messages.office import DAY, HOUR, PRODUCTION, A, B, Office

prefix = own_prefix

pytestmark = pytest.mark.usefixtures("bystander")


async def test_what_ended_longer_ago_than_the_days_goes(office: Office) -> None:
    old, theirs = await office.ended_message(), await office.ended_message(B)
    office.clock.ms += 2
    young = await office.ended_message()
    office.clock.ms += 30 * DAY - 1
    assert await office.retention.enforce() == 2
    assert not {old, theirs} & set(await office.rows())
    assert await office.bytes_of(old) == (None, None)
    assert await office.states([young]) == ["success"]
    assert None not in await office.bytes_of(young)
    assert await office.retention.enforce() == 0


@pytest.mark.parametrize("state", ["ready", "blocked", "running", "held"])
async def test_what_has_not_ended_never_goes(office: Office, state: str) -> None:
    message_id = await office.accept()
    await office.put_into(message_id, state=state)
    for _ in range(3):
        office.clock.ms += 100 * DAY
        assert await office.retention.enforce() == 0
    assert await office.states([message_id]) == [state]
    assert (await office.bytes_of(message_id))[0] is not None


async def test_days_count_from_the_end_of_a_message(office: Office) -> None:
    """One that was held for two months is kept as long as any other."""
    office.clock.ms += 10 * DAY
    await office.retention.make_room()
    late, early = await office.accept(), await office.accept()
    works = {work.id: work for work in await office.claim()}
    await office.finish(works[early])
    office.clock.ms += 60 * DAY
    await office.finish(works[late])
    office.clock.ms += 29 * DAY
    await office.retention.enforce()
    assert late in await office.rows()
    assert early not in await office.rows()
    office.clock.ms += 2 * DAY
    await office.retention.enforce()
    assert late not in await office.rows()


async def test_more_than_one_batch_goes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse.messages.keeping.retention.BATCH", 3)
    for _ in range(8):
        await office.ended_message()
    office.clock.ms += 31 * DAY
    assert await office.retention.enforce() == 8


async def test_keys_go_after_a_week(office: Office) -> None:
    first = office.message(idempotency_key="key")
    await office.intake.accept(first)
    office.clock.ms += 7 * DAY
    await office.retention.enforce()
    repeat = office.message(idempotency_key="key")
    assert (await office.intake.accept(repeat)).deduplicated
    office.clock.ms += 1
    await office.retention.enforce()
    new = office.message(idempotency_key="key")
    assert await office.intake.accept(new) == Accepted(new.id)


async def test_segments_go_when_all_in_them_is_over_age(office: Office, tmp_path: Path) -> None:
    old, theirs = await office.ended_message(), await office.ended_message(B)
    office.clock.ms += HOUR
    young = await office.ended_message()
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    before = await office.document(A, young)
    begun = office.clock.ms - office.clock.ms % HOUR - 2 * HOUR
    office.clock.ms = begun + HOUR + 30 * DAY
    await office.retention.enforce()
    assert not {old, theirs} & set(await office.rows())
    assert len(await office.segments()) == 3, "an hour that is not over-age to its end stays whole"
    office.clock.ms += 1
    await office.retention.enforce()
    assert len(await office.segments()) == 1
    assert len(list((tmp_path / "objects").rglob("*.zst"))) == 1
    assert await office.document(A, young) == before


async def test_the_objects_of_messages_go_with_their_segment(office: Office, tmp_path: Path) -> None:
    made = Office(office.database, office.objects, office.clock, layout="object")
    await made.ended_message()
    made.clock.ms += 2 * HOUR
    await made.archive.archive_closed_hours()
    damaged = await made.ended_message(B)
    made.clock.ms += 2 * HOUR
    await made.archive.archive_closed_hours()
    (key,) = [segment.object_key for segment in await made.segments() if segment.organization_id == B]
    (tmp_path / "objects" / key).write_bytes(b"damaged")
    made.clock.ms += 31 * DAY
    fresh = Office(office.database, office.objects, office.clock, layout="object")
    await fresh.retention.enforce()
    left = [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert left == [f"{damaged}.json"], "what a damaged segment held, nobody knows any more"
    assert await made.segments() == []


async def test_the_disk_gets_its_room_back(office: Office) -> None:
    """The file of SQLite shrinks; PostgreSQL keeps its own house."""
    for _ in range(40):
        await office.ended_message(body={"filling": "x" * 50_000})
    file = sqlite_file(office.database)
    before = _bytes_of(file)
    assert file is None or before > 2_000_000
    office.clock.ms += 31 * DAY
    assert await office.retention.enforce() == 40
    assert file is None or _bytes_of(file) < before // 4


def _bytes_of(file: Path | None) -> int:
    """What a database and its log take."""
    if file is None:
        return 0
    return sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.exists())


# ---- one message ---------------------------------------------------------------------------------------------


async def test_a_message_that_ended_can_be_deleted(office: Office) -> None:
    gone, kept = await office.ended_message(), await office.ended_message()
    await office.retention.delete(A, gone)
    assert gone not in await office.rows()
    assert await office.bytes_of(gone) == (None, None)
    assert None not in await office.bytes_of(kept)
    with pytest.raises(NotFound):
        await office.retention.delete(A, gone)


@pytest.mark.parametrize("state", ["ready", "blocked", "running", "held"])
async def test_one_that_has_not_cannot(office: Office, state: str) -> None:
    message_id = await office.accept()
    await office.put_into(message_id, state=state)
    with pytest.raises(Conflict) as refused:
        await office.retention.delete(A, message_id)
    assert refused.value.details == {"status": state}
    assert message_id in await office.rows()


async def test_nobody_deletes_what_is_anothers(office: Office, bystander: str) -> None:
    ours = await office.ended_message()
    for organization_id, wanted in ((B, ours), (A, bystander), (A, "msg_unknown"), ("", ours)):
        with pytest.raises(NotFound):
            await office.retention.delete(organization_id, wanted)
    assert await office.states([ours]) == ["success"]


# ---- partitions ----------------------------------------------------------------------------------------------


async def partitions(office: Office) -> dict[str, int]:
    """How many partitions each of the three tables has, besides the default one."""
    if office.database.dialect == "sqlite":
        pytest.skip("SQLite has no partitions")
    query = text("SELECT count(*) FROM pg_inherits WHERE inhparent = CAST(:name AS regclass)")
    counts = {}
    async with office.database.read() as connection:
        for table in (office.tables.messages, office.tables.payloads, office.tables.results):
            found = await connection.scalar(query, {"name": f'"{table.name}"'}) or 0
            counts[table.name.removeprefix(office.database.prefix)] = found - 1
    return counts


async def test_partitions_are_made_ahead_and_only_once(office: Office, beside: Office) -> None:
    before = await partitions(office)
    office.clock.ms += 10 * DAY
    await office.retention.make_room()
    await beside.retention.make_room()
    assert await partitions(office) == {table: count + 4 for table, count in before.items()}
    office.clock.ms += DAY
    await office.retention.enforce()
    assert await partitions(office) == {table: count + 5 for table, count in before.items()}


async def test_messages_read_the_same_in_a_partition(office: Office) -> None:
    early = await office.ended_message()
    office.clock.ms += DAY
    await office.retention.make_room()
    late = await office.ended_message()
    before = [await office.document(A, message_id) for message_id in (early, late)]
    office.clock.ms += DAY
    await office.archive.archive_closed_hours()
    assert [await office.document(A, message_id) for message_id in (early, late)] == before


async def test_days_that_are_over_age_are_dropped_whole(office: Office) -> None:
    office.clock.ms += 10 * DAY
    await office.retention.make_room()
    gone, theirs = await office.ended_message(), await office.ended_message(B)
    office.clock.ms += DAY
    young = await office.ended_message()
    begun = office.clock.ms - office.clock.ms % DAY
    office.clock.ms = begun + 30 * DAY
    before = await partitions(office)
    await office.retention.enforce()
    assert not {gone, theirs} & set(await office.rows())
    assert young in await office.rows()
    assert await partitions(office) == {table: count - 1 + 4 for table, count in before.items()}


async def test_a_day_with_something_unfinished_is_not_dropped(office: Office) -> None:
    office.clock.ms += 10 * DAY
    await office.retention.make_room()
    waiting, ended = await office.accept(A, PRODUCTION), await office.accept()
    works = {work.id: work for work in await office.claim()}
    await office.finish(works[ended])
    await partitions(office)
    office.clock.ms += 60 * DAY
    await office.retention.enforce()
    assert await office.states([waiting]) == ["running"]
    assert ended not in await office.rows(), "what ended goes row by row"
