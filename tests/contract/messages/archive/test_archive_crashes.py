"""The archiver is cut off, or meets others, at every point: nothing is lost, nothing deleted comes back."""

import asyncio
import json
from pathlib import Path

import pytest
import zstandard

from pulse.core.errors import NotFound, StorageDown
from pulse.messages.keeping import archive
from pulse.storage.database import Database
from tests.contract.messages.archive.watched_objects import Crash, WatchedObjects, crash
from tests.contract.messages.office import HOUR, PRODUCTION, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


@pytest.fixture
def watched(office: Office) -> Office:
    """The office with an object store that can be interrupted."""
    return Office(office.database, WatchedObjects(office.objects), office.clock)


def store_of(office: Office) -> WatchedObjects:
    assert isinstance(office.objects, WatchedObjects)
    return office.objects


async def closed(office: Office, count: int = 3) -> dict[str, bytes]:
    """Messages of an hour that is over, by id, as they read."""
    ids = [await office.ended_message(body={"n": n}) for n in range(count)]
    office.clock.ms += HOUR
    return {each: await office.document(A, each) for each in ids}


async def read_all(office: Office, ids: dict[str, bytes]) -> dict[str, bytes]:
    return {each: await office.document(A, each) for each in ids}


def archived_ids(folder: Path) -> set[str]:
    """The messages in all segments that lie in the store, whoever refers to them."""
    lines = [line for path in folder.rglob("*.zst") for line in zstandard.decompress(path.read_bytes()).splitlines()]
    return {json.loads(line)["id"] for line in lines}


# ---- cut off -------------------------------------------------------------------------------------------------


async def test_cut_off_before_the_object_is_there(watched: Office) -> None:
    before = await closed(watched)
    store_of(watched).before = crash
    with pytest.raises(Crash):
        await watched.archive.archive_closed_hours()
    assert await read_all(watched, before) == before
    assert await watched.segments() == []


async def test_cut_off_between_object_and_commit(watched: Office, office: Office) -> None:
    before = await closed(watched)
    store_of(watched).after = crash
    with pytest.raises(Crash):
        await watched.archive.archive_closed_hours()
    assert await read_all(watched, before) == before
    assert await watched.segments() == []
    assert await office.archive.archive_closed_hours() == 3
    assert await read_all(office, before) == before
    assert len(await office.segments()) == 1
    assert await office.archive.archive_closed_hours() == 0


async def test_a_commit_that_fails_changes_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await closed(office)

    def down(_database: Database) -> None:
        raise StorageDown

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", down)
        with pytest.raises(StorageDown):
            await office.archive.archive_closed_hours()
    assert await read_all(office, before) == before
    assert await office.archive.archive_closed_hours() == 3
    assert await read_all(office, before) == before


async def test_cut_off_between_two_segments(watched: Office, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_LINES", 2)
    before = await closed(watched, 5)

    async def crash_at_the_second(key: str) -> None:
        if len(store_of(watched).keys) == 2:
            raise Crash(key)

    store_of(watched).after = crash_at_the_second
    with pytest.raises(Crash):
        await watched.archive.archive_closed_hours()
    assert [segment.messages for segment in await office.segments()] == [2]
    assert await read_all(office, before) == before
    assert await office.archive.archive_closed_hours() == 3
    assert await read_all(office, before) == before


async def test_the_layout_of_objects_is_completed_after_a_crash(office: Office) -> None:
    objects = WatchedObjects(office.objects)
    made = Office(office.database, objects, office.clock, layout="object")
    before = await closed(made)

    async def crash_at_the_second_message(key: str) -> None:
        if len([each for each in objects.keys if each.endswith(".json")]) == 2:
            raise Crash(key)

    objects.after = crash_at_the_second_message
    with pytest.raises(Crash):
        await made.archive.archive_closed_hours()
    assert await read_all(made, before) == before
    again = Office(office.database, office.objects, office.clock, layout="object")
    assert await again.archive.archive_closed_hours() == 3
    for message_id, shown in before.items():
        assert await again.objects.get(f"{A}/{PRODUCTION}/success/{message_id}.json") == shown


# ---- meetings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["segment", "object"])
async def test_what_is_deleted_while_it_moves_is_in_no_segment(office: Office, tmp_path: Path, layout: str) -> None:
    objects = WatchedObjects(office.objects)
    made = Office(office.database, objects, office.clock, layout=layout)
    before = await closed(made)
    gone = next(iter(before))

    async def delete_once(_key: str) -> None:
        objects.after = objects.before
        await office.retention.delete(A, gone)

    objects.after = delete_once
    assert await made.archive.archive_closed_hours() == 2
    del before[gone]
    assert await read_all(made, before) == before
    with pytest.raises(NotFound):
        await made.reader.message(A, gone)
    assert archived_ids(tmp_path / "objects") == set(before)
    assert list((tmp_path / "objects").rglob(f"{gone}.json")) == []
    assert [segment.messages for segment in await made.segments()] == [2]


async def test_two_archivers_that_meet_write_every_message_once(office: Office, tmp_path: Path) -> None:
    objects = WatchedObjects(office.objects)
    slow = Office(office.database, objects, office.clock)
    before = await closed(slow)

    async def let_the_other_one_through(_key: str) -> None:
        objects.after = objects.before
        assert await office.archive.archive_closed_hours() == 3

    objects.after = let_the_other_one_through
    assert await slow.archive.archive_closed_hours() == 0
    assert await read_all(office, before) == before
    assert [segment.messages for segment in await office.segments()] == [3]
    assert len(list((tmp_path / "objects").rglob("*.zst"))) == 1, "the segment of the one that came late is gone"
    await office.retention.delete(A, next(iter(before)))
    await office.archive.rewrite_tombstones()
    assert archived_ids(tmp_path / "objects") == set(list(before)[1:])


async def test_archivers_side_by_side_lose_nothing(office: Office, beside: Office) -> None:
    before = await closed(office, 6)
    theirs = await office.ended_message(B)
    office.clock.ms += HOUR
    moved = await asyncio.gather(*(place.archive.archive_closed_hours() for place in (office, beside) for _ in "ab"))
    assert sum(moved) == 7
    assert await read_all(office, before) == before
    assert json.loads(await office.document(B, theirs))["id"] == theirs
    assert sum(segment.messages for segment in await office.segments()) == 7
