"""The effects of one message: asked of the journal first, executed once, recorded before the scripts see what came.

An effect runs on when the evaluation that asked for it is cut short (its sandbox process died, say); the next one asks
for the same and gets its answer. One that was cut off with the whole process has an intent in the journal and no
answer: its function says what is to be done about that.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import msgspec
import structlog

from pulse.core.clock import Clock
from pulse.core.errors import PulseError, Unavailable
from pulse.core.redaction import Redaction
from pulse.core.retry import once_available
from pulse.effects.calls import Call, Effect, EffectFailed, Family, Told
from pulse.effects.deliveries import Deliveries
from pulse.effects.hiding import hidden
from pulse.messages.journal import Entry, EntryState, Journaled
from pulse.messages.records import NewMessage, Work
from pulse.sandbox.port import Answer, Asked, Job

log = structlog.get_logger(__name__)
AT_ONCE = 32
MAX_ANSWER = 2 * 1024 * 1024
# What all answers of a message may have together: they are kept as long as it is evaluated.
MAX_ANSWERS = 64 * 1024 * 1024
MAX_SHOWN = 2_000
Record = Callable[[Entry], Awaitable[None]]


class NonDeterminism(PulseError):
    """This message's scripts did not ask for the same things again as before they were interrupted."""

    code = "non_deterministic"


class EffectUncertain(PulseError):
    """A call was cut off before its answer was recorded: nobody knows whether it took place."""

    code = "effect_uncertain"


@dataclass(frozen=True)
class Past:
    """What is recorded of a message: its own journal, or that of the message whose effects it takes over.

    What is `taken_over` is used as far as it fits: where the scripts ask for something else, it is forgotten.
    """

    entries: Mapping[int, Entry] = field(default_factory=dict)
    taken_over: frozenset[int] = frozenset()

    @classmethod
    def of(cls, own: Journaled | None, origin: Journaled | None) -> "Past":
        """A failure is not taken over: what failed is tried again."""
        old = {entry.seq: entry for entry in (origin.entries if origin else ()) if entry.state != "failed"}
        mine = {entry.seq: entry for entry in (own.entries if own else ())}
        return cls({**old, **mine}, frozenset(old.keys() - mine.keys()))


NO_PAST = Past()


