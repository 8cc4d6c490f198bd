"""A message's effects over a journal in memory that can lose its process at any write."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Repeat
from pulse.effects.journaled import MessageEffects, Past
from pulse.messages.journal import Entry, Journaled
from pulse.messages.records import Work
from pulse.sandbox.port import Answer, Asked, Job, Tenant
from pulse.workflows.plan import WorkflowPlan

NOW = 1_700_000_000_000
PLAN = WorkflowPlan("wf_1@abc", "{}", workflow_id="wf_1", version=3)
JOB = Job("msg_1", Tenant("org_1", "env_1"), (PLAN,), b"{}", NOW, (1, 2, 3, 4))


class One(msgspec.Struct, array_like=True, frozen=True):
    """The arguments of `call`."""

    value: Any = None
    times: int = 1


class Ticking:
    """A clock that goes on by a second each time it is looked at."""

    def __init__(self) -> None:
        self.ms = NOW

    def now_ms(self) -> int:
        self.ms += 1_000
        return self.ms


@dataclass
class World:
    """A server that remembers its calls, and the journal of one message."""

    entries: dict[int, Entry] = field(default_factory=dict)
    written: list[Entry] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    fails: dict[str, EffectFailed] = field(default_factory=dict)
    checked: Any = None

    async def record(self, entry: Entry) -> None:
        self.written.append(entry)
        self.entries[entry.seq] = entry

    async def called(self, call: Call, given: One) -> Any:
        self.calls.append((call.key, given.value))
        if str(given.value) in self.fails:
            raise self.fails[str(given.value)]
        return {"echo": given.value}

    async def asked_about(self, _call: Call, _given: One) -> Any:
        return self.checked

    def effect(self, name: str = "call", **more: Any) -> Effect[One]:
        return Effect(name, f"await {name}(value, times?)", "Echoes.", One, self.called, **more)

    def effects(
        self, *, work: Work | None = None, past: Past | None = None, repeat: Repeat = "retry"
    ) -> MessageEffects:
        """As a process finds them that has just claimed the message."""
        known = Past.of(Journaled(b"", tuple(self.entries.values())), None) if past is None else past
        functions = [self.effect(repeat=repeat, check=self.asked_about), self.effect("look", reads=True)]
        made = MessageEffects(work or message(), {each.name: each for each in functions}, known, self.record, Ticking())
        made.around((("TOKEN", "secret-token"),), {PLAN.id: PLAN.workflow_id})
        return made


def message(message_id: str = "msg_1") -> Work:
    return Work(message_id, "org_1", "env_1", 1, 0, NOW, None, b"{}")


def asked(seq: int, value: Any, function: str = "call") -> Asked:
    return Asked(seq, function, [value], PLAN.id)


async def answer(effects: MessageEffects, seq: int, value: Any, function: str = "call") -> Any:
    """What the script gets; an error as `(code, retryable)`."""
    given: Answer = await effects.call(JOB, asked(seq, value, function))
    decoded = msgspec.json.decode(given.payload)
    return decoded if given.ok else (decoded["code"], decoded["retryable"])
