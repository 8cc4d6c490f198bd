"""All effects of an installation, and each message's way to them."""

from collections.abc import Callable, Iterable
from typing import Any

from pulse.core.clock import Clock
from pulse.effects.calls import Effect
from pulse.effects.journaled import NO_PAST, MessageEffects, Past
from pulse.messages.journal import Entry, Journal, Note
from pulse.messages.records import Work


class ScriptEffects:
    """The effects by name. Without a journal nothing is recorded: for test runs, whose messages are nowhere."""

    def __init__(self, effects: Iterable[Effect[Any]], clock: Clock, journal: Journal | None = None) -> None:
        self._effects = {effect.name: effect for effect in effects}
        self._clock = clock
        self._journal = journal

    async def for_message(self, work: Work) -> "tuple[MessageEffects, Header]":
        """The effects of a claimed message, and what its first evaluation began with."""
        if self._journal is None or (work.epoch == 1 and work.reuses is None):
            header = Header(work, self._journal, None)
            return MessageEffects(work, self._effects, NO_PAST, header.record, self._clock), header
        own = await self._journal.of(work.organization_id, work.id)
        origin = await self._journal.inherited(work.organization_id, work.reuses)
        header = Header(work, self._journal, own.header if own is not None else None)
        return MessageEffects(work, self._effects, Past.of(own, origin), header.record, self._clock), header

    def unrecorded(self, work: Work) -> MessageEffects:
        """The effects of a message that is nowhere."""
        return MessageEffects(work, self._effects, NO_PAST, _nowhere, self._clock)


class Header:
    """What a message's first evaluation began with: `found`, where it is recorded; `made` makes it, with an effect."""

    def __init__(self, work: Work, journal: Journal | None, found: bytes | None) -> None:
        self._work = work
        self._journal = journal
        self.found = found
        self.made: Callable[[], bytes] = bytes

    async def record(self, entry: Entry) -> None:
        """Records an effect of the message; with the first one, the header. Raises LeaseLost, Unavailable."""
        if self._journal is None:
            return
        work, header = self._work, None if self.found is not None else self.made()
        await self._journal.record(Note(work.id, work.organization_id, work.epoch, entry, header))
        self.found = self.found or header


async def _nowhere(_entry: Entry) -> None:
    return None
