"""The effects of one message: recorded before they are seen, never called twice once they are, in the same order."""

import asyncio

import msgspec
import pytest
from anyio.lowlevel import checkpoint

from pulse.core import retry
from pulse.core.errors import LeaseLost, Unavailable
from pulse.effects import journaled
from pulse.effects.calls import EffectFailed
from pulse.effects.journaled import EffectUncertain, MessageEffects, NonDeterminism, Past
from pulse.messages.journal import Entry, Journaled
from tests.unit.effects.messages import JOB, NOW, World, answer, asked, message


async def test_the_intent_is_recorded_before_the_call_and_the_answer_before_it_is_seen() -> None:
    world = World()
    assert await answer(world.effects(), 1, "a") == {"echo": "a"}
    assert [(entry.state, entry.delivery) for entry in world.written] == [("intent", 0), ("done", 1)]
    assert world.calls == [("msg_1:wf_1:1", "a")]


async def test_what_is_recorded_is_not_called_again() -> None:
    world = World()
    first = await world.effects().call(JOB, asked(1, "a"))
    assert await world.effects().call(JOB, asked(1, "a")) == first
    assert len(world.calls) == 1
    assert first.at == NOW + 1_000


async def test_neither_is_a_failure() -> None:
    world = World(fails={"bad": EffectFailed("refused", "No.", retryable=True, log={"service": "x"})})
    for _ in range(2):
        effects = world.effects()
        assert await answer(effects, 1, "bad") == ("refused", True)
    assert len(world.calls) == 1
    assert world.entries[1].log == b'{"service":"x"}'


async def test_a_function_that_only_reads_leaves_no_intent() -> None:
    world = World()
    await answer(world.effects(), 1, "a", "look")
    assert [entry.state for entry in world.written] == ["done"]


async def test_a_call_that_was_cut_off_is_repeated_with_the_same_key() -> None:
    world = World()
    effects = world.effects()
    await answer(effects, 1, "a")
    world.entries[1] = world.written[0]
    assert await answer(world.effects(), 1, "a") == {"echo": "a"}
    assert world.calls == [("msg_1:wf_1:1", "a")] * 2


async def test_or_asked_about_first() -> None:
    world = World(checked={"found": True})
    await answer(world.effects(), 1, "a")
    world.entries[1] = world.written[0]
    assert await answer(world.effects(repeat="check"), 1, "a") == {"found": True}
    assert len(world.calls) == 1
    world.entries[1], world.checked = world.written[0], None
    assert await answer(world.effects(repeat="check"), 1, "a") == {"echo": "a"}


async def test_or_left_to_a_person() -> None:
    world = World()
    await answer(world.effects(), 1, "a")
    world.entries[1] = world.written[0]
    with pytest.raises(EffectUncertain, match="call was called, and Pulse ended"):
        await answer(world.effects(repeat="manual"), 1, "a")
    assert len(world.calls) == 1


@pytest.mark.parametrize(("value", "function"), [("b", "call"), ("a", "look")])
async def test_another_call_in_its_place_is_an_error_that_names_both(value: str, function: str) -> None:
    world = World()
    await answer(world.effects(), 1, "a")
    with pytest.raises(NonDeterminism) as raised:
        await answer(world.effects(), 1, value, function)
    assert 'was call("a") before' in raised.value.message
    assert f'{function}("{value}") now' in raised.value.message


async def test_a_call_that_is_not_asked_for_again_is_an_error() -> None:
    world = World()
    first = world.effects()
    await answer(first, 1, "a")
    await answer(first, 2, "b")
    again = world.effects()
    again.rest({1})
    await answer(again, 1, "a")
    with pytest.raises(NonDeterminism, match='this came next: call\\("b"\\)'):
        again.rest({3})


async def test_values_of_variables_are_neither_kept_nor_compared() -> None:
    world = World()
    await answer(world.effects(), 1, {"authorization": "Bearer secret-token"})
    assert b"secret-token" not in b"".join(entry.arguments for entry in world.written)
    changed = world.effects()
    changed.around((("TOKEN", "another-one"),), {})
    assert await answer(changed, 1, {"authorization": "Bearer another-one"}) == {
        "echo": {"authorization": "Bearer secret-token"}
    }


