"""The shelf on obstore: a local folder, S3 and its kin."""

import asyncio
import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from pulse.core.errors import Misconfigured, StorageDown, StorageFull, TooLarge, Unavailable
from pulse.memory.port import Entry


class ObstoreShelf:
    """Values at an address such as `file:///folder` or `s3://bucket/prefix`; implements `Shelf`.

    `options` are obstore's for that kind of address (`endpoint`, `region`, `access_key_id`, ...). In a bucket a value
    has its key for a name. In a folder its file's name has an `@` before it, for a file cannot be a folder as well.
    """

    def __init__(self, url: str, *, options: Mapping[str, Any] | None = None) -> None:
        address = urlparse(url)
        self._folder = Path(unquote(address.path)) if address.scheme == "file" else None
        self._bucket = address.netloc or Path(unquote(address.path)).name
        try:
            self._store: ObjectStore = _opened(url, self._folder, options)
        except (BaseError, ValueError, OSError) as error:
            raise Misconfigured(f"The address of short-term memory cannot be used: {_first_line(error)}") from None

    @property
    def bucket(self) -> str:
        return self._bucket

    async def put(self, key: str, data: bytes) -> None:
        try:
            await obstore.put_async(self._store, self._name(key), data)
            if self._folder is not None:
                # obstore renames into place, but does not fsync.
                await asyncio.to_thread(_sync, self._folder, self._name(key))
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    async def get(self, key: str, max_bytes: int) -> bytes | None:
        try:
            found = await obstore.get_async(self._store, self._name(key))
            if found.meta["size"] > max_bytes:
                raise TooLarge(f"{key} has {found.meta['size']:,} bytes; at most {max_bytes:,} are read.")
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    async def list(self, prefix: str, limit: int) -> Sequence[Entry]:
        found: list[Entry] = []
        try:
            async for some in obstore.list(self._store, prefix, chunk_size=min(limit + 1, 1000)):
                found += (Entry(self._key(each["path"]), each["size"]) for each in some)
                if len(found) > limit:
                    raise TooLarge(f"There are more than {limit:,} values below {prefix}: ask for fewer of them.")
        except FileNotFoundError:
            return []
        except (BaseError, OSError) as error:
            raise _translated(error) from error
        return sorted(found, key=lambda entry: entry.key)

    async def delete(self, key: str) -> bool:
        try:
            # S3 does not say whether there was something to delete.
            await obstore.head_async(self._store, self._name(key))
            await obstore.delete_async(self._store, self._name(key))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise _translated(error) from error
        return True

    async def check(self) -> None:
        await self.get("check", 1)

    def _name(self, key: str) -> str:
        if self._folder is None:
            return key
        above, slash, name = key.rpartition("/")
        return f"{above}{slash}@{name}"

    def _key(self, name: str) -> str:
        if self._folder is None:
            return name
        above, slash, last = name.rpartition("/")
        return f"{above}{slash}{last.removeprefix('@')}"


def _opened(url: str, folder: Path | None, options: Mapping[str, Any] | None) -> ObjectStore:
    if folder is not None:
        return LocalStore(folder, mkdir=True)
    client = {"allow_http": True} if dict(options or {}).get("endpoint", "").startswith("http:") else {}
    config: Any = dict(options or {})
    made: Any = from_url
    store: ObjectStore = made(url, config=config, client_options=client)
    return store


def _translated(error: Exception) -> Unavailable:
    if os.strerror(errno.ENOSPC) in str(error):
        return StorageFull()
    return StorageDown(f"Short-term memory does not answer as it should: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _sync(folder: Path, name: str) -> None:
    """Makes the file and every folder above it durable."""
    path = folder / name
    while True:
        # Who deletes it meanwhile has had the last word.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if path == folder:
            return
        path = path.parent
