"""Effects: many at once, in any order, limited, waited for, and failing in a way that scripts can handle."""

import asyncio
import json
from typing import Any

from pulse.sandbox.port import Answer
from tests import sandbox_support as support
from tests.sandbox_support import Call, Echo, Held, body, ending, evaluate, failed, ok, plan, result, running, tenant


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


async def test_32_effects_of_a_message_at_once() -> None:
    effects = Held()
    script = "___result___ = (await Promise.all(Array.from({ length: 100 }, (_, i) => call(i)))).length"
    async with running() as sandbox:
        task = asyncio.create_task(evaluate(sandbox, script, tenant(), effects))
        asked: list[Call] = []
        while len(asked) < 100:
            asked.append((await effects.next(1))[0])
            if len(asked) >= 32:
                effects.answer(asked[len(asked) - 32], ok(1))
        for call in asked[-31:]:
            effects.answer(call, ok(1))
        assert result(await task) == 100
    assert effects.most_at_once == 32
    assert [call.seq for call in asked] == list(range(1, 101))


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
