"""Effects: many at once, in any order, limited, waited for, and failing in a way that scripts can handle."""

import asyncio
import json
from collections.abc import Set as AbstractSet
from typing import Any

import pytest

from pulse.core.errors import LeaseLost
from pulse.sandbox.port import Answer, Asked, Job
from tests import sandbox_support as support
from tests.sandbox_support import Echo, Held, body, ending, evaluate, failed, ok, plan, result, running, tenant


async def test_many_messages_wait_in_one_process_and_are_answered_in_any_order() -> None:
    effects, of = Held(), tenant()
    async with running() as sandbox:
        script = "const first = await call(n); ___result___ = [n, first, await other(first + 1)]"
        tasks = [
            asyncio.create_task(evaluate(sandbox, script, of, effects, message=json.dumps({"n": n}).encode()))
            for n in range(64)
        ]
        for call in reversed(await effects.next(64)):
            effects.answer(call, ok(call.arguments[0] * 10))
        for call in reversed(await effects.next(64)):
            assert (call.function, call.seq) == ("other", 2)
            effects.answer(call, ok(call.arguments[0]))
        assert [result(await task) for task in tasks] == [[n, n * 10, n * 10 + 1] for n in range(64)]
        assert len(sandbox.pids(of)) == 1


async def test_a_thousand_effects_and_no_more() -> None:
    effects = Echo()
    script = """
        let sum = 0; for (let i = 0; i < 1000; i++) sum += await call(1);
        try { await call(1) } catch (error) { ___result___ = [sum, error.name, error instanceof RangeError] }"""
    async with running() as sandbox:
        assert result(await evaluate(sandbox, script, tenant(), effects)) == [1000, "LimitError", True]
    assert [call.seq for call in effects.calls] == list(range(1, 1001))


async def test_scripts_get_one_answer_at_a_time_in_the_order_in_which_calls_return() -> None:
    """Between two answers they run as far as they can: what they ask for next comes before the next answer."""
    effects = Held()
    script = """
        const order = [];
        const chain = async (name) => { await call(name); order.push(name); for (let i = 0; i < 50; i++) await null;
                                        order.push(await call(name + ' again')); };
        await Promise.all(['a', 'b', 'c'].map(chain)); ___result___ = order"""
    async with running() as sandbox:
        task = asyncio.create_task(evaluate(sandbox, script, tenant(), effects))
        first = await effects.next(3)
        for call in reversed(first):
            effects.answer(call, ok(None))
        again = await effects.next(3)
        for call in again:
            effects.answer(call, ok(call.arguments[0]))
        assert result(await task) == ["c", "b", "a", "c again", "b again", "a again"]
    assert [call.seq for call in again] == [4, 5, 6]


class Refuses(Echo):
    """Lets nothing go on after the first effect."""

    def __init__(self, *, at_rest: bool) -> None:
        super().__init__()
        self._at_rest = at_rest

    def rest(self, waiting: AbstractSet[int]) -> None:
        if self._at_rest and 1 in waiting:
            raise LeaseLost

    async def call(self, job: Job, asked: Asked) -> Answer:
        if not self._at_rest:
            raise LeaseLost
        return await super().call(job, asked)


@pytest.mark.parametrize("at_rest", [True, False])
async def test_an_effect_can_end_the_evaluation(at_rest: bool) -> None:
    of = tenant()
    async with running() as sandbox:
        with pytest.raises(LeaseLost):
            await evaluate(sandbox, "await call(1); ___result___ = 1", of, Refuses(at_rest=at_rest))
        assert result(await evaluate(sandbox, "___result___ = 'goes on'", of)) == "goes on"


async def test_an_answer_can_say_what_the_log_tells_of_it() -> None:
    told = Answer(ok=True, payload=b"1", at=1_700_000_001_000, log=b'{"type":"api","service":"http"}')
    script = "await call(1); ___result___ = Date.now()"
    async with running() as sandbox:
        verdict = await evaluate(sandbox, script, tenant(), Fails(told))
    [entry] = [entry for entry in body(verdict)["log"] if entry["type"] == "api"]
    assert (entry["service"], entry["entityType"]) == ("http", "Event")
    assert result(verdict) == told.at


async def test_an_effect_that_nobody_waits_for_is_waited_for() -> None:
    effects = Held()
    script = "call('one').then((x) => { late = x; return call('two') }).then((x) => { later = x; print('end') })"
    async with running() as sandbox:
        task = asyncio.create_task(evaluate(sandbox, script, tenant(), effects))
        for _ in range(2):
            [call] = await effects.next(1)
            effects.answer(call, ok(call.arguments[0]))
        verdict = await task
    assert body(verdict)["globals"] == {"late": "one", "later": "two"}
    assert support.prints(verdict) == [["end"]]


