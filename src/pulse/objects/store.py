"""The object store on obstore. A local folder is synced by hand: obstore renames into place, but does not fsync."""

import asyncio
import contextlib
import errno
import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from pulse.core.errors import Misconfigured, NotFound, StorageDown, StorageFull, Unavailable


class ObstoreObjects:
    """Objects at an address such as `file:///folder` or `s3://bucket/prefix`; implements `Objects`."""

    def __init__(self, url: str) -> None:
        self._folder = Path(unquote(urlparse(url).path)) if url.startswith("file:") else None
        try:
            self._store: ObjectStore = LocalStore(self._folder, mkdir=True) if self._folder else from_url(url)
        except (BaseError, ValueError, OSError) as error:
            raise Misconfigured(f"PULSE_OBJECTS_URL cannot be used: {error}") from None

    async def put(self, key: str, data: bytes) -> None:
        try:
            # One that is there already may not be durable yet: who put it may have been cut off.
            with contextlib.suppress(AlreadyExistsError):
                await obstore.put_async(self._store, key, data, mode="create")
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder, key)
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    async def get(self, key: str) -> bytes:
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            raise NotFound(f"There is no object {key!r}.") from None
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    async def delete(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _translated(error) from error


def _translated(error: Exception) -> Unavailable:
    if os.strerror(errno.ENOSPC) in str(error):
        return StorageFull()
    return StorageDown(f"The object store does not answer as it should: {error}")


def _sync(folder: Path, key: str) -> None:
    """Makes the file and every folder above it durable."""
    path = folder / key
    while True:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path == folder:
            return
        path = path.parent
