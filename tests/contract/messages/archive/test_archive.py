"""The archive: closed hours move into segments, and whoever reads a message sees no difference."""

import json
from pathlib import Path

import pytest
import zstandard

from pulse.core.errors import Misconfigured, NotFound
from pulse.messages.keeping import archive
from pulse.messages.reading import Filter
from tests.contract.messages.office import HOUR, PRODUCTION, STAGING, A, B, Office, body

pytestmark = pytest.mark.usefixtures("bystander")
# 2023-11-14 22:13:20 UTC, when the clock of these tests begins.
FOLDER = f"{A}/{PRODUCTION}/success/2023/11/14"


def lines_of(data: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in zstandard.decompress(data).splitlines()]


async def test_only_hours_that_are_over_move(office: Office) -> None:
    old = await office.ended_message()
    office.clock.ms += HOUR
    late = await office.ended_message()
    waiting = await office.accept()
    assert await office.archive.archive_closed_hours() == 1
    rows = await office.rows()
    assert [rows[each].segment_id is not None for each in (old, late, waiting)] == [True, False, False]
    assert await office.bytes_of(old) == (None, None)
    assert None not in await office.bytes_of(late)
    assert (await office.bytes_of(waiting))[0] is not None
    assert await office.archive.archive_closed_hours() == 0


async def test_an_hour_is_over_with_its_last_millisecond(office: Office) -> None:
    await office.ended_message()
    office.clock.ms += HOUR - office.clock.ms % HOUR - 1
    assert await office.archive.archive_closed_hours() == 0
    office.clock.ms += 1
    at_the_turn = await office.ended_message()
    assert await office.archive.archive_closed_hours() == 1
    assert (await office.rows())[at_the_turn].segment_id is None


async def test_a_message_reads_the_same_before_and_after(office: Office) -> None:
    numbers = b'{"n":1.0,"big":12345678901234567890,"small":1e-7,"zero":-0.0,"text":"\\u00e4 \xc3\xa4 \xe2\x80\xa8"}'
    payloads = [numbers, b"{}", b'{"nested":{"list":[1,2.50,{"a":null}]},"type":"order"}']
    ids = []
    for status in ("success", "fail", "ignore"):
        reasons = [{"name": "Orders", "rule": {"field": "a"}, "seen": 1.0}]
        kept = body(kept=["n", "type", "gone"], globals={"x": [1.5]}, reasons=reasons, result={"deep": [1, {}]})
        fields = {"body": kept, "error": "E: x", "code": "no_match", "workflow_id": "wf_1", "workflow_version": 2}
        ended = [await office.ended_message(A, PRODUCTION, status, fields, payload=each) for each in payloads]
        ids.extend(ended)
    canceled = await office.accept(lane="lane", origin_id=ids[0])
    await office.queue.cancel(A, canceled)
    before = [await office.document(A, each) for each in (*ids, canceled)]
    payloads_before = [(await office.reader.message(A, each)).payload for each in (*ids, canceled)]
    page_before = await office.reader.page(A, Filter(), limit=100)
    office.clock.ms += HOUR
    assert await office.archive.archive_closed_hours() == 10
    assert [await office.document(A, each) for each in (*ids, canceled)] == before
    assert [(await office.reader.message(A, each)).payload for each in (*ids, canceled)] == payloads_before
    assert await office.reader.page(A, Filter(), limit=100) == page_before


async def test_each_organization_environment_status_and_hour_has_segments_of_its_own(office: Office) -> None:
    wanted = {}
    for place in ((A, PRODUCTION), (A, STAGING), (B, PRODUCTION)):
        for status in ("success", "fail", "ignore", "canceled"):
            wanted[(*place, status)] = await office.ended_message(*place, status=status)
    office.clock.ms += HOUR
    late = await office.ended_message()
    office.clock.ms += HOUR
    assert await office.archive.archive_closed_hours() == 13
    rows = await office.rows()
    segments = {segment.id: segment for segment in await office.segments()}
    assert len(segments) == 13
    for (organization_id, environment_id, status), message_id in wanted.items():
        segment = segments[rows[message_id].segment_id]
        assert (segment.organization_id, segment.environment_id, segment.status) == (
            organization_id,
            environment_id,
            status,
        )
        assert (
            segment.object_key == f"{organization_id}/{environment_id}/{status}/2023/11/14/22-{segment.id}.ndjson.zst"
        )
        data = await office.objects.get(segment.object_key)
        assert [line["id"] for line in lines_of(data)] == [message_id]
        assert (segment.messages, segment.bytes) == (1, len(data))
    assert segments[rows[late].segment_id].object_key.startswith(f"{FOLDER}/23-")
    assert segments[rows[late].segment_id].hour % HOUR == 0


