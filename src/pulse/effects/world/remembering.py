"""Short-term memory: `stmStore`, `stmRetrieve`, `stmRetrieveAll`, `stmDelete` (platform.md 6)."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec

from pulse.core.errors import InvalidInput, PulseError, TooLarge, Unavailable
from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.memory.short_term import Owner, ShortTermMemory

T = TypeVar("T")
Names = tuple[list[str], str | None]
MAX_SHOWN = 200
ERRORS = {
    "invalid_arguments": "a name or a value that cannot be kept",
    "too_large": "a value over 4 MiB, or more than 1,000 values or 16 MiB at once",
    "unavailable": "the object store cannot be reached; retryable",
}


class Store(msgspec.Struct, array_like=True, frozen=True):
    metadata: list[str]
    value: Any
    filename: str


class Retrieve(msgspec.Struct, array_like=True, frozen=True):
    metadata: list[str]
    filename: str


class RetrieveAll(msgspec.Struct, array_like=True, frozen=True):
    metadata: list[str]


class Remembering:
    """Values under names, of the message's organization and environment."""

    def __init__(self, memory: ShortTermMemory | None) -> None:
        self._memory = memory

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "stmStore",
                "await stmStore(metadata, value, filename)",
                "Keeps a value under the names in metadata (a list) and a filename, in place of the one before.",
                Store,
                self.store,
                answers="{success, bucket, key}",
                errors=ERRORS,
            ),
            Effect(
                "stmRetrieve",
                "await stmRetrieve(metadata, filename)",
                "The value that was kept, parsed where it is JSON; null where there is none.",
                Retrieve,
                self.retrieve,
                answers="the value, or null",
                errors=ERRORS,
                reads=True,
            ),
            Effect(
                "stmRetrieveAll",
                "await stmRetrieveAll(metadata)",
                "Every value that was kept below these names, by its name from there on.",
                RetrieveAll,
                self.retrieve_all,
                answers="{name: value}",
                errors=ERRORS,
                reads=True,
            ),
            Effect(
                "stmDelete",
                "await stmDelete(metadata, filename)",
                "Forgets a value; whether there was one.",
                Retrieve,
                self.delete,
                answers="{success, existed}",
                errors=ERRORS,
            ),
        ]

    async def store(self, call: Call, given: Store) -> Told:
        memory, names = self._known(), (given.metadata, given.filename)
        kept = await _kept("store", names, memory.store(_owner(call), given.metadata, given.value, given.filename))
        return _told("store", names, {"success": True, "bucket": kept.bucket, "key": kept.key})

    async def retrieve(self, call: Call, given: Retrieve) -> Told:
        memory, names = self._known(), (given.metadata, given.filename)
        found = await _kept("retrieve", names, memory.retrieve(_owner(call), given.metadata, given.filename))
        return _told("retrieve", names, found)

    async def retrieve_all(self, call: Call, given: RetrieveAll) -> Told:
        memory, names = self._known(), (given.metadata, None)
        found = await _kept("retrieve_all", names, memory.retrieve_all(_owner(call), given.metadata))
        return _told("retrieve_all", names, found)

    async def delete(self, call: Call, given: Retrieve) -> Told:
        memory, names = self._known(), (given.metadata, given.filename)
        existed = await _kept("delete", names, memory.delete(_owner(call), given.metadata, given.filename))
        return _told("delete", names, {"success": True, "existed": existed})

    def _known(self) -> ShortTermMemory:
        if self._memory is None:
            raise EffectFailed("not_available", "There is no short-term memory here.")
        return self._memory


def _owner(call: Call) -> Owner:
    return Owner(call.work.organization_id, call.work.environment_id)


def _entry(operation: str, names: Names) -> dict[str, Any]:
    """The call in the execution log: with the names, without the value."""
    metadata, filename = names
    path = "/".join(metadata if filename is None else [*metadata, filename])
    return {"type": "api", "service": "stm", "operation": operation, "path": path[:MAX_SHOWN]}


def _told(operation: str, names: Names, answer: Any) -> Told:
    return Told(answer, {**_entry(operation, names), "success": True})


async def _kept(operation: str, names: Names, answer: Awaitable[T]) -> T:
    def failed(code: str, error: PulseError) -> EffectFailed:
        told = {**_entry(operation, names), "success": False, "code": code}
        return EffectFailed(code, error.message, retryable=isinstance(error, Unavailable), log=told)

    try:
        return await answer
    except TooLarge as error:
        raise failed("too_large", error) from None
    except InvalidInput as error:
        raise failed("invalid_arguments", error) from None
    except Unavailable as error:
        raise failed("unavailable", error) from None
