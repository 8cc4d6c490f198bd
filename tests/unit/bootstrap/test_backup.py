"""Backups appear whole or not at all, and so does what is restored; what cannot be is said in a sentence."""

import gzip
import io
import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from pulse.bootstrap.backup import back_up, restore_into
from pulse.bootstrap.settings import Settings, load_settings
from pulse.core.errors import Conflict, Misconfigured, NotFound, StorageDown, StorageReadOnly


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with a database of ten rows, a key, credentials, an object, and things that are nobody's."""
    data = tmp_path / "data # with ? odd % name"
    (data / "objects" / "a").mkdir(parents=True)
    with closing(sqlite3.connect(data / "pulse.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (n)")
        database.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(10)])
        database.commit()
    for name in ("secret.key", "credentials.json", "objects/a/segment", "lock", "run.json"):
        (data / name).write_text(name)
    return load_settings(data)


def restored(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "restored")


async def test_what_was_there_is_there_again(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    assert await back_up(settings, file) == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0
    target = restored(tmp_path)
    await restore_into(target, file)
    assert sorted(path.name for path in target.data.iterdir()) == [
        "credentials.json",
        "objects",
        "pulse.db",
        "secret.key",
    ]
    assert (target.data / "objects" / "a" / "segment").read_text() == "objects/a/segment"
    with closing(sqlite3.connect(target.data / "pulse.db")) as database:
        assert database.execute("SELECT count(*) FROM t").fetchone() == (10,)
    assert target.data.stat().st_mode & 0o077 == 0


async def test_what_is_written_meanwhile_does_not_stop_it(settings: Settings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(settings.data / "pulse.db")) as writer:
        writer.execute("INSERT INTO t VALUES (99)")
        await back_up(settings, tmp_path / "backup")
        writer.commit()
    await restore_into(restored(tmp_path), tmp_path / "backup")
    with closing(sqlite3.connect(restored(tmp_path).data / "pulse.db")) as database:
        assert database.execute("SELECT count(*) FROM t").fetchone() == (10,)


async def test_a_backup_replaces_the_last_one(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("the last one")
    await back_up(settings, file)
    await restore_into(restored(tmp_path), file)


@pytest.mark.parametrize("name", ["none/backup", "file/backup", "folder"])
async def test_a_backup_that_cannot_be_written(settings: Settings, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageReadOnly, match="cannot be written"):
        await back_up(settings, tmp_path / name)
    assert not list(tmp_path.glob("**/*.part"))


async def test_a_damaged_database_is_not_backed_up(settings: Settings, tmp_path: Path) -> None:
    (settings.data / "pulse.db").write_bytes(b"no database, " * 1_000)
    (tmp_path / "backup").write_text("the last one")
    with pytest.raises(StorageDown, match="cannot be copied"):
        await back_up(settings, tmp_path / "backup")
    assert (tmp_path / "backup").read_text() == "the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", settings.data.name]


async def test_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no data"):
        await back_up(load_settings(tmp_path / "none"), tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_with_something_in_it_stays_as_it_is(settings: Settings, tmp_path: Path) -> None:
    await back_up(settings, tmp_path / "backup")
    before = sorted(settings.data.rglob("*"))
    with pytest.raises(Conflict, match="not empty"):
        await restore_into(settings, tmp_path / "backup")
    assert sorted(settings.data.rglob("*")) == before


async def test_an_empty_folder_is_restored_into(settings: Settings, tmp_path: Path) -> None:
    """It may be the mount of a volume, which cannot be replaced."""
    await back_up(settings, tmp_path / "backup")
    target = restored(tmp_path)
    target.data.mkdir()
    folder = os.stat(target.data).st_ino
    await restore_into(target, tmp_path / "backup")
    assert os.stat(target.data).st_ino == folder


def tar_of(**files: bytes) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_dot_", "."))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no backup"),
        (b"no backup", "no backup"),
        (gzip.compress(b"no tar"), "no backup"),
        (tar_of(other=b"x"), "no database in it"),
        (tar_of(pulse_dot_db__x=b"x"), "no database in it"),
    ],
    ids=["empty", "text", "no tar", "another tar", "a folder for a database"],
)
async def test_what_is_no_backup(tmp_path: Path, content: bytes, words: str) -> None:
    file, target = tmp_path / "backup", restored(tmp_path)
    file.write_bytes(content)
    with pytest.raises(NotFound, match=words):
        await restore_into(target, file)
    assert list(target.data.iterdir()) == []


async def test_a_backup_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        await restore_into(restored(tmp_path), tmp_path / "none")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
async def test_a_backup_that_was_cut_off_restores_nothing(settings: Settings, tmp_path: Path, part: float) -> None:
    """A second try with a whole one must find the folder empty."""
    (settings.data / "objects" / "large").write_bytes(os.urandom(100_000))
    file = tmp_path / "backup"
    await back_up(settings, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(NotFound, match="no backup that can be read"):
        await restore_into(restored(tmp_path), file)
    file.write_bytes(whole)
    await restore_into(restored(tmp_path), file)


async def test_a_backup_that_was_changed_restores_nothing(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    await back_up(settings, file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    file.write_bytes(content)
    with pytest.raises(NotFound):
        await restore_into(restored(tmp_path), file)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil-of-pulse", "objects/../../evil"])
async def test_a_backup_writes_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for member in ("pulse.db", name):
            tar.addfile(tarfile.TarInfo(member), io.BytesIO())
    (tmp_path / "backup").write_bytes(raw.getvalue())
    with pytest.raises(NotFound):
        await restore_into(restored(tmp_path), tmp_path / "backup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "restored"]


async def test_a_server_has_backups_of_its_own(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, PULSE_DATABASE_URL="postgresql://db/pulse")
    for work in (back_up, restore_into):
        with pytest.raises(Misconfigured, match="server's own tools"):
            await work(settings, tmp_path / "backup")
