"""What a message comes to does not depend on the messages before it, and is the same each time: whole workflows.

As in test_sequences.py, but for plans of every mode, with variables, entries, and messages to other workflows: what the
kernel keeps of lists, counts, names and asked effects must be gone, too. And a message that is evaluated twice says the
same, but for times, and asks for the same effects.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pulse.evaluator.environments import surroundings
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Job, Plan, Surroundings, Tenant
from pulse.tenancy.variables import Variables
from tests.integration.sandbox.test_sequences import HARMLESS, OBSERVE, TAMPERING, StillClock
from tests.sandbox_support import Echo, action, body, event, job, running, with_limits

TIMES = {"ts", "elapsed", "timestamp", "durationMs", "totalDurationMs", "queueMs", "realm", "realmMs"}
KEPT_OPEN = [
    "___iterableItem___ = 'left'; ___iterableIndex___ = 7",
    "__prompt_count__ = 9; promptResponse_9 = 'left'",
    "triggerWorkflow('w9'); getWorkflowByName = () => 'patched'",
    "found = getWorkflowByName('Other'); latest = latestPromptResponse()",
    "call(SECRET); mine = SECRET; __variables__ = 1",
    "list = [5, , { get a() { throw 1 } }]; kind = { toJSON: () => 'b' }",
    "Object.defineProperty(globalThis, '___iterableItem___', { value: 1, configurable: true })",
    "Object.defineProperty(Array.prototype, 1, { get: () => 'ghost', set() {}, configurable: true })",
    "___result___ = [typeof SECRET, typeof ___iterableItem___, typeof __prompt_count__]",
    "throw Object.assign(new Error('mine'), { name: 'Mine', code: 'code' })",
]
# A watched realm does not take these changes, and a fresh one does: their scripts end otherwise, message by message.
UNEQUAL = ("Object.getPrototypeOf(", "Intl.")
ODD = [script for script in TAMPERING if not script.startswith(UNEQUAL)]
SCRIPTS = st.sampled_from(HARMLESS + KEPT_OPEN) | st.sampled_from([*HARMLESS, *KEPT_OPEN, *ODD])
MAYBE = st.none() | SCRIPTS
CONDITION = {"field": "n", "path": ["n"], "comparison": "greater_than", "value": 1}
MODES: list[dict[str, Any]] = [
    {"mode": "Single Path"},
    {"mode": "Iterable", "logicField": "list", "logicPath": ["list"]},
    {"mode": "Multi", "logicField": "kind", "logicPath": ["kind"], "branches": ["a", "b", "*"]},
    {"mode": "True/False", "branches": ["true", "false"]},
]
WORKFLOW = {"kind": "workflow", "entityId": None, "name": "Sends", "type": "Workflow", "workflowId": "w2"}
VARIABLES = (Variables("one", (("SECRET", "a secret value"), ("LIST", "5"))), Variables("two", (("SECRET", "other"),)))
DIRECTORY = '{"Other":{"id":"w2","workflowId":"w2","name":"Other","isActive":true}}'


@dataclass(frozen=True)
class Drawn:
    """A node, and the nodes below it, as indices into one list."""

    nodes: tuple[dict[str, Any], ...]
    tree: dict[str, Any]


@st.composite
def events(draw: st.DrawFn, room: int = 2) -> list[Any]:
    """An event of some mode as [node, [children]]."""
    mode, pre, post = draw(st.sampled_from(MODES)), draw(MAYBE), draw(MAYBE)
    condition = {"conditionText": json.dumps(CONDITION)} if draw(st.booleans()) else {}
    early = {"pre": pre} if pre is not None else {}
    stops = {"onError": "continue"} if draw(st.booleans()) else {}
    node = event(post, **{**mode, **condition, **early, **stops}, entityId=draw(st.sampled_from(["e1", "e2"])))
    below = st.lists(events(room - 1) | leaves() if room else leaves(), min_size=1, max_size=2)
    values = mode.get("branches")
    if values is None:
        return [node, draw(below)]
    branch = {"kind": "logic-branch", "name": "B", "type": "LogicBranch"}
    return [node, [[{**branch, "branchValue": value}, draw(below)] for value in values]]


@st.composite
def leaves(draw: st.DrawFn) -> list[Any]:
    if draw(st.integers(0, 4)) == 0:
        return [{**WORKFLOW, "arguments": []}, []]
    bound = draw(
        st.sampled_from([[], [{"name": "given", "path": ["___iterableItem___"]}, {"name": "fixed", "literal": [1]}]])
    )
    stops = {"onError": "continue"} if draw(st.booleans()) else {}
    return [action(draw(SCRIPTS), arguments=bound, **stops), []]


def planned(drawn: list[Any]) -> Plan:
    """The plan of a drawing; what it left is looked at by a last node."""
    nodes: list[dict[str, Any]] = []

    def placed(part: list[Any]) -> dict[str, Any]:
        nodes.append(part[0])
        return {"node": len(nodes) - 1, "children": [placed(child) for child in part[1]]}

    tree = placed([event(entityId="first"), [drawn, [action(OBSERVE, entityId="last"), []]]])
    refs = [f"n{at}" for at in range(len(nodes))]
    contents = {"workflowId": "w1", "name": "Drawn", "version": 1, "nodes": nodes, "refs": refs, "tree": tree}
    plan_id = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
    return Plan(plan_id, json.dumps({"id": plan_id, **contents}))


MESSAGES = st.fixed_dictionaries(
    {
        "n": st.integers(0, 3),
        "list": st.sampled_from([[], ["x"], [1, {"a": 2}], "none"]),
        "kind": st.sampled_from("abc"),
    },
    optional={"payload": st.just({"n": 1}), "promptResponse_3": st.just("three"), "message": st.just("own")},
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    plans = [planned(each) for each in draw(st.lists(events(), min_size=1, max_size=2))]
    around = draw(st.sampled_from([None, *(surroundings(each, DIRECTORY) for each in VARIABLES)]))
    entry = draw(st.sampled_from([None, None, "e1", "last"])) if len(plans) == 1 else None
    made = job(plans, Tenant("", ""), json.dumps(draw(MESSAGES)).encode(), "msg_1")
    return replace(made, entry=entry, surroundings=around)


Told = tuple[Any, list[tuple[int, str, list[Any]]]]


class Room:
    """A tenant's process: what a message comes to in it, and what it asks for."""

    def __init__(self, sandbox: DenoSandbox, name: str) -> None:
        self._sandbox = sandbox
        self._tenant = Tenant(name, "test")

    async def told(self, wanted: Job) -> Told:
        effects = Echo()
        async with asyncio.timeout(30):
            verdict = await self._sandbox.evaluate(replace(wanted, tenant=self._tenant), effects)
        said = (verdict.status, verdict.code, verdict.workflow_name, verdict.error_type, verdict.error)
        calls = [(call.seq, call.function, call.arguments) for call in effects.calls]
        return (*said, steady(body(verdict))), calls

    async def told_alone(self, wanted: Job) -> Told:
        """In a realm that nobody has used, and that nobody uses again."""
        told = await self.told(wanted)
        await self.told(job("Object.prototype.dirt = 1", self._tenant))
        return told


def steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if key not in TIMES}
    return [steady(item) for item in value] if isinstance(value, list) else value


Mode = Literal["fresh", "verified"]


@pytest.fixture(scope="module", params=["verified", "fresh"])
async def rooms(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Room, Room]]:
    """One whose realms are used again where they are clean, and one of which each message gets a new one."""
    async with (
        running(with_limits(realm=cast(Mode, request.param))) as used,
        running(with_limits(realm="fresh")) as unused,
    ):
        for sandbox in (used, unused):
            sandbox._asking._clock = cast(Any, StillClock())
        yield Room(used, "used"), Room(unused, "unused")


@settings(max_examples=30, deadline=None)
@given(sequence=st.lists(jobs(), min_size=2, max_size=6))
async def test_walks_know_nothing_of_each_other(rooms: tuple[Room, Room], sequence: list[Job]) -> None:
    used, unused = rooms
    for wanted in sequence:
        assert await used.told(wanted) == await unused.told_alone(wanted)


@settings(max_examples=30, deadline=None)
@given(wanted=jobs(), between=st.lists(jobs(), max_size=2))
async def test_a_message_says_the_same_each_time(rooms: tuple[Room, Room], wanted: Job, between: list[Job]) -> None:
    used, _ = rooms
    first = await used.told(wanted)
    for other in between:
        await used.told(other)
    assert await used.told(wanted) == first


def test_the_surroundings_of_the_pool_differ() -> None:
    """Else a variable that stayed would not be seen."""
    one, two = (cast(Surroundings, surroundings(each, DIRECTORY)) for each in VARIABLES)
    assert one.id != two.id
    assert "a secret value" in one.text
