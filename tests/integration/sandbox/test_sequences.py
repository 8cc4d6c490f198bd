"""A property of realms: what a message comes to does not depend on the messages before it, whatever they did.

Random messages go, one after the other, through one process (and so, in mode `verified`, through realms that are used
again); each must end as it ends in a realm that nobody has used.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Tenant, Verdict
from tests.sandbox_support import AT, Echo, evaluate, running, with_limits

Mode = Literal["fresh", "verified"]

HARMLESS = [
    "a = 1",
    "b = globalThis.b === undefined ? 1 : 'leaked'",
    "globalThis.counter = (globalThis.counter ?? 0) + 1",
    "var local = 1; let other1 = 2",
    "payload.n += 1",
    "payload = null",
    "delete globalThis.payload",
    "message.payload",
    "message = 'mine'",
    "print(Math.random(), typeof a)",
    "e = await call(Math.random())",
    "call([1]).then((x) => { late = x })",
    "(async () => { for (let i = 0; i < 9; i++) await null; later = Date.now() })()",
    "/(b)(c)?/.exec('abcd')",
    "'secret'.replace(/s(e)/, 'x')",
    "RegExp.input = 'secret'",
    "eval('var evaluated = 1; function made() {}')",
    "(0, eval)('let scoped = 1; var unscoped = 2')",
    "globalThis[Symbol('s')] = 1",
    "Object.defineProperty(globalThis, 'got', { configurable: true, enumerable: true, get: () => 7 })",
    "f = () => 1; class C {}; big = 10n; cycle = {}; cycle.cycle = cycle",
    "for (const x of new Map([[1, 2]]).entries()) m = x",
    "url = new URL('/a?b=1', 'https://example.org').href",
    "bytes = [...new TextEncoder().encode('ä')]; s = structuredClone({ a: new Date(0) })",
    "n = new Intl.NumberFormat('en').format(1234.5)",
    "evaluateCondition({ field: 'payload.n', comparison: 'equals', value: 1 }) && (c1 = 1)",
    "sent = await triggerWorkflow('wf_1')",
    "w = getWorkflowByName('other'); __variables__ = [{ name: 'KEY', value: 'mine' }]",
    "promptResponse_4 = 'yes'; __prompt_count__ = 4; r = latestPromptResponse() + getPromptResponse(4)",
    "throw new TypeError('mine')",
    "null.x",
    "await new Promise(() => {})",
    "___result___ = 'early'; return",
]
TAMPERING = [
    "Array.prototype.extra = 1",
    "Object.prototype.extra = 'x'",
    "Array.prototype.map = () => ['patched']",
    "Math.max = () => 'patched'",
    "String.prototype.trim = () => 'patched'",
    "Promise.prototype.then = function () { return this }",
    "JSON.stringify = () => 'patched'",
    "Map.prototype.get = () => 'patched'",
    "Date.now = () => 7",
    "Math.random = () => 0.5",
    "Error.stackTraceLimit = 1",
    "Error.prototype.toString = () => 'patched'",
    "RegExp.prototype.exec = () => null",
    "delete Array.prototype.flat",
    "delete globalThis.Map",
    "Object.freeze(Array.prototype)",
    "Object.preventExtensions(Object.prototype)",
    "Object.defineProperty(globalThis, 'fixed', { value: 1 })",
    "Object.setPrototypeOf(Array.prototype, null)",
    "Object.getPrototypeOf([].values()).next = () => ({ done: true })",
    "Object.getPrototypeOf(async () => {}).extra = 1",
    "Array.prototype.length = 3",
    "print = () => 1",
    "triggerWorkflow = latestPromptResponse = () => 'patched'",
    "console.log = 1",
    "URL.prototype.extra = 1; URLSearchParams.prototype.get = () => 'patched'",
    "TextEncoder.prototype.encode = () => 'patched'",
    "Intl.NumberFormat.prototype.extra = 1",
    "Object.prototype.toJSON = () => 'patched'",
    "Object.prototype.then = undefined",
    "x = { toJSON() { Promise.resolve().then(() => { Array.prototype.late = 1 }); return 1 } }",
    "call(1).then(() => { String.prototype.late = 1; late = 1 })",
    "(async () => { await null; await null; Object.late = 1 })()",
    "Object.freeze(globalThis)",
]
OBSERVE = """
const look = (see) => { try { return see() } catch (error) { return `${error}` } };
const seen = [look(() => Object.keys(globalThis).sort().join()), look(() => [3, 1].map((x) => x + 1)), look(() => ' t '.trim()),
  typeof [].extra + typeof {}.extra + typeof ''.late + typeof Object.late + typeof [].late, RegExp.$1 + RegExp.$_, Error.stackTraceLimit,
  look(() => Math.max(1, 2)), look(() => Math.random()), look(() => Date.now()), look(() => new Map([[1, 2]]).get(1)), typeof [].flat,
  look(() => JSON.stringify([1])), look(() => `${new Error('x')}`), look(() => [...'ab'].length), typeof scoped + typeof unscoped + typeof evaluated,
  look(() => [].length + Array.prototype.length), look(() => new TextEncoder().encode('a')[0]), Object.isFrozen(Array.prototype),
  look(() => __prompt_count__), look(() => latestPromptResponse() ?? 'none'), look(() => __variables__)];
