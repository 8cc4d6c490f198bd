"""Short-term memory, on a local folder and on S3. Each test leaves another organization's values alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pulse.core.errors import InvalidFields, InvalidInput, Misconfigured, StorageDown, TooLarge
from pulse.memory.port import Shelf
from pulse.memory.shelf import ObstoreShelf
from pulse.memory.short_term import Kept, Owner, ShortTermMemory
from tests.contract.memory.conftest import OURS, S3_OPTIONS, THEIRS, Place

CHAT = ["chat", "42"]


@pytest.fixture
async def memory(shelf: Shelf) -> AsyncIterator[ShortTermMemory]:
    """Short-term memory in which others keep values under the names that tests use."""
    memory = ShortTermMemory(shelf)
    others = [THEIRS, Owner(OURS.organization_id, "env_test"), Owner("org_our", "env_prod")]
    for other in others:
        for metadata in (CHAT, [], ["chat"]):
            await memory.store(other, metadata, {"of": other.organization_id}, "history.json")
    yield memory
    for other in others:
        assert len(await memory.retrieve_all(other, [])) == 3
        assert await memory.retrieve(other, CHAT, "history.json") == {"of": other.organization_id}


@pytest.mark.parametrize(
    "value",
    [
        {"turns": [{"role": "user", "content": "Grüße 👋"}], "n": 1.5},
        [],
        {},
        None,
        True,
        0,
        "plain text\nof two lines",
        "",
    ],
    ids=str,
)
async def test_what_is_stored_comes_back(memory: ShortTermMemory, place: Place, value: Any) -> None:
    kept = await memory.store(OURS, CHAT, value, "history.json")
    assert kept == Kept(place.bucket, "org_ours/env_prod/chat/42/history.json")
    assert await memory.retrieve(OURS, CHAT, "history.json") == value
    assert await ShortTermMemory(place.open()).retrieve(OURS, CHAT, "history.json") == value


async def test_text_is_kept_as_it_is_and_parsed_where_it_is_json(memory: ShortTermMemory, shelf: Shelf) -> None:
    kept = await memory.store(OURS, CHAT, "plain text", "a.txt")
    assert await shelf.get(kept.key, 100) == b"plain text"
    await memory.store(OURS, CHAT, '{"a": 1}', "a.txt")
    assert await memory.retrieve(OURS, CHAT, "a.txt") == {"a": 1}
    await memory.store(OURS, CHAT, '{"a": 1, "a": 2}', "a.txt")
    assert await memory.retrieve(OURS, CHAT, "a.txt") == '{"a": 1, "a": 2}'


async def test_what_was_never_stored_is_none(memory: ShortTermMemory) -> None:
    assert await memory.retrieve(OURS, CHAT, "history.json") is None
    assert await memory.retrieve_all(OURS, CHAT) == {}
    assert await memory.delete(OURS, CHAT, "history.json") is False


async def test_the_last_one_to_store_wins(memory: ShortTermMemory, place: Place) -> None:
    await memory.store(OURS, CHAT, "x" * 5000, "history.json")
    await ShortTermMemory(place.open()).store(OURS, CHAT, {"n": 2}, "history.json")
    assert await memory.retrieve(OURS, CHAT, "history.json") == {"n": 2}


async def test_of_many_who_store_at_once_one_wins_whole(memory: ShortTermMemory) -> None:
    values = [[n] * 20_000 for n in range(6)]
    await asyncio.gather(*(memory.store(OURS, CHAT, value, "history.json") for value in values))
    assert await memory.retrieve(OURS, CHAT, "history.json") in values


async def test_deleting_tells_whether_it_was_there(memory: ShortTermMemory) -> None:
    await memory.store(OURS, CHAT, 1, "history.json")
    assert await memory.delete(OURS, CHAT, "history.json") is True
    assert await memory.delete(OURS, CHAT, "history.json") is False
    assert await memory.retrieve(OURS, CHAT, "history.json") is None


async def test_everything_below_is_found_by_its_name(memory: ShortTermMemory) -> None:
    await memory.store(OURS, CHAT, 1, "b.json")
    await memory.store(OURS, [*CHAT, "2026", "11 21"], "deep", "ä.txt")
    await memory.store(OURS, CHAT, [2], "a.json")
    await memory.store(OURS, ["chat"], "above", "b.json")
    await memory.store(OURS, ["chat", "421"], "beside", "b.json")
    found = await memory.retrieve_all(OURS, CHAT)
    assert found == {"2026/11 21/ä.txt": "deep", "a.json": [2], "b.json": 1}
    assert list(found) == sorted(found)
    assert len(await memory.retrieve_all(OURS, [])) == 5


async def test_a_value_may_be_named_like_a_folder(memory: ShortTermMemory) -> None:
    await memory.store(OURS, ["chat"], "value", "42")
    await memory.store(OURS, ["chat", "42"], "below", "42")
    await memory.store(OURS, ["chat", "42", "42"], "deeper", "42")
    assert await memory.retrieve(OURS, ["chat"], "42") == "value"
    assert await memory.retrieve_all(OURS, ["chat"]) == {"42": "value", "42/42": "below", "42/42/42": "deeper"}


NAMES = ["with spaces", "percent%20sign", "100%", "ümlaut", "日本語", "a+b&c=d@e!", "tilde~", "hash#1", "q?x", "colon:",
         "...", "@at", "*", "quote\"'", "A", "a", "~", "x" * 200]  # fmt: skip


async def test_names_that_look_alike_are_not(memory: ShortTermMemory) -> None:
    for name in NAMES:
        await memory.store(OURS, [name], f"value of {name}", name)
    for name in NAMES:
        assert await memory.retrieve(OURS, [name], name) == f"value of {name}"
    assert await memory.retrieve_all(OURS, []) == {f"{name}/{name}": f"value of {name}" for name in NAMES}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/", "a\\b", "nul\0", "line\n", "\x7f", "\u2028", "\ud800", "x" * 201, "日" * 23]
)
async def test_no_name_leads_elsewhere(memory: ShortTermMemory, name: str) -> None:
    attempts = [
        memory.store(OURS, [name], 1, "a"),
        memory.store(OURS, ["a"], 1, name),
        memory.retrieve(OURS, ["a", name], "a"),
        memory.retrieve_all(OURS, [name]),
        memory.delete(OURS, [], name),
        memory.retrieve_all(Owner("org_ours", name), []),
        memory.retrieve_all(Owner(name, "env_prod"), []),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidFields):
            await attempt


async def test_faults_say_where_they_are(memory: ShortTermMemory) -> None:
    wrong: Any = ["fine", 42, ".."]
    with pytest.raises(InvalidFields) as refused:
        await memory.store(OURS, wrong, 1, "a/b")
    assert [fault.path for fault in refused.value.faults] == ["metadata.1", "metadata.2", "filename"]
    for metadata in ("chat", None, {"a": 1}, ["x"] * 17, ["y" * 100] * 10):
        shape: Any = metadata
        with pytest.raises(InvalidFields) as refused:
            await memory.retrieve(OURS, shape, "a")
        assert refused.value.faults[0].path == "metadata"


@pytest.mark.parametrize(
    "value", [float("nan"), Owner("a", "b"), {1, 2}, b"bytes", "half \ud800", ["half \udc00"]], ids=ascii
)
async def test_what_json_cannot_say_is_refused(memory: ShortTermMemory, value: Any) -> None:
    with pytest.raises(InvalidInput):
        await memory.store(OURS, CHAT, value, "history.json")
    assert await memory.retrieve(OURS, CHAT, "history.json") is None


async def test_a_value_has_at_most_4_mib(memory: ShortTermMemory) -> None:
    await memory.store(OURS, CHAT, "x" * (4 * 1024 * 1024), "largest.txt")
    with pytest.raises(TooLarge, match="4,194,304"):
        await memory.store(OURS, CHAT, "x" * (4 * 1024 * 1024 + 1), "larger.txt")
    assert len(await memory.retrieve(OURS, CHAT, "largest.txt")) == 4 * 1024 * 1024


async def test_a_value_that_something_else_made_too_large_is_not_read(memory: ShortTermMemory, shelf: Shelf) -> None:
    await shelf.put("org_ours/env_prod/chat/large.txt", b"x" * (4 * 1024 * 1024 + 1))
    with pytest.raises(TooLarge, match=r"chat/large\.txt"):
        await memory.retrieve(OURS, ["chat"], "large.txt")


async def test_reading_everything_is_bounded(memory: ShortTermMemory, shelf: Shelf) -> None:
    for n in range(4):
        await memory.store(OURS, CHAT, "x" * 10, f"{n}.txt")
    assert len(await ShortTermMemory(shelf, max_values=4, max_bytes=40).retrieve_all(OURS, CHAT)) == 4
    with pytest.raises(TooLarge, match="more than 3 values"):
        await ShortTermMemory(shelf, max_values=3).retrieve_all(OURS, CHAT)
    with pytest.raises(TooLarge, match="40 bytes"):
        await ShortTermMemory(shelf, max_bytes=39).retrieve_all(OURS, CHAT)


async def test_bytes_that_are_no_text_are_borne(memory: ShortTermMemory, shelf: Shelf) -> None:
    await shelf.put("org_ours/env_prod/image.png", b"\x89PNG")
    assert await memory.retrieve(OURS, [], "image.png") == "\ufffdPNG"


async def test_a_check_of_what_works_is_quiet(shelf: Shelf) -> None:
    await shelf.check()


async def test_a_bucket_that_is_not_there_is_told(s3_url: str) -> None:
    shelf = ObstoreShelf("s3://no-such-bucket", options={**S3_OPTIONS, "endpoint": s3_url})
    memory = ShortTermMemory(shelf)
    with pytest.raises(StorageDown):
        await memory.store(OURS, CHAT, 1, "a")


async def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    memory = ShortTermMemory(ObstoreShelf(tmp_path.as_uri()))
    (tmp_path / "org_ours").write_bytes(b"a file, not a folder")
    with pytest.raises(StorageDown, match="does not answer"):
        await memory.store(OURS, CHAT, 1, "a")


@pytest.mark.parametrize("url", ["", "nowhere", "gopher://x/y"])
def test_an_address_that_means_nothing_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="short-term memory"):
        ObstoreShelf(url)
