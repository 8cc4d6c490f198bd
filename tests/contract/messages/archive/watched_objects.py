"""An object store that tells when something was put, and can be told to fail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pulse.objects.port import Objects


class Crash(Exception):
    """The process ends here."""


async def nothing(_key: str) -> None:
    """Nothing happens in between."""


async def crash(key: str) -> None:
    raise Crash(key)


@dataclass
class WatchedObjects:
    """`before` and `after` run around each put, when the object is not there yet, and when it is."""

    inner: Objects
    before: Callable[[str], Awaitable[None]] = nothing
    after: Callable[[str], Awaitable[None]] = nothing
    keys: list[str] = field(default_factory=list)

    async def put(self, key: str, data: bytes) -> None:
        await self.before(key)
        await self.inner.put(key, data)
        self.keys.append(key)
        await self.after(key)

    async def get(self, key: str) -> bytes:
        return await self.inner.get(key)

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)
        self.keys = [each for each in self.keys if each != key]
