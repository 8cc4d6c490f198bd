"""What every object store keeps to; run on each adapter that this machine can have."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pulse.core.errors import NotFound
from pulse.objects.port import Objects
from pulse.objects.store import ObstoreObjects

Reopen = Callable[[], Objects]
KEY = "org_a/env_b/success/2023/11/14/22-seg_1.ndjson.zst"
KEYS = [
    KEY,
    "plain",
    "with spaces/and more of them.json",
    "percent%20sign/100%.json",
    "umlaut-ä/日本語.json",
    "a+b&c=d@e!.json",
    "tilde~/hash#/question?.json",
    "colon:semi;.json",
    "deep/" * 20 + "end",
    "trailing.dots...",
    "case/A.json",
]


def local(folder: Path) -> Objects:
    return ObstoreObjects((folder / "an object store").as_uri())


@pytest.fixture(params=[pytest.param(local, id="local")])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Opens the store, each time as another process would."""
    return lambda: request.param(tmp_path)


@pytest.fixture
def objects(reopen: Reopen) -> Objects:
    return reopen()


@pytest.mark.parametrize("key", KEYS)
async def test_what_is_put_is_there(objects: Objects, reopen: Reopen, key: str) -> None:
    await objects.put(key, b"bytes")
    assert await objects.get(key) == b"bytes"
    assert await reopen().get(key) == b"bytes"
    await reopen().delete(key)
    with pytest.raises(NotFound):
        await objects.get(key)


@pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)), b"x" * 3_000_000], ids=len)
async def test_bytes_come_back_as_they_are(objects: Objects, data: bytes) -> None:
    await objects.put(KEY, data)
    assert await objects.get(KEY) == data


async def test_keys_that_look_alike_are_not(objects: Objects) -> None:
    keys = [*KEYS, "case/a.json", "with%20spaces/and more of them.json", "plain.json", "Plain"]
    for key in keys:
        await objects.put(key, key.encode())
    assert [await objects.get(key) for key in keys] == [key.encode() for key in keys]


async def test_the_first_bytes_stay(objects: Objects, reopen: Reopen) -> None:
    await objects.put(KEY, b"first")
    await objects.put(KEY, b"first")
    await reopen().put(KEY, b"other")
    assert await objects.get(KEY) == b"first"


async def test_of_many_who_put_at_once_one_wins_whole(objects: Objects, reopen: Reopen) -> None:
    data = [bytes([n]) * 200_000 for n in range(8)]
    await asyncio.gather(*((objects, reopen())[n % 2].put(KEY, each) for n, each in enumerate(data)))
    assert await objects.get(KEY) in data


async def test_what_was_never_put_is_not_found(objects: Objects) -> None:
    await objects.put("folder/object", b"bytes")
    for key in (KEY, "folder", "folder/", "object"):
        with pytest.raises(NotFound):
            await objects.get(key)


async def test_deleting_twice_is_no_error(objects: Objects) -> None:
    await objects.put(KEY, b"bytes")
    await objects.delete(KEY)
    await objects.delete(KEY)
    await objects.delete("never/put")
    with pytest.raises(NotFound):
        await objects.get(KEY)


async def test_a_deleted_key_can_be_put_again(objects: Objects) -> None:
    await objects.put(KEY, b"first")
    await objects.delete(KEY)
    await objects.put(KEY, b"second")
    assert await objects.get(KEY) == b"second"


async def test_one_organizations_objects_are_not_anothers(objects: Objects) -> None:
    await objects.put("org_a/env/success/1.json", b"ours")
    await objects.put("org_b/env/success/1.json", b"theirs")
    await objects.delete("org_b/env/success/1.json")
    assert await objects.get("org_a/env/success/1.json") == b"ours"
    with pytest.raises(NotFound):
        await objects.get("org_b/env/success/1.json")


@pytest.mark.parametrize("key", ["org_b/../org_a/1.json", "../outside.json", "org_b/./1.json"])
async def test_no_key_leads_out_of_its_folder(objects: Objects, key: str) -> None:
    await objects.put("org_a/1.json", b"ours")
    for attempt in (objects.get(key), objects.put(key, b"theirs"), objects.delete(key)):
        with pytest.raises((NotFound, ValueError, TypeError)):
            await attempt
    assert await objects.get("org_a/1.json") == b"ours"
