"""A process of the platform in a test's event loop, which the test ends, or holds up between two states of an effect.

It has everything of its own, as a process has: connections, an owner, a sandbox, what it keeps in memory.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pulse.consumer.consumer import Consumer
from pulse.core.errors import LeaseLost
from pulse.effects.calls import Call, Effect, Repeat
from pulse.effects.world.sub_workflows import SubWorkflows
from pulse.messages.journal import Journal, Note
from pulse.messages.links import Links
from pulse.messages.outcomes import Outcomes
from pulse.messages.records import Outcome
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.workflows.catalog import Catalog
from tests.contract.messages.office import Office
from tests.integration.consumer.workshop import PATIENCE_S, eventually

# What becomes of an effect, in this order; ENDED and STORED are about the message.
ASKED, INTENT, CALLED, HEARD, RECORDED = "asked", "intent recorded", "called", "answer heard", "answer recorded"
ENDED, STORED = "scripts ended", "outcome stored"


class Asked(msgspec.Struct, array_like=True, frozen=True):
    """The arguments of `call`."""

    what: str
    more: Any = None


@dataclass
class Peer:
    """Somebody else's server, which remembers every call by its key, in order; `by` is the process that made it."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)

    def keys_of(self, what: str) -> list[str]:
        return [key for key, asked in self.calls if asked == what]

    def said_of(self, order: str) -> list[tuple[str, str]]:
        """What was asked about an order, with the keys."""
        return [(key, asked) for key, asked in self.calls if asked.endswith(f" {order}")]

    def answer(self, what: str) -> dict[str, str]:
        return {"receipt": f"receipt for {what}"}


@dataclass
class Gate:
    """Holds a process up when effect `seq` has come to `state` (for ENDED and STORED: whichever)."""

    at: tuple[str, int] | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self, state: str, seq: int = 0) -> None:
        if self.at is not None and self.at[0] == state and seq in (0, self.at[1]):
            self.reached.set()
            await self.opened.wait()


@dataclass
class Refusals:
    """What a process was refused because it holds the message no more."""

    journal: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)


class WatchedJournal(Journal):
    """The journal, with the gate before and after each write."""

    gate: Gate
    refusals: Refusals

    async def record(self, note: Note) -> None:
        entry = note.entry
        await self.gate.come(HEARD if entry.is_answered else ASKED, entry.seq)
        try:
            await super().record(note)
        except LeaseLost:
            self.refusals.journal.append(entry.seq)
            raise
        await self.gate.come(RECORDED if entry.is_answered else INTENT, entry.seq)


class WatchedOutcomes(Outcomes):
    """The outcomes, with the gate before and after each."""

    gate: Gate
    refusals: Refusals

    async def store(self, outcome: Outcome) -> bool:
        await self.gate.come(ENDED)
        stored = await super().store(outcome)
        if not stored:
            self.refusals.outcomes.append(outcome.id)
        await self.gate.come(STORED)
        return stored


@dataclass(frozen=True)
class Manner:
    """How `call` is to be repeated where it was cut off, or whether it only reads."""

    repeat: Repeat = "retry"
    reads: bool = False


@dataclass
class Process:
    """One process. `stop` is its regular end; `end` is as kill -9 does it: nothing is handed back."""

    name: str
    office: Office
    peer: Peer
    gate: Gate
    manner: Manner
    sandbox: DenoSandbox
    consumer: Consumer = field(init=False)
    catalog: Catalog = field(init=False)
    refusals: Refusals = field(default_factory=Refusals)

    def effects(self) -> list[Effect[Any]]:
        office, manner = self.office, self.manner
        links = Links(office.database, office.tables)
        children = SubWorkflows(self.catalog, links, office.intake, office.clock, max_message_bytes=100_000)
        ask = Effect(
            "call",
            "await call(what, more?)",
            "Asks the peer.",
            Asked,
            self.call,
            repeat=manner.repeat,
            reads=manner.reads,
            check=self.check,
        )
        return [ask, *children.effects()]

    async def call(self, call: Call, given: Asked) -> dict[str, str]:
        if self.manner.reads:
            await self.gate.come(ASKED, call.seq)
        self.peer.calls.append((call.key, given.what))
        self.peer.by.append(self.name)
        try:
            await self.gate.come(CALLED, call.seq)
        except asyncio.CancelledError:
            self.peer.cut_off.append(call.key)
            raise
        return self.peer.answer(given.what)

    async def check(self, call: Call, given: Asked) -> dict[str, str] | None:
        self.peer.checks.append(call.key)
        return self.peer.answer(given.what) if call.key in self.peer.keys_of(given.what) else None

    async def stands(self) -> None:
        """Returns when it has come to its gate."""
        async with asyncio.timeout(PATIENCE_S):
            await self.gate.reached.wait()

    async def rests(self) -> None:
        """Returns when it evaluates nothing any more."""

        async def idle() -> bool:
            return self.consumer.in_flight == 0

        await eventually(idle)

    async def end(self) -> None:
        await self.consumer.lease_lost()
        await self.stop()

    async def stop(self) -> None:
        await self.consumer.stop()
        await self.sandbox.stop()
        await self.office.committer.drain()
