"""What holds of the local folder only: it is durable, and its troubles are told apart."""

import errno
import os
from pathlib import Path

import pytest

from pulse.core.errors import Misconfigured, StorageDown, StorageFull
from pulse.objects import store
from pulse.objects.store import ObstoreObjects

KEY = "org/env/object"


@pytest.fixture
def objects(tmp_path: Path) -> ObstoreObjects:
    return ObstoreObjects((tmp_path / "objects").as_uri())


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were made durable."""
    paths: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


async def test_an_object_and_its_folders_are_synced(objects: ObstoreObjects, tmp_path: Path, synced: list[str]) -> None:
    await objects.put(KEY, b"bytes")
    folder = tmp_path / "objects"
    assert synced == [str(path) for path in (folder / KEY, folder / "org/env", folder / "org", folder)]


async def test_an_object_that_was_there_is_synced_too(
    objects: ObstoreObjects, tmp_path: Path, synced: list[str]
) -> None:
    """Who put it may have been cut off before it was durable."""
    (tmp_path / "objects/org/env").mkdir(parents=True)
    (tmp_path / "objects" / KEY).write_bytes(b"bytes")
    await objects.put(KEY, b"bytes")
    assert str(tmp_path / "objects" / KEY) in synced


async def test_nothing_half_written_is_left(objects: ObstoreObjects, tmp_path: Path) -> None:
    await objects.put(KEY, b"bytes")
    await objects.put(KEY, b"other")
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == ["object"]


async def test_a_folder_that_cannot_be_written_to(objects: ObstoreObjects, tmp_path: Path) -> None:
    (tmp_path / "objects/org").write_text("a file in the way")
    with pytest.raises(StorageDown, match="does not answer as it should"):
        await objects.put(KEY, b"bytes")


async def test_a_full_disk_is_told_apart(objects: ObstoreObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pulse.objects.store.obstore.put_async", full)
    with pytest.raises(StorageFull):
        await objects.put(KEY, b"bytes")


async def test_a_sync_that_fails_is_told(objects: ObstoreObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: Path, _key: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(store, "_sync", fail)
    with pytest.raises(StorageDown):
        await objects.put(KEY, b"bytes")


@pytest.mark.parametrize("url", ["nothing", "gopher://host/", "file:///dev/null/below"])
def test_an_address_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="PULSE_OBJECTS_URL"):
        ObstoreObjects(url)