async def test_a_failed_effect_says_why() -> None:
    script = """
        try { await call(1) } catch (e) {
          ___result___ = [e.name, e.message, e.code, e.retryable, e.effect, e instanceof Error]
        }"""
    effects = Fails(failed("rate_limited", "Too many", retryable=True))
    async with running() as sandbox:
        caught = result(await evaluate(sandbox, script, tenant(), effects))
        uncaught = await evaluate(sandbox, "await call(1)", tenant(), effects)
    assert caught == ["EffectError", "Too many", "rate_limited", True, "call", True]
    assert (uncaught.error_type, uncaught.error) == ("EffectError", "Too many")
    assert body(uncaught)["errors"][0]["code"] == "rate_limited"


class Fails(Echo):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    async def call(self, *_: object) -> Answer:
        return self._answer


async def test_values_cross_unchanged() -> None:
    values: list[Any] = [
        None,
        True,
        -0.5,
        1e21,
        2**53,
        "",
        "a\tb\nc",
        "\u2028 😀 \x00",
        [],
        {},
        {"a": [{"__proto__": 1}]},
        "\ufeff",
    ]
    script = "___result___ = await call(values); second = await call()"
    async with running() as sandbox:
        verdict = await evaluate(sandbox, script, tenant(), message=json.dumps({"values": values}).encode())
    assert result(verdict) == json.loads(json.dumps(values))
    assert body(verdict)["globals"] == {"second": None}


async def test_frames_larger_than_a_pipe() -> None:
    large = "ä" * (1 << 19)
    message = json.dumps({"text": large}, ensure_ascii=False).encode()
    script = "const back = await call(text.slice(0, 500000)); ___result___ = back + text + text.slice(0, 5e5)"
    of = tenant()
    async with running() as sandbox:
        tasks = [asyncio.create_task(evaluate(sandbox, script, of, message=message)) for _ in range(6)]
        for task in tasks:
            assert result(await task) == "ä" * (500_000 + (1 << 19) + 500_000)


async def test_arguments_that_wait_have_a_limit_together() -> None:
    effects = Held()
    script = """
        const all = [], text = 'x'.repeat(1e6); let sent = 0;
        try { for (;;) { all.push(call(text)); sent++ } } catch (e) { why = e.name }
        await Promise.all(all); ___result___ = [sent, why, (await call(text)).length]"""
    async with running() as sandbox:
        task = asyncio.create_task(evaluate(sandbox, script, tenant(), effects))
        for call in await effects.next(8):
            effects.answer(call, ok(1))
        effects.answer((await effects.next(1))[0], ok("room again"))
        assert result(await task) == [8, "LimitError", 10]


async def test_effects_are_numbered_on_over_workflows_that_did_not_fire() -> None:
    """Two workflows, each with its own realm: an answer to the first must never reach the second."""
    effects = Held()
    never = {"op": "OR", "of": []}
    turned_away = support.event("0", pre="call('left behind'); await call('first')", conditionText=json.dumps(never))
    fires = support.event("___result___ = await call('second')")
    async with running() as sandbox:
        plans = [plan(turned_away, name="a"), plan(fires, name="b")]
        task = asyncio.create_task(evaluate(sandbox, plans, tenant(), effects))
        behind, first = await effects.next(2)
        effects.answer(first, ok("first"))
        effects.answer(behind, ok("left behind"))
        [second] = await effects.next(1)
        effects.answer(second, ok("second"))
        verdict = await task
    assert [call.seq for call in (behind, first, second)] == [1, 2, 3]
    assert (result(verdict), verdict.workflow_name) == ("second", "b")


async def test_what_a_workflow_that_did_not_fire_leaves_running_ends_before_the_next() -> None:
    late = """
        (async () => {
          for (let i = 0; i < 500; i++) await null;
          leaked = Array.prototype.leaked = 1; print('late');
        })()"""
    turned_away = support.event("0", pre=late, conditionText='{"op":"OR","of":[]}')
    looks = "for (let i = 0; i < 2000; i++) await null; ___result___ = [typeof leaked, typeof [].leaked]"
    fires = support.event(looks)
    async with running() as sandbox:
        of = tenant()
        verdict = await evaluate(sandbox, [plan(turned_away, name="a"), plan(fires, name="b")], of)
        after = await evaluate(sandbox, looks, of)
    assert result(verdict) == result(after) == ["undefined", "undefined"]
    assert support.prints(verdict) == [["late"]]


async def test_arguments_that_cannot_be_read_are_the_scripts_error() -> None:
    effects = Echo()
    script = "try { await call([[1]]) } catch (e) { ___result___ = e.message }"
    async with running() as sandbox:
        deep = "let a = 1; for (let i = 0; i < 129; i++) a = [a]; await call(a)"
        assert ending(await evaluate(sandbox, deep, tenant(), effects)) == "TypeError"
        assert result(await evaluate(sandbox, script, tenant(), effects)) is None
    assert [call.arguments for call in effects.calls] == [[[[1]]]]