async def test_what_ends_late_gets_a_segment_more(office: Office) -> None:
    await office.ended_message()
    late = await office.accept()
    (work,) = await office.claim()
    ended_at = office.clock.now_ms()
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    await office.finish(work, completed_at=ended_at)
    assert await office.archive.archive_closed_hours() == 1
    assert [segment.object_key[: len(FOLDER) + 3] for segment in await office.segments()] == [f"{FOLDER}/22"] * 2
    assert json.loads(await office.document(A, late))["id"] == late


@pytest.mark.parametrize(("limit", "value"), [("MAX_LINES", 3), ("MAX_BYTES", 1_200)])
async def test_a_segment_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(archive, limit, value)
    ids = [await office.ended_message(body={"filling": "x" * 200}) for _ in range(8)]
    office.clock.ms += HOUR
    assert await office.archive.archive_closed_hours() == 8
    counts = [segment.messages for segment in await office.segments()]
    assert sum(counts) == 8
    assert 2 < len(counts) < 8
    assert max(counts) <= 4
    for message_id in ids:
        assert json.loads(await office.document(A, message_id))["id"] == message_id


async def test_one_message_larger_than_a_segment_still_moves(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    for _ in range(2):
        await office.ended_message(body={"filling": "x" * 500})
    office.clock.ms += HOUR
    assert await office.archive.archive_closed_hours() == 2
    assert [segment.messages for segment in await office.segments()] == [1, 1]


async def test_the_layout_of_objects_writes_each_message_too(office: Office) -> None:
    made = Office(office.database, office.objects, office.clock, layout="object")
    done, failed = await made.ended_message(), await made.ended_message(status="fail")
    theirs = await made.ended_message(B, STAGING)
    before = {each: await made.document(place, each) for each, place in ((done, A), (failed, A), (theirs, B))}
    made.clock.ms += HOUR
    await made.archive.archive_closed_hours()
    assert await made.objects.get(f"{A}/{PRODUCTION}/success/{done}.json") == before[done]
    assert await made.objects.get(f"{A}/{PRODUCTION}/fail/{failed}.json") == before[failed]
    assert await made.objects.get(f"{B}/{STAGING}/success/{theirs}.json") == before[theirs]
    assert len(await made.segments()) == 3


async def test_segments_alone_write_no_message_objects(office: Office, tmp_path: Path) -> None:
    await office.ended_message()
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    files = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert [path.suffix for path in files] == [".zst"]


async def test_another_organization_reads_nothing_of_a_segment(office: Office) -> None:
    message_id = await office.ended_message()
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    assert (await office.reader.page(B, Filter())).rows == []
    with pytest.raises(NotFound):
        await office.reader.message(B, message_id)


# ---- damage --------------------------------------------------------------------------------------------------


async def archived(office: Office, organization_id: str = A) -> tuple[str, str]:
    """A message of the archive and its segment's key."""
    message_id = await office.ended_message(organization_id)
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    segment_id = (await office.rows())[message_id].segment_id
    (key,) = [segment.object_key for segment in await office.segments() if segment.id == segment_id]
    return message_id, key


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "swapped"])
async def test_a_damaged_segment_says_so_and_harms_no_other(office: Office, tmp_path: Path, damage: str) -> None:
    broken, key = await archived(office)
    whole, other_key = await archived(office)
    file = tmp_path / "objects" / key
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    other = (tmp_path / "objects" / other_key).read_bytes()
    file.write_bytes({"flipped": bytes(data), "cut": bytes(data[:-9]), "emptied": b"", "swapped": other}[damage])
    with pytest.raises(Misconfigured, match="damaged"):
        await office.reader.message(A, broken)
    assert json.loads(await office.document(A, whole))["id"] == whole
    assert [row.id for row in (await office.reader.page(A, Filter())).rows] == [whole, broken]


async def test_a_lost_segment_says_so(office: Office, tmp_path: Path) -> None:
    message_id, key = await archived(office)
    (tmp_path / "objects" / key).unlink()
    with pytest.raises(Misconfigured, match="missing"):
        await office.reader.message(A, message_id)