class MessageEffects:
    """The effects of one message; implements the sandbox's `Effects`."""

    def __init__(
        self, work: Work, effects: Mapping[str, Effect[Any]], past: Past, record: Record, clock: Clock
    ) -> None:
        self._work = work
        self._effects = effects
        self._record = record
        self._clock = clock
        self._entries = dict(past.entries)
        self._taken_over = set(past.taken_over)
        self._deliveries = Deliveries({each.delivery: each.seq for each in past.entries.values() if each.is_answered})
        self._running: dict[int, asyncio.Task[Entry]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._family = Family()
        self._variables: Mapping[str, str] = {}
        self._workflows: Mapping[str, str] = {}

    def around(self, variables: Sequence[tuple[str, str]], workflows: Mapping[str, str]) -> None:
        """What is in force for the message: its variables, and the workflow of each plan by the plan's id."""
        self._variables = dict(variables)
        self._workflows = workflows

    @property
    def children(self) -> tuple[NewMessage, ...]:
        return tuple(self._family.children.values())

    @property
    def is_journaled(self) -> bool:
        """Whether anything is recorded under the message's own id."""
        return len(self._entries) > len(self._taken_over)

    async def close(self) -> None:
        """The message has ended, or is given back: what runs of it is cut off."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # ---- the sandbox's Effects -------------------------------------------------------------------------------

    def begin(self) -> None:
        self._family = Family()
        self._deliveries.begin()

    def rest(self, waiting: AbstractSet[int]) -> None:
        while (following := self._deliveries.next) is not None and following[1] not in waiting:
            number, seq = following
            if seq not in self._taken_over:
                before = _shown(self._entries[seq]) if seq in self._entries else f"effect {seq}"
                raise NonDeterminism(f"Before, this came next: {before}. Now it was not asked for.")
            self._forget(seq, number)

    async def call(self, job: Job, asked: Asked) -> Answer:
        effect = self._effects.get(asked.function)
        if effect is None:
            words = f"{asked.function} is not available here."
            return _answer(_failed(asked.function, EffectFailed("not_available", words)))
        entry = await self._entry_of(effect, asked)
        if effect.leave is not None and entry.state == "done":
            await effect.leave(self._call_of(entry), effect.read(asked.arguments))
        await self._deliveries.turn(entry.delivery)
        return Answer(entry.state == "done", entry.answer, entry.at, entry.log)

    # ---- one effect ------------------------------------------------------------------------------------------

    async def _entry_of(self, effect: Effect[Any], asked: Asked) -> Entry:
        known = self._known(effect, asked)
        if known is not None and known.is_answered:
            return known
        if asked.seq not in self._running:
            self._running[asked.seq] = asyncio.create_task(self._do(effect, asked, known))
        return await asyncio.shield(self._running[asked.seq])

    def _known(self, effect: Effect[Any], asked: Asked) -> Entry | None:
        """What is recorded under the number. Raises NonDeterminism where it is something else."""
        known = self._entries.get(asked.seq)
        if known is None:
            return None
        now = self._intent(effect, asked)
        if (known.function, known.digest) == (now.function, now.digest):
            return known
        if asked.seq in self._taken_over:
            # From here on the scripts go another way.
            for seq in [seq for seq in self._taken_over if seq >= asked.seq]:
                self._forget(seq, self._entries[seq].delivery)
            return None
        raise NonDeterminism(f"Effect {asked.seq} was {_shown(known)} before, and is {_shown(now)} now.")

    def _forget(self, seq: int, number: int) -> None:
        """What was taken over is of no use to this message."""
        del self._entries[seq]
        self._taken_over.discard(seq)
        self._deliveries.drop(number)

    async def _do(self, effect: Effect[Any], asked: Asked, cut_off: Entry | None) -> Entry:
        async with self._room:
            entry, taken_over = cut_off or self._intent(effect, asked), asked.seq in self._taken_over
            # Whoever replays what was left to a person has looked whether it took place.
            was_cut_off = cut_off is not None and not (taken_over and effect.repeat == "manual")
            if not effect.reads and (cut_off is None or taken_over):
                await self._durably(entry)
            answered = await self._outcome(effect, asked, entry, was_cut_off=was_cut_off)
            answered = msgspec.structs.replace(answered, delivery=self._deliveries.number(asked.seq), at=self._now())
            await self._durably(answered)
        del self._running[asked.seq]
        return answered

    async def _outcome(self, effect: Effect[Any], asked: Asked, entry: Entry, *, was_cut_off: bool) -> Entry:
        """The entry with its answer."""
        try:
            given = effect.read(asked.arguments)
            value = await _executed(effect, self._call_of(entry), given, was_cut_off=was_cut_off)
            return self._without_secrets(_done(entry, value, self._left()))
        except EffectFailed as error:
            state, answer, told = _failed(effect.name, error)
        except EffectUncertain:
            raise
        except PulseError as error:
            state, answer, told = _failed(effect.name, EffectFailed(error.code, error.message))
        except Exception:
            log.exception("effect_failed", message=self._work.id, function=effect.name)
            words = f"{effect.name} failed for a reason of Pulse's own."
            state, answer, told = _failed(effect.name, EffectFailed("internal_error", words))
        return self._without_secrets(msgspec.structs.replace(entry, state=state, answer=answer, log=told))

    def _without_secrets(self, entry: Entry) -> Entry:
        """What people may see of an entry, its error and its place in the log, without the values of variables."""
        if not self._variables:
            return entry
        answer = entry.answer if entry.state == "done" else self._hidden(entry.answer)
        return msgspec.structs.replace(entry, answer=answer, log=self._hidden(entry.log))

    def _hidden(self, text: bytes) -> bytes:
        return text and msgspec.json.encode(self._redaction.clean(msgspec.json.decode(text)))

    async def _durably(self, entry: Entry) -> None:
        """Records it, as soon as the database is there. Raises LeaseLost."""

        def put_off(error: Unavailable) -> None:
            log.warning("effect_not_recorded_yet", message=self._work.id, reason=error.message)

        await once_available(partial(self._record, entry), put_off)
        self._entries[entry.seq] = entry
        self._taken_over.discard(entry.seq)

    def _call_of(self, entry: Entry) -> Call:
        return Call(self._work, entry.seq, entry.key, self._family, self._variables)

    def _intent(self, effect: Effect[Any], asked: Asked) -> Entry:
        workflow, arguments = self._workflows.get(asked.plan, asked.plan), self._clean(effect, asked)
        return Entry(
            seq=asked.seq,
            function=asked.function,
            digest=hashlib.sha256(asked.function.encode() + b"\0" + arguments).digest(),
            arguments=arguments[:MAX_SHOWN],
            key=f"{self._work.id}:{workflow}:{asked.seq}",
        )

    def _clean(self, effect: Effect[Any], asked: Asked) -> bytes:
        """The arguments as JSON, without what is secret: that may change, and nobody is to read it here."""
        shown = hidden(asked.arguments, effect.secrets)
        return msgspec.json.encode(self._redaction.clean(shown) if self._variables else shown)

    @cached_property
    def _redaction(self) -> Redaction:
        return Redaction(self._variables.values())

    def _left(self) -> int:
        """How many bytes further answers may have."""
        return max(0, MAX_ANSWERS - sum(len(entry.answer) for entry in self._entries.values()))

    def _now(self) -> int:
        return self._clock.now_ms()


async def _executed(effect: Effect[Any], call: Call, given: Any, *, was_cut_off: bool) -> Any:
    if was_cut_off and effect.repeat == "manual":
        words = f"{effect.name} was called, and Pulse ended before its answer was recorded"
        raise EffectUncertain(f"{words}: look there whether it took place, then replay this message.")
    if was_cut_off and effect.repeat == "check" and effect.check is not None:
        found = await effect.check(call, given)
        if found is not None:
            return found
    return await effect.call(call, given)


def _done(entry: Entry, value: Any, left: int) -> Entry:
    told = value.log if isinstance(value, Told) else None
    answer = msgspec.json.encode(value.value if isinstance(value, Told) else value)
    if len(answer) > min(left, MAX_ANSWER):
        words = (
            f"The answer has {len(answer)} bytes, and {min(left, MAX_ANSWER)} is the most that this script is given."
        )
        raise EffectFailed("answer_too_large", words, log=told)
    return msgspec.structs.replace(entry, state="done", answer=answer, log=_log(told))


def _failed(name: str, error: EffectFailed) -> tuple[EntryState, bytes, bytes]:
    told = {"code": error.effect_code, "message": error.message, "effect": name, "retryable": error.retryable}
    return "failed", msgspec.json.encode(told), _log(error.log)


def _answer(failed: tuple[EntryState, bytes, bytes]) -> Answer:
    return Answer(ok=False, payload=failed[1], log=failed[2])


def _log(told: Mapping[str, Any] | None) -> bytes:
    return b"" if told is None else msgspec.json.encode(told)


def _shown(entry: Entry) -> str:
    arguments = entry.arguments.decode(errors="ignore")[1:-1]
    return f"{entry.function}({arguments[:200]}{'…' if len(arguments) > 200 else ''})"
