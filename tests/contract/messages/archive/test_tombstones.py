"""Deleting what is archived: hidden at once, and gone from its segment after the next rewriting."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from pulse.core.errors import NotFound
from pulse.messages.reading import Filter
from pulse.messages.records import DELETED
from tests.contract.messages.archive.test_archive_crashes import archived_ids
from tests.contract.messages.archive.watched_objects import Crash, WatchedObjects, crash
from tests.contract.messages.meeting import needs_two_writers, until_waiting
from tests.contract.messages.office import HOUR, PRODUCTION, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


async def archived(office: Office, organization_id: str = A, count: int = 3) -> dict[str, bytes]:
    """Messages that share a segment, by id, as they read."""
    ids = [await office.ended_message(organization_id, body={"n": n}) for n in range(count)]
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    return {each: await office.document(organization_id, each) for each in ids}


async def read_all(office: Office, ids: dict[str, bytes], organization_id: str = A) -> dict[str, bytes]:
    return {each: await office.document(organization_id, each) for each in ids}


async def test_a_deleted_message_is_hidden_at_once_and_gone_later(office: Office, tmp_path: Path) -> None:
    messages, theirs = await archived(office), await archived(office, B)
    gone = list(messages)[1]
    await office.retention.delete(A, gone)
    del messages[gone]
    with pytest.raises(NotFound):
        await office.reader.message(A, gone)
    assert gone not in await office.reader.ids(A, Filter(), 100)
    assert gone in archived_ids(tmp_path / "objects")
    assert await office.archive.rewrite_tombstones() == 1
    assert archived_ids(tmp_path / "objects") == {*messages, *theirs}
    assert gone not in await office.rows()
    assert await read_all(office, messages) == messages
    assert await read_all(office, theirs, B) == theirs
    assert sorted(segment.messages for segment in await office.segments()) == [2, 3]
    assert await office.archive.rewrite_tombstones() == 0


async def test_another_process_reads_the_rewritten_segment(office: Office, beside: Office) -> None:
    messages = await archived(office)
    await read_all(beside, messages)
    gone, *_ = messages
    await beside.retention.delete(A, gone)
    await beside.archive.rewrite_tombstones()
    del messages[gone]
    assert await read_all(office, messages) == messages
    assert await read_all(beside, messages) == messages


async def test_a_segment_of_which_all_is_deleted_goes(office: Office, tmp_path: Path) -> None:
    messages = await archived(office)
    for message_id in messages:
        await office.retention.delete(A, message_id)
    assert await office.archive.rewrite_tombstones() == 1
    assert await office.segments() == []
    assert list((tmp_path / "objects").rglob("*.zst")) == []
    assert not set(messages) & set(await office.rows())


async def test_deleting_twice_is_not_found(office: Office) -> None:
    (message_id,) = await archived(office, count=1)
    await office.retention.delete(A, message_id)
    for _ in range(2):
        with pytest.raises(NotFound):
            await office.retention.delete(A, message_id)
        await office.archive.rewrite_tombstones()


async def test_what_moves_while_it_is_deleted_gets_a_tombstone(office: Office, beside: Office) -> None:
    needs_two_writers(office.database)
    message_id = await office.ended_message()
    moved = update(office.tables.messages).where(office.tables.messages.c.id == message_id).values(segment_id="seg_1")
    async with office.database.write() as connection:
        await connection.execute(moved)
        deleting = asyncio.create_task(beside.retention.delete(A, message_id))
        await until_waiting(office.database)
    await deleting
    assert await office.states([message_id]) == [DELETED]


async def test_nobody_deletes_what_is_anothers(office: Office) -> None:
    messages = await archived(office)
    for message_id in messages:
        with pytest.raises(NotFound):
            await office.retention.delete(B, message_id)
    assert await office.archive.rewrite_tombstones() == 0
    assert await read_all(office, messages) == messages


async def test_the_objects_of_deleted_messages_go_too(office: Office, tmp_path: Path) -> None:
    made = Office(office.database, office.objects, office.clock, layout="object")
    messages = await archived(made)
    gone, *kept = messages
    await made.retention.delete(A, gone)
    await made.archive.rewrite_tombstones()
    assert {path.stem for path in (tmp_path / "objects" / A / PRODUCTION / "success").glob("*.json")} == set(kept)


async def test_cut_off_while_rewriting_nothing_is_lost(office: Office, tmp_path: Path) -> None:
    messages = await archived(office)
    gone, *_ = messages
    await office.retention.delete(A, gone)
    del messages[gone]
    cut_off = Office(office.database, WatchedObjects(office.objects, after=crash), office.clock)
    with pytest.raises(Crash):
        await cut_off.archive.rewrite_tombstones()
    assert await read_all(office, messages) == messages
    assert await office.archive.rewrite_tombstones() == 1
    assert await read_all(office, messages) == messages
    assert [segment.messages for segment in await office.segments()] == [2]


async def test_what_is_deleted_while_its_segment_is_rewritten_goes_the_next_time(
    office: Office, tmp_path: Path
) -> None:
    messages = await archived(office)
    first, second, third = messages
    await office.retention.delete(A, first)

    async def delete_another(_key: str) -> None:
        await office.retention.delete(A, second)

    slow = Office(office.database, WatchedObjects(office.objects, after=delete_another), office.clock)
    await slow.archive.rewrite_tombstones()
    with pytest.raises(NotFound):
        await office.reader.message(A, second)
    assert await office.archive.rewrite_tombstones() == 1
    assert archived_ids(tmp_path / "objects") == {third}
    assert await office.document(A, third) == messages[third]


async def test_two_that_rewrite_the_same_segment_leave_one(office: Office, tmp_path: Path) -> None:
    messages = await archived(office)
    gone, *_ = messages
    await office.retention.delete(A, gone)
    del messages[gone]

    async def let_the_other_one_through(_key: str) -> None:
        assert await office.archive.rewrite_tombstones() == 1

    slow = Office(office.database, WatchedObjects(office.objects, after=let_the_other_one_through), office.clock)
    assert await slow.archive.rewrite_tombstones() == 0
    assert await read_all(office, messages) == messages
    assert [segment.messages for segment in await office.segments()] == [2]
    assert len(list((tmp_path / "objects").rglob("*.zst"))) == 1


async def test_one_damaged_segment_holds_up_no_other(office: Office, tmp_path: Path) -> None:
    broken, whole = await archived(office), await archived(office)
    for segment in await office.segments():
        if segment.id == (await office.rows())[next(iter(broken))].segment_id:
            (tmp_path / "objects" / segment.object_key).write_bytes(b"damaged")
    await office.retention.delete(A, next(iter(broken)))
    gone, *_ = whole
    await office.retention.delete(A, gone)
    del whole[gone]
    fresh = Office(office.database, office.objects, office.clock)
    assert await fresh.archive.rewrite_tombstones() == 1
    assert await read_all(fresh, whole) == whole
    assert gone not in await fresh.rows()
