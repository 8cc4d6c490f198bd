"""Backup and restore of the embedded data folder, while it is in use.

A backup is a gzipped tar of the database (a consistent copy by SQLite's backup API, which does
not stop writers), the objects, the key and the credentials. Objects are copied after the database: what the
database refers to is then there, and what came later is an orphan that nobody reads.
"""

import asyncio
import contextlib
import gzip
import os
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from pathlib import Path

from pulse.bootstrap.settings import Settings
from pulse.core.errors import Conflict, Misconfigured, NotFound, StorageDown, StorageReadOnly

DATABASE = "pulse.db"
FILES = ("secret.key", "credentials.json")
OBJECTS = "objects"


async def back_up(settings: Settings, file: Path) -> int:
    """Writes the backup; its size in bytes. It appears whole or not at all."""
    _require_embedded(settings)
    if not (settings.data / DATABASE).exists():
        raise NotFound(f"There is no data in {settings.data}.")
    return await asyncio.to_thread(_write, settings.data, file)


async def restore_into(settings: Settings, file: Path) -> None:
    """Makes the data folder from a backup. Raises Conflict where it has something in it already."""
    _require_embedded(settings)
    if settings.data.exists() and any(settings.data.iterdir()):
        raise Conflict(f"{settings.data} is not empty. Restore into a new folder with --data.")
    await asyncio.to_thread(_read, settings.data, file)


def _require_embedded(settings: Settings) -> None:
    if not settings.is_embedded:
        raise Misconfigured(
            "This installation keeps its data on a database server: back it up with the server's own tools."
        )


def _write(data: Path, file: Path) -> int:
    draft = file.with_name(file.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent.resolve()) as folder:
            copy = Path(folder) / DATABASE
            _copy_database(data / DATABASE, copy)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=3) as tar:
                tar.add(copy, DATABASE)
                for name in FILES:
                    if (data / name).exists():
                        tar.add(data / name, name)
                if (data / OBJECTS).exists():
                    tar.add(data / OBJECTS, OBJECTS)
        draft.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise StorageReadOnly(f"The backup cannot be written to {file}: {error.strerror or error}.") from None
    except sqlite3.Error as error:
        raise StorageDown(f"The database in {data} cannot be copied: {error}.") from None
    return file.stat().st_size


def _copy_database(source: Path, target: Path) -> None:
    # A reader of its own: it takes a snapshot of the WAL and never checkpoints.
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as reader:
        reader.execute("PRAGMA wal_autocheckpoint=0")
        with closing(sqlite3.connect(target)) as writer:
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode=DELETE")


def _unpack(file: Path, folder: str) -> None:
    with gzip.open(file) as packed:
        with tarfile.open(fileobj=packed, mode="r|") as tar:
            tar.extractall(folder, filter="data")
        # A tar is read to its own end; the checksum of all that was read comes after it.
        while packed.read(1 << 20):
            pass


def _read(data: Path, file: Path) -> None:
    """Unpacked within the folder, which may be a mount, and moved once all of it is there, the database last."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix="restore-", dir=data) as folder:
            _unpack(file, folder)
            if not (Path(folder) / DATABASE).is_file():
                raise NotFound(f"{file} is no backup of Pulse: there is no database in it.")
            for part in sorted(Path(folder).iterdir(), key=lambda part: part.name == DATABASE):
                part.replace(data / part.name)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise NotFound(f"{file} is no backup that can be read: {error}.") from None
