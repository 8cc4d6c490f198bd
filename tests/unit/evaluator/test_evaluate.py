"""The evaluator: what it asks of the sandbox, and what it makes of the answer, or of having nobody to ask."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.core.clock import parse_iso
from pulse.core.errors import SandboxStopped, StorageDown
from pulse.effects.calls import Call, Effect, Nothing
from pulse.effects.functions import ScriptEffects
from pulse.evaluator.evaluate import seed_of
from pulse.messages.records import NewMessage, Outcome
from pulse.sandbox.port import Asked, Effects, Job, Tenant, Verdict
from pulse.tenancy.variables import Variables
from pulse.workflows.records import Workflow
from tests.unit.evaluator.evaluating import NOW, Stopped, evaluator
from tests.unit.evaluator.fake_sandbox import FakeSandbox, work
from tests.unit.workflows.drawn import inline, workflow
from tests.unit.workflows.kept import version_of

DRAWN = {"root": inline("start")}


def errors_of(outcome: Outcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(outcome.body)["errors"]
    return found


async def test_the_sandbox_is_asked_with_everything() -> None:
    sandbox = FakeSandbox()
    drawn = [
        workflow(DRAWN, id="wf_1", name="one"),
        workflow(DRAWN, id="wf_2", name="off", is_active=False),
        workflow(DRAWN, id="wf_3", name="two"),
    ]
    await evaluator(sandbox, *drawn).evaluate(work("msg_7", payload=b'{"a":1.0}', received_at=123))
    (job,) = sandbox.jobs
    assert (job.id, job.message, job.at, job.tenant) == ("msg_7", b'{"a":1.0}', 123, Tenant("org_1", "env_1"))
    assert [json.loads(plan.text)["name"] for plan in job.plans] == ["one", "two"]
    assert job.seed == seed_of("msg_7")
    assert (job.entry, job.surroundings, job.trial) == (None, None, None)


async def test_the_variables_of_the_environment_are_around_its_scripts() -> None:
    sandbox = FakeSandbox()
    await evaluator(sandbox, workflow(DRAWN), variables=Variables("v1", (("KEY", "se\ncret"),))).evaluate(work())
    around = sandbox.jobs[0].surroundings
    assert around is not None
    assert json.loads(around.text) == {"id": around.id, "variables": [["KEY", "se\ncret"]], "workflows": {}}


async def test_the_verdict_becomes_the_outcome() -> None:
    body = b'{"log":[1.0],"errors":[]}'
    verdict = Verdict("ignore", body, "no_match", "wf_1", "Orders", 3, queue_ms=5, sandbox_ms=6)
    outcome = await evaluator(FakeSandbox(verdict), workflow(DRAWN)).evaluate(work(lane="lane", received_at=NOW - 250))
    assert outcome == Outcome(
        id="msg_1",
        epoch=4,
        status="ignore",
        completed_at=NOW,
        elapsed_ms=250,
        body=body,
        organization_id="org_1",
        lane="lane",
        code="no_match",
        workflow_id="wf_1",
        workflow_name="Orders",
        workflow_version=3,
        error=None,
    )


async def test_a_message_from_the_future_took_no_time() -> None:
    outcome = await evaluator(FakeSandbox(), workflow(DRAWN)).evaluate(work(received_at=NOW + 5))
    assert outcome.elapsed_ms == 0


@pytest.mark.parametrize(
    ("error_type", "error", "summary"),
    [
        ("TypeError", "no such thing", "TypeError: no such thing"),
        ("Error", "", "Error"),
        (None, None, None),
        ("RangeError", "x" * 2_000, "RangeError: " + "x" * 488),
    ],
)
async def test_an_error_is_told_in_a_line(error_type: str | None, error: str | None, summary: str | None) -> None:
    verdict = Verdict("fail", b"{}", error_type=error_type, error=error)
    outcome = await evaluator(FakeSandbox(verdict), workflow(DRAWN)).evaluate(work())
    assert outcome.error == summary


# ---- nobody to ask -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workflows", "code"),
    [
        ([], "no_workflows"),
        ([workflow({})], "no_match"),
        ([workflow(DRAWN, is_active=False)], "inactive"),
        ([workflow(DRAWN, is_active=False), workflow({}, id="wf_2")], "no_match"),
    ],
    ids=["none", "empty", "inactive", "inactive-and-empty"],
)
async def test_without_a_workflow_the_message_is_ignored(workflows: list[Workflow], code: str) -> None:
    sandbox = FakeSandbox()
    outcome = await evaluator(sandbox, *workflows).evaluate(work())
    assert (outcome.status, outcome.code, outcome.error, outcome.workflow_id) == ("ignore", code, None, None)
    assert json.loads(outcome.body)["errors"] == []
    assert sandbox.jobs == []


async def test_workflows_of_another_place_are_not_asked() -> None:
    sandbox = FakeSandbox()
    made = evaluator(sandbox, workflow(DRAWN))
    for place in ({"organization_id": "org_2"}, {"environment_id": "env_2"}):
        assert (await made.evaluate(work(**place))).code == "no_workflows"
    assert sandbox.jobs == []


# ---- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("deaths", [3, 4, 100])
async def test_a_message_under_which_processes_die_is_poison(deaths: int) -> None:
    sandbox = FakeSandbox()
    outcome = await evaluator(sandbox, workflow(DRAWN)).evaluate(work(lone_deaths=deaths, lane="lane"))
    assert (outcome.status, outcome.code, outcome.lane) == ("fail", "process_crash", "lane")
    (error,) = errors_of(outcome)
    assert (error["errorType"], error["code"]) == ("ProcessCrash", "process_crash")
    assert f"{deaths} times" in error["error"]
    assert error["suggestion"]
    assert parse_iso(error["timestamp"]) == NOW
    assert outcome.error is not None
    assert outcome.error.startswith("ProcessCrash: ")
    assert sandbox.jobs == []


@pytest.mark.parametrize("deaths", [0, 1, 2])
async def test_fewer_deaths_are_forgiven(deaths: int) -> None:
    sandbox = FakeSandbox()
    outcome = await evaluator(sandbox, workflow(DRAWN)).evaluate(work(lone_deaths=deaths))
    assert (outcome.status, len(sandbox.jobs)) == ("success", 1)


async def test_a_fault_of_pulse_is_told_without_its_secrets() -> None:
    outcome = evaluator(FakeSandbox()).gave_up(work(received_at=NOW - 5), ValueError("a secret"))
    assert (outcome.status, outcome.code, outcome.elapsed_ms) == ("fail", "internal_error", 5)
    (error,) = errors_of(outcome)
    assert (error["errorType"], error["code"]) == ("InternalError", "internal_error")
    assert "ValueError" in error["error"]
    assert parse_iso(error["timestamp"]) == NOW
    assert b"secret" not in outcome.body
    assert outcome.error == "InternalError: Pulse failed while it evaluated this message (ValueError)"


@pytest.mark.parametrize("error", [SandboxStopped(), StorageDown(), RuntimeError("x")])
async def test_what_the_sandbox_raises_is_not_hidden(error: Exception) -> None:
    def fail(_job: object) -> Verdict:
        raise error

    with pytest.raises(type(error)):
        await evaluator(FakeSandbox(decide=fail), workflow(DRAWN)).evaluate(work())


async def test_cancelling_ends_the_evaluation() -> None:
    sandbox = FakeSandbox(gate=asyncio.Event())
    evaluating = asyncio.create_task(evaluator(sandbox, workflow(DRAWN)).evaluate(work()))
    while not sandbox.jobs:
        await asyncio.wait([evaluating], timeout=0)
    evaluating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await evaluating


# ---- effects -------------------------------------------------------------------------------------------------


class Asking(FakeSandbox):
    """Asks for effects, twice over: as if the process had died under the first evaluation."""

    def __init__(self, *functions: str) -> None:
        super().__init__()
        self.functions = functions
        self.answers: list[Any] = []

    async def evaluate(self, job: Job, effects: Effects) -> Verdict:
        for _ in range(2):
            effects.begin()
            self.answers = [
                json.loads((await effects.call(job, Asked(seq, function, [], job.plans[0].id))).payload)
                for seq, function in enumerate(self.functions, 1)
            ]
        return await super().evaluate(job, effects)


async def test_an_installation_without_effects_says_so() -> None:
    sandbox = Asking("httpRequest")
    await evaluator(sandbox, workflow(DRAWN)).evaluate(work())
    assert sandbox.answers == [
        {
            "code": "not_available",
            "message": "httpRequest is not available here.",
            "effect": "httpRequest",
            "retryable": False,
        }
    ]


async def test_what_an_effect_leaves_for_the_end_leaves_once_with_the_outcome() -> None:
    async def send(call: Call, _: Nothing) -> str:
        return f"msg_{call.work.id}_{call.seq}"

    async def leave(call: Call, _: Nothing) -> None:
        child = NewMessage(f"msg_{call.work.id}_{call.seq}", "org_1", "env_1", "x", b"{}", NOW)
        call.family.children[child.id] = child

    sandbox = Asking("send", "send")
    effects = ScriptEffects([Effect("send", "send()", "Sends.", Nothing, send, leave=leave)], Stopped())
    outcome = await evaluator(sandbox, workflow(DRAWN), effects=effects).evaluate(work())
    assert sandbox.answers == ["msg_msg_1_1", "msg_msg_1_2"]
    assert [child.id for child in outcome.children] == ["msg_msg_1_1", "msg_msg_1_2"]


# ---- one workflow --------------------------------------------------------------------------------------------


def trigger(**fields: Any) -> bytes:
    return json.dumps({"type": "workflow_trigger", "workflowId": "wf_2", **fields}).encode()


TWO = [workflow(DRAWN, id="wf_1", name="one"), workflow(DRAWN, id="wf_2", name="two")]


@pytest.mark.parametrize(("fields", "entry"), [({}, None), ({"entityId": "start"}, "start"), ({"entityId": 7}, None)])
async def test_a_trigger_is_for_the_workflow_that_it_names(fields: dict[str, Any], entry: str | None) -> None:
    sandbox = FakeSandbox()
    await evaluator(sandbox, *TWO).evaluate(work(type="workflow_trigger", payload=trigger(**fields)))
    (job,) = sandbox.jobs
    assert ([json.loads(plan.text)["name"] for plan in job.plans], job.entry) == (["two"], entry)


@pytest.mark.parametrize(
    ("workflows", "code", "told"),
    [
        ([], "no_workflows", {"name": "wf_2", "code": "unknown_workflow"}),
        ([workflow(DRAWN, id="wf_2", is_active=False)], "inactive", {"name": "Drawn", "code": "inactive"}),
        ([workflow({}, id="wf_2")], "no_match", {"name": "Drawn", "code": "empty"}),
    ],
    ids=["unknown", "inactive", "empty"],
)
async def test_a_trigger_of_what_cannot_run_says_why(
    workflows: list[Workflow], code: str, told: dict[str, Any]
) -> None:
    sandbox = FakeSandbox()
    outcome = await evaluator(sandbox, *workflows).evaluate(work(type="workflow_trigger", payload=trigger()))
    assert (outcome.status, outcome.code, sandbox.jobs) == ("ignore", code, [])
    assert json.loads(outcome.body)["reasons"] == [{"workflowId": "wf_2", **told}]


async def test_a_replay_runs_on_the_version_that_it_is_pinned_to() -> None:
    sandbox = FakeSandbox()
    made = evaluator(
        sandbox,
        workflow(DRAWN, name="new", version=3, is_active=False),
        versions=(version_of(workflow(DRAWN, name="old", version=2)),),
    )
    await made.evaluate(work(pin="wf_1@2"))
    (job,) = sandbox.jobs
    assert [json.loads(plan.text)["name"] for plan in job.plans] == ["old"]
    gone = await made.evaluate(work(pin="wf_1@1"))
    assert (gone.status, gone.code) == ("ignore", "no_workflows")
    assert json.loads(gone.body)["reasons"] == [{"workflowId": "wf_1", "name": "wf_1@1", "code": "unknown_version"}]


# ---- chance --------------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_a_seed_depends_on_the_message_alone(one: str, other: str) -> None:
    one, other = (text.encode("utf-8", "replace").decode() for text in (one, other))
    assert seed_of(one) == seed_of(one)
    assert (seed_of(one) == seed_of(other)) is (one == other)
    assert all(0 <= word < 2**32 for word in seed_of(one))


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert seed_of("msg_1") == (292_260_081, 1_929_411_557, 3_764_253_352, 1_896_214_677)
