"""Matching by type is a shortcut and nothing else: what becomes of a message is what trying every workflow comes to.

Random workflows (gates on the type in every form, gates that only look like one, scripts before the condition,
workflows that take nothing) and random messages, whose type and `message` may be anything, go both ways.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulse.core.errors import InvalidFields
from pulse.evaluator.reasons import with_all_reasons, without_sandbox
from pulse.evaluator.routing import route
from pulse.messages.records import Work
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Plan, Verdict
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Listing, Plans
from pulse.workflows.plan import compile_plan
from pulse.workflows.records import Entity, Workflow
from tests.sandbox_support import Echo, body, job, running, tenant
from tests.unit.workflows.drawn import entity, inline, known, workflow

TYPES: list[Any] = ["a", "b", "c", "", "ä"]
FIELDS = st.sampled_from(["type", "message.type", "message.n", "n", "type.length", "message", "typ", " type "])
VALUES = st.sampled_from([*TYPES, 1, None, True])
RULES: st.SearchStrategy[dict[str, Any]] = (
    st.builds(lambda field, value: {"field": field, "comparison": "equals", "value": value}, FIELDS, VALUES)
    | st.builds(
        lambda field, values: {"field": field, "operator": "in", "value": values}, FIELDS, st.lists(VALUES, max_size=3)
    )
    | st.builds(
        lambda field, how, value: {"field": field, "comparison": how, "value": value},
        FIELDS,
        st.sampled_from(["not_equals", "contains", "starts_with", "exists"]),
        st.sampled_from(TYPES),
    )
    | st.builds(lambda field: {"field": field, "comparison": "matches", "value": "("}, FIELDS)
)
CONDITIONS = st.none() | st.recursive(
    RULES,
    lambda inner: st.builds(
        lambda join, of: {"type": join, "conditions": of},
        st.sampled_from(["AND", "AND", "OR", "NOT"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=5,
)
MODES: list[dict[str, Any]] = [
    {},
    {"tfCondition": "True/False"},
    {"tfCondition": "Multi", "logicField": "type", "logic": [{"name": "A", "value": "a"}]},
    {"tfCondition": "Multi", "logicField": "type", "logic": [{"name": "A", "value": "b"}, {"name": "O", "value": "*"}]},
    {"tfCondition": "Iterable", "logicField": "list"},
]
EARLY: list[dict[str, Any]] = [
    {},
    {},
    {},
    {"preScript": "type = 'a'"},
    {"preScript": "null.x"},
    {"arguments": [{"name": "type", "argumentValue": "a"}]},
    {"postScript": "type = 'b'"},
]
ACT = entity("act", "action", postScript="acted = 1")


@st.composite
def events(draw: st.DrawFn) -> Entity:
    condition = draw(CONDITIONS)
    fields = {**draw(st.sampled_from(MODES)), **draw(st.sampled_from(EARLY))}
    return entity("start", "event", **fields, **({} if condition is None else {"condition": condition}))


def listing(at: int, start: Entity, kind: str) -> Listing:
    """A workflow of that event, or one of the kinds that take nothing."""
    branches = [{"branchValue": value} for value in ("true", "false")]
    below = branches if start.fields.get("tfCondition") == "True/False" else []
    roots: dict[str, Any] = {"empty": {}, "action": {"root": inline("act")}, "broken": {"root": inline("gone")}}
    data = roots.get(kind, {"root": inline("start", *below)})
    drawn = workflow(data, id=f"wf_{at}", name=f"Number {at}", is_active=kind != "inactive")
    plan, problem = compiled(drawn, start)
    return Listing(drawn.id, drawn.name, drawn.is_active, plan, problem)


def compiled(drawn: Workflow, start: Entity) -> tuple[Any, str | None]:
    try:
        return compile_plan(drawn, known(start, ACT)), None
    except InvalidFields as error:
        return None, error.message


KINDS = st.sampled_from(["event"] * 8 + ["inactive", "empty", "action", "broken"])
LISTINGS = st.lists(st.tuples(events(), KINDS), min_size=1, max_size=8).map(
    lambda drawn: [listing(at, *each) for at, each in enumerate(drawn)]
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*TYPES, 1, None, True, ["a"], {"a": "a"}]),
        "n": st.sampled_from([1, "a"]),
        "message": st.sampled_from(["a", {"type": "a"}, {"type": "b", "n": "a"}, {}, None]),
        "deep": st.just({"message": 1, "type": "a"}),
        "list": st.sampled_from([[], ["message"]]),
    },
)
_numbers = itertools.count(1)


class Rooms:
    """One process of a sandbox, which evaluates messages of whichever plans."""

    def __init__(self, sandbox: DenoSandbox) -> None:
        self._sandbox = sandbox

    async def tried(self, plans: list[Plan], payload: bytes) -> Verdict:
        async with asyncio.timeout(30):
            return await self._sandbox.evaluate(job(plans, tenant("matching"), payload, "msg_1"), Echo())

    async def matched(self, plans: Plans, payload: bytes) -> Verdict:
        """As the evaluator goes about it."""

        class Known:
            async def plans(self, *_place: str) -> Plans:
                return plans

        found = json.loads(payload).get("type")
        message_type = found if isinstance(found, str) else None
        work = Work("msg_1", "org", "env", 1, 0, 0, None, payload, message_type)
        way = await route(work, cast(Catalog, Known()))
        if not way.plans:
            return without_sandbox(work, way)
        return with_all_reasons(work, way, await self.tried(list(way.plans), payload))


@pytest.fixture(scope="module")
async def rooms() -> AsyncIterator[Rooms]:
    async with running() as sandbox:
        yield Rooms(sandbox)


def outcome(verdict: Verdict) -> Any:
    return verdict.status, verdict.workflow_id, verdict.error_type, verdict.error, body(verdict)["globals"]


@settings(max_examples=150, deadline=None)
@given(listings=LISTINGS, message=MESSAGES)
async def test_matching_agrees_with_trying_all(rooms: Rooms, listings: list[Listing], message: dict[str, Any]) -> None:
    payload = json.dumps(message).encode()
    everything = [each.plan for each in listings if each.is_active and each.plan is not None]
    matched, tried = await rooms.matched(Plans(listings), payload), await rooms.tried(list(everything), payload)
    active = [each.id for each in listings if each.is_active]
    if active:
        assert outcome(matched) == outcome(tried)
    else:
        assert (matched.status, matched.code) == ("ignore", "inactive")
    if matched.code == "no_match":
        told = body(matched)["reasons"]
        # Each active workflow has its say, in the order of the workflows.
        assert [reason["workflowId"] for reason in told] == active
        by_id = {reason["workflowId"]: reason for reason in body(tried)["reasons"]}
        for reason in told:
            check_reason(reason, by_id.get(reason["workflowId"]), message)


def check_reason(reason: dict[str, Any], from_sandbox: dict[str, Any] | None, message: dict[str, Any]) -> None:
    if from_sandbox is None:
        assert reason["code"] in ("empty", "not_usable")
        return
    if reason != from_sandbox:
        # Passed over by its type, which is a reason as good as the rule that is the first to be false.
        assert reason["rule"]["field"].strip() in ("type", "message.type")
        assert message.get("type") not in wanted_by(reason["rule"])
        assert {**from_sandbox, "rule": 0, "seen": 0} == {**reason, "rule": 0, "seen": 0}


def wanted_by(rule: dict[str, Any]) -> list[Any]:
    return list(rule["value"]) if rule["comparison"] == "in" else [rule["value"]]


def one(condition: dict[str, Any]) -> list[Listing]:
    return [listing(0, entity("start", "event", condition=condition), "event")]


WRAPPED = {"field": "message.type", "comparison": "equals", "value": "a"}


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type": "b", "message": {"type": "a"}}',
        b'{"type":"b","message":{"type":"a"}}',
        b'{"type": "b", "mess\\u0061ge": {"type": "a"}}',
    ],
)
async def test_a_field_message_is_seen_however_it_is_written(rooms: Rooms, payload: bytes) -> None:
    listings = one(WRAPPED)
    assert (await rooms.tried([cast(Plan, listings[0].plan)], payload)).status == "success"
    assert (await rooms.matched(Plans(listings), payload)).status == "success"


@pytest.mark.parametrize("payload", [b'{"payload": {"type": "x"}}', b'{"kind": "type"}'])
async def test_a_type_that_is_missing_is_not_told_as_null(rooms: Rooms, payload: bytes) -> None:
    listings = one({"field": "type", "comparison": "equals", "value": "a"})
    (told,) = body(await rooms.matched(Plans(listings), payload))["reasons"]
    (wanted,) = body(await rooms.tried([cast(Plan, listings[0].plan)], payload))["reasons"]
    assert "seen" not in wanted
    assert told == wanted
