"""Group commit: many coroutines share one transaction, and each is answered after that transaction is durable.

A caller hands over a *verb* (a store's set-based write: a connection and a list of items in, one answer an item out)
and one item; `Database.transact` says where verbs run. Whatever arrives while a transaction is being committed waits
for the next one, so the batch grows with the load by itself and a lone caller waits for nobody. Items of one verb go
into one call, so that a thousand rows cost one statement.

On PostgreSQL several transactions may be under way at once (`lanes`), as other processes might have some: while the
server works on one, the next is prepared. SQLite has one writer, and one lane.

Locks that verbs need against other processes (storage/locks.py) come with the items. A transaction takes those of all
its items before anything else. An item whose lock is not free goes into another transaction, which waits for it beside
the others: a process that stands still, and keeps a lock, holds up nobody who does not need that one.

A transaction that fails because of a row is bisected: the halves are tried apart, until the row at fault stands alone
and its caller alone gets the error. A transaction that fails because of the database (full, read-only, gone) fails for
all who were in it: nothing of it was stored.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from pulse.core.errors import Unavailable
from pulse.storage.database import Database
from pulse.storage.locks import take_locks, try_locks

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Verb = Callable[[Connection, Sequence[Item]], Sequence[Answer]]
MAX_BATCH = 512
MAX_WAITING = 20_000
CUT_OFF = "The write was cut off: it is not known whether it was stored."


@dataclass(eq=False)
class _Entry:
    verb: Verb[Any, Any]
    item: Any
    committed: Callable[[Any], None] | None = None
    locks: Sequence[int] = ()
    answered: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Committer:
    """Shares transactions on `database` between coroutines. At most `max_batch` items go into one."""

    def __init__(
        self,
        database: Database,
        *,
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
        lanes: int = 1,
    ) -> None:
        self._database = database
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[_Entry] = []
        # Those whose locks were not free.
        self._held_up: list[_Entry] = []
        self._patient: asyncio.Task[None] | None = None
        self._lanes = lanes if database.dialect == "postgresql" else 1
        self._pumps: set[asyncio.Task[None]] = set()

    async def write(
        self,
        verb: Verb[Item, Answer],
        item: Item,
        committed: Callable[[Answer], None] | None = None,
        locks: Sequence[int] = (),
    ) -> Answer:
        """The verb's answer for `item`, after the commit. Raises Unavailable when too much waits already.

        `committed` is called with the answer once it is durable, even where the caller has gone meanwhile. `locks` are
        the numbers of the locks that the transaction holds for this item.
        """
        if len(self._waiting) + len(self._held_up) >= self._max_waiting:
            raise Unavailable("Too many writes are waiting for the database. Try again shortly.")
        entry = _Entry(verb, item, committed, locks)
        self._waiting.append(entry)
        if len(self._pumps) < self._lanes:
            self._pumps.add(_task(self._run(), "committer"))
        return cast(Answer, await entry.answered)

    async def drain(self) -> None:
        """Returns when everything that was handed over has been answered."""
        while tasks := [*self._pumps, *filter(None, [self._patient])]:
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        batch: list[_Entry] = []
        try:
            while self._waiting:
                batch = self._waiting[: self._max_batch]
                del self._waiting[: self._max_batch]
                await self._commit(batch)
                # Whoever is held up waits elsewhere now.
                batch = []
        finally:
            self._leave(batch)

    def _hold_up(self, entries: list[_Entry]) -> None:
        self._held_up += entries
        if entries and self._patient is None:
            self._patient = _task(self._wait_for_locks(), "committer-locks")

    async def _wait_for_locks(self) -> None:
        batch: list[_Entry] = []
        try:
            while self._held_up:
                batch = self._held_up[: self._max_batch]
                del self._held_up[: self._max_batch]
                await self._commit(batch, waits=True)
                batch = []
        finally:
            self._patient = None
            _fail([*batch, *self._held_up], Unavailable(CUT_OFF))
            self._held_up.clear()

    def _leave(self, batch: list[_Entry]) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._pumps.discard(task)
        # Only where this task was cancelled is anybody left: nobody waits for an answer that never comes.
        left = batch if self._pumps else [*batch, *self._waiting]
        _fail(left, Unavailable(CUT_OFF))
        if not self._pumps:
            self._waiting.clear()

    async def _commit(self, batch: list[_Entry], *, waits: bool = False) -> None:
        """`waits`: for locks that others hold; without that, whoever needs one is held up."""
        batch = [entry for entry in batch if not entry.answered.cancelled()]
        if not batch:
            return
        try:
            answers = await self._in_one_transaction(batch, waits=waits)
        except Unavailable as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - whose fault it is, bisecting finds out
            await self._bisect(batch, error, waits=waits)
        else:
            self._hold_up([entry for entry in batch if entry not in answers])
            for entry, answer in answers.items():
                if entry.committed is not None:
                    entry.committed(answer)
                if not entry.answered.done():
                    entry.answered.set_result(answer)

    async def _bisect(self, batch: list[_Entry], error: Exception, *, waits: bool) -> None:
        if len(batch) == 1:
            _fail(batch, error)
            return
        middle = len(batch) // 2
        await self._commit(batch[:middle], waits=waits)
        await self._commit(batch[middle:], waits=waits)

    async def _in_one_transaction(self, batch: list[_Entry], *, waits: bool) -> dict[_Entry, Any]:
        return await self._database.transact(partial(_apply, batch, waits=waits))


def _task(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """A task that serves everybody: nothing of the context of whoever happens to start it goes with it."""
    return asyncio.create_task(work, name=name, context=Context())


def _apply(batch: list[_Entry], connection: Connection, *, waits: bool) -> dict[_Entry, Any]:
    """Each entry's answer; of those whose locks are not free, none."""
    answers: dict[_Entry, Any] = {}
    for verb, entries in _by_verb(_with_locks(batch, connection, waits=waits)):
        found = verb(connection, [entry.item for entry in entries])
        answers.update(zip(entries, found, strict=True))
    return answers


def _with_locks(batch: list[_Entry], connection: Connection, *, waits: bool) -> list[_Entry]:
    """Those of the entries whose locks this transaction holds now."""
    wanted = {number for entry in batch for number in entry.locks}
    if waits:
        take_locks(connection, wanted)
        return batch
    taken = try_locks(connection, wanted)
    return batch if len(taken) == len(wanted) else [entry for entry in batch if taken.issuperset(entry.locks)]


def _by_verb(batch: list[_Entry]) -> list[tuple[Verb[Any, Any], list[_Entry]]]:
    groups: dict[Verb[Any, Any], list[_Entry]] = {}
    for entry in batch:
        groups.setdefault(entry.verb, []).append(entry)
    return list(groups.items())


def _fail(batch: list[_Entry], error: Exception) -> None:
    for entry in batch:
        if not entry.answered.done():
            entry.answered.set_exception(error)
