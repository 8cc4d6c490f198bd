"""The object store as the rest of Pulse sees it."""

from typing import Protocol


class Objects(Protocol):
    """Bytes under keys such as `org/env/success/2026/11/21/04-seg.ndjson.zst`, written once and never changed."""

    async def put(self, key: str, data: bytes) -> None:
        """Stores an object durably. A key is written again only with the same bytes: the first ones stay.

        Raises Unavailable (StorageFull where that is the cause); then nothing is stored under the key, or all of it.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFound, Unavailable."""
        ...

    async def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is no error."""
        ...