___result___ = seen;
"""  # noqa: E501
ACTS = st.lists(st.sampled_from(HARMLESS) | st.sampled_from(HARMLESS + TAMPERING), max_size=4)
SCRIPTS = ACTS.map(lambda acts: "\n".join([*(f"{{ {act} }}" for act in acts), OBSERVE]))
MESSAGE = b'{"payload": {"n": 1}, "list": [1, {"a": 2}]}'
VOLATILE = {"ts", "elapsed", "timestamp", "durationMs", "totalDurationMs", "queueMs", "realm", "realmMs"}


class Pair:
    """A process whose realms are used again, and one where each message has a realm of its own."""

    def __init__(self, sandbox: DenoSandbox) -> None:
        self._sandbox = sandbox
        self._known: dict[str, Any] = {}
        self.used = Tenant("used", "test")
        self._unused = Tenant("unused", "test")

    async def outcome(self, script: str) -> Any:
        return told(await evaluate(self._sandbox, script, self.used, Echo(), message=MESSAGE))

    async def expected(self, script: str) -> Any:
        if script not in self._known:
            verdict = await evaluate(self._sandbox, script, self._unused, Echo(), message=MESSAGE)
            self._known[script] = told(verdict)
            # So that its realm is thrown away, whatever the script did.
            await evaluate(self._sandbox, "Object.prototype.dirt = 1", self._unused)
        return self._known[script]


def told(verdict: Verdict) -> Any:
    """All that is said of a message, but for times."""
    return verdict.status, verdict.code, verdict.error_type, verdict.error, steady(json.loads(verdict.body))


def steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if key not in VOLATILE}
    return [steady(item) for item in value] if isinstance(value, list) else value


class StillClock:
    """An answer brings the time along: here always the same."""

    def now_ms(self) -> int:
        return AT + 1000


@contextlib.asynccontextmanager
async def pair(mode: Mode) -> AsyncIterator[Pair]:
    async with running(with_limits(realm=mode)) as sandbox:
        sandbox._asking._clock = cast(Any, StillClock())
        yield Pair(sandbox)


@pytest.fixture(scope="module")
async def fresh() -> AsyncIterator[Pair]:
    async with pair("fresh") as opened:
        yield opened


@pytest.fixture(scope="module")
async def verified() -> AsyncIterator[Pair]:
    async with pair("verified") as opened:
        yield opened


SEQUENCES = st.lists(SCRIPTS, min_size=2, max_size=8)


@settings(max_examples=25, deadline=None)
@given(scripts=SEQUENCES)
async def test_fresh_realms_know_nothing_of_each_other(fresh: Pair, scripts: list[str]) -> None:
    for script in scripts:
        assert await fresh.outcome(script) == await fresh.expected(script)


@settings(max_examples=60, deadline=None)
@given(scripts=SEQUENCES)
async def test_verified_realms_know_nothing_of_what_was_before(verified: Pair, scripts: list[str]) -> None:
    for script in scripts:
        assert await verified.outcome(script) == await verified.expected(script)