async def test_an_effect_goes_on_when_its_evaluation_is_cut_short() -> None:
    world, go_on = World(), asyncio.Event()
    effects = world.effects()

    async def slow(entry: Entry) -> None:
        await World.record(world, entry)
        if entry.state == "intent":
            await go_on.wait()

    effects._record = slow
    effects.begin()
    first = asyncio.create_task(effects.call(JOB, asked(1, "a")))
    await checkpoint()
    await checkpoint()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    effects.begin()
    second = asyncio.create_task(effects.call(JOB, asked(1, "a")))
    await checkpoint()
    go_on.set()
    assert (await second).ok
    assert len(world.calls) == 1


async def test_32_at_once() -> None:
    world, at_once, most = World(), 0, 0

    async def counted(entry: Entry) -> None:
        nonlocal at_once, most
        at_once += 1 if entry.state == "intent" else -1
        most = max(most, at_once)
        await checkpoint()
        await World.record(world, entry)

    effects = world.effects()
    effects._record = counted
    await asyncio.gather(*(effects.call(JOB, asked(seq, seq)) for seq in range(1, 101)))
    assert most == journaled.AT_ONCE == 32
    assert [value for _, value in world.calls] == list(range(1, 101))


async def test_the_database_may_be_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "RETRY_S", 0)
    world, away = World(), [Unavailable(), Unavailable()]

    async def record(entry: Entry) -> None:
        if away:
            raise away.pop()
        await World.record(world, entry)

    effects = world.effects()
    effects._record = record
    assert await answer(effects, 1, "a") == {"echo": "a"}


async def test_a_lost_lease_ends_everything() -> None:
    world = World()

    async def refuse(_entry: Entry) -> None:
        raise LeaseLost

    effects = world.effects()
    effects._record = refuse
    with pytest.raises(LeaseLost):
        await answer(effects, 1, "a")
    assert world.calls == []


async def test_a_large_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journaled, "MAX_ANSWER", 100)
    assert await answer(World().effects(), 1, "x" * 100) == ("answer_too_large", False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["a", "b"], "times: Expected `int`, got `str`."), (["a", None], "times: Expected `int`, got `null`.")],
)
async def test_arguments_are_checked(arguments: list[object], words: str) -> None:
    effects = World().effects()
    given = asked(1, "a")
    told = await effects.call(JOB, msgspec.structs.replace(given, arguments=arguments))
    error = msgspec.json.decode(told.payload)
    assert (error["code"], error["message"]) == (
        "invalid_arguments",
        f"{words} Call it as await call(value, times?).",
    )


async def test_a_function_that_is_not_there() -> None:
    assert await answer(World().effects(), 1, "a", "nothing") == ("not_available", False)


# ---- effects that are taken over ---------------------------------------------------------------------------------


def taken_over(world: World) -> MessageEffects:
    """The effects of a replay that reuses those of msg_1."""
    past = Past.of(None, Journaled(b"", tuple(world.entries.values())))
    return world.effects(work=message("msg_2"), past=past)


async def test_a_replay_takes_over_what_was_done_and_tries_again_what_failed() -> None:
    world = World(fails={"b": EffectFailed("refused", "No.")})
    first = world.effects()
    await answer(first, 1, "a")
    await answer(first, 2, "b")
    world.fails.clear()
    again = taken_over(world)
    again.rest({1})
    assert await answer(again, 1, "a") == {"echo": "a"}
    before = again.is_journaled
    again.rest({2})
    assert await answer(again, 2, "b") == {"echo": "b"}
    assert (before, again.is_journaled) == (False, True)
    assert world.calls == [("msg_1:wf_1:1", "a"), ("msg_1:wf_1:2", "b"), ("msg_2:wf_1:2", "b")]


async def test_what_was_cut_off_is_repeated_with_the_old_key() -> None:
    world = World()
    await answer(world.effects(), 1, "a")
    world.entries[1] = world.written[0]
    assert await answer(taken_over(world), 1, "a") == {"echo": "a"}
    assert world.calls == [("msg_1:wf_1:1", "a")] * 2


async def test_where_the_scripts_go_another_way_they_start_anew() -> None:
    world = World()
    first = world.effects()
    for seq, value in enumerate("abc", 1):
        await answer(first, seq, value)
    again = taken_over(world)
    again.rest({1})
    assert await answer(again, 1, "a") == {"echo": "a"}
    again.rest({2})
    assert await answer(again, 2, "other") == {"echo": "other"}
    again.rest(set())
    assert world.calls[3:] == [("msg_2:wf_1:2", "other")]
