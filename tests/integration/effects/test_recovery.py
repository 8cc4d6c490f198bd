"""Whatever a script does at once, and wherever its process ends: it goes the same way again, and repeats no call."""

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulse.core.errors import LeaseLost
from pulse.effects.calls import Call, Effect, EffectFailed
from pulse.effects.deliveries import Deliveries
from pulse.effects.journaled import MessageEffects, NonDeterminism, Past
from pulse.messages.journal import Entry, Journaled
from pulse.sandbox.deno.pool import DenoSandbox
from tests import sandbox_support as support
from tests.integration.effects.scripts import Script, scripts
from tests.unit.effects.messages import Ticking, message

ids = itertools.count(1)
NESTED = Script(
    """await Promise.all(['a', 'b', 'c'].map(async (name) => {
         await ask(name);
         await Promise.all([ask(name + '1'), ask(name + '2').then(() => ask(name + '3'))]);
       }));"""
)


class Arguments(msgspec.Struct, array_like=True, frozen=True):
    name: str


class Ended(LeaseLost):
    """The process ended here."""


@dataclass
class Outside:
    """A server that answers in an order that chance decides, and the journal of one message."""

    chance: random.Random
    ends_at: int | None = None
    entries: dict[int, Entry] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    writes: int = 0
    after: bool = False
    gone: bool = False

    async def call(self, call: Call, given: Arguments) -> str:
        if self.gone:
            # A process that has ended calls nobody.
            raise Ended
        self.calls.append((call.key, given.name))
        for _ in range(self.chance.randrange(40)):
            await checkpoint()
        if given.name.startswith("fail"):
            raise EffectFailed("refused", f"{given.name} is refused.")
        return given.name.upper()

    async def record(self, entry: Entry) -> None:
        await checkpoint()
        self.writes += 1
        ends = self.writes == self.ends_at
        if self.gone or (ends and not self.after):
            self.gone = True
            raise Ended
        self.entries[entry.seq] = entry
        if ends:
            self.gone = True
            raise Ended

    def effects(self) -> MessageEffects:
        effect = Effect("call", "await call(name)", "Asks.", Arguments, self.call)
        past = Past.of(Journaled(b"", tuple(self.entries.values())), None)
        return MessageEffects(message(), {"call": effect}, past, self.record, Ticking())


async def outcome(sandbox: DenoSandbox, script: Script, outside: Outside, of: Any) -> Any:
    """What the script has left, or None where the process ended before."""
    effects = outside.effects()
    try:
        verdict = await support.evaluate(sandbox, script.source, of, effects, job_id=f"job-{next(ids)}")
    except Ended:
        return None
    finally:
        await effects.close()
    return [verdict.status, verdict.error, support.body(verdict).get("result")]


async def ends_alike(sandbox: DenoSandbox, script: Script, seed: int, most: int = 60) -> int:
    """Ends the process before and after every write of the journal, and again in the recovery; how many there are."""
    of = support.tenant()
    whole = Outside(random.Random(seed))
    expected = await outcome(sandbox, script, whole, of)
    for place, after in itertools.product(range(1, min(whole.writes, most) + 1), (False, True)):
        outside = Outside(random.Random(seed), place, after=after)
        assert await outcome(sandbox, script, outside, of) is None
        await recovers(sandbox, script, outside, of, random.Random(seed + 1), ends_at=place)
        last = await recovers(sandbox, script, outside, of, random.Random(seed + 2))
        assert last is not None
        assert last[:2] == expected[:2]
        check_calls(outside)
    return whole.writes


async def recovers(
    sandbox: DenoSandbox, script: Script, outside: Outside, of: Any, chance: random.Random, ends_at: int | None = None
) -> Any:
    """Another process evaluates the message; what is recorded is called no more."""
    recorded = {entry.key for entry in outside.entries.values() if entry.is_answered}
    before = len(outside.calls)
    outside.chance, outside.gone, outside.writes, outside.ends_at = chance, False, 0, ends_at
    found = await outcome(sandbox, script, outside, of)
    assert not recorded & {key for key, _ in outside.calls[before:]}
    return found


def check_calls(outside: Outside) -> None:
    """Each key is one call's, and at most as many times as the process ended in between."""
    names: dict[str, set[str]] = {}
    for key, name in outside.calls:
        names.setdefault(key, set()).add(name)
    assert all(len(found) == 1 for found in names.values()), names
    assert max(Counter(key for key, _ in outside.calls).values(), default=0) <= 3


@pytest.mark.timeout(300)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=scripts, seed=st.integers(0, 1000))
async def test_a_script_is_interrupted_at_every_write(script: Script, seed: int) -> None:
    async with support.running() as sandbox:
        await ends_alike(sandbox, script, seed)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
async def test_nested_concurrency_takes_the_same_way(seed: int) -> None:
    async with support.running() as sandbox:
        assert await ends_alike(sandbox, NESTED, seed) == 24


@pytest.mark.parametrize("seed", range(5))
async def test_a_second_evaluation_hears_everything_in_the_same_order(seed: int) -> None:
    """All is recorded: whatever the server would do now, the script sees what it saw, times and chance included."""
    outside, of = Outside(random.Random(seed)), support.tenant()
    async with support.running() as sandbox:
        first = await outcome(sandbox, NESTED, outside, of)
        outside.chance = random.Random(seed + 100)
        assert await outcome(sandbox, NESTED, outside, of) == first
    assert len(outside.calls) == 12


async def test_without_the_order_of_deliveries_scripts_go_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: answers are handed out as they come."""

    async def at_once(_self: Deliveries, _number: int) -> None:
        return None

    monkeypatch.setattr(Deliveries, "turn", at_once)
    monkeypatch.setattr(MessageEffects, "rest", lambda *_: None)
    of, astray = support.tenant(), 0
    async with support.running() as sandbox:
        for seed in range(10):
            outside = Outside(random.Random(seed), ends_at=14)
            await outcome(sandbox, NESTED, outside, of)
            outside.gone, outside.ends_at, outside.chance = False, None, random.Random(seed + 1)
            try:
                await outcome(sandbox, NESTED, outside, of)
            except NonDeterminism:
                astray += 1
    assert astray > 0
