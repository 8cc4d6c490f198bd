"""`triggerWorkflow`, with the messages of a whole installation."""

import json

import pytest

from pulse.effects.world.sub_workflows import SubWorkflows
from pulse.messages.links import MAX_DEPTH
from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.platform.places import drawn
from tests.integration.receiver.installation import Installation, Tenant


async def test_another_workflow_is_started_once(assistant: Bench, pulse: Installation, ours: Tenant) -> None:
    target = await drawn(pulse, ours, "Target")
    parent = await pulse.sent(ours, {"type": "order", "n": 1})
    script = f"total = 5; ___result___ = await triggerWorkflow('{target.id}')"
    ran = await assistant.run(script, message={"n": 1}, variables={"KEY": CANARY}, message_id=parent)
    child_id = ran.result["sequenceNumber"]
    assert ran.result == {"success": True, "workflowId": target.id, "sequenceNumber": child_id}
    child = json.loads(await pulse.payload(ours, child_id))
    assert (
        child.items() >= {"type": "workflow_trigger", "workflowId": target.id, "n": 1, "total": 5, **ours.place}.items()
    )
    assert ran.entry == {
        "type": "workflow",
        "action": "sub_workflow_triggered",
        "messageId": child_id,
        "workflowId": target.id,
        "workflowName": "Target",
    }
    before = await pulse.count(ours)
    again = await assistant.run(script, message={"n": 1}, variables={"KEY": CANARY}, like=ran, past=ran.cut_off())
    assert (again.result, await pulse.count(ours)) == (ran.result, before)


async def test_what_goes_along_holds_no_secret(assistant: Bench, pulse: Installation, ours: Tenant) -> None:
    target, parent = await drawn(pulse, ours, "Target"), await pulse.sent(ours, {"type": "order"})
    script = f"copy = 'Bearer ' + KEY; ___result___ = await triggerWorkflow('{target.id}')"
    ran = await assistant.run(script, variables={"KEY": CANARY}, message_id=parent)
    assert json.loads(await pulse.payload(ours, ran.result["sequenceNumber"]))["copy"] == "Bearer ***"
    hides(ran)


async def test_only_workflows_of_the_environment_are_started(
    assistant: Bench, pulse: Installation, ours: Tenant
) -> None:
    theirs = await drawn(pulse, await pulse.tenant("Theirs"), "Theirs")
    parent = await pulse.sent(ours, {"type": "order"})
    for workflow_id in (theirs.id, "wf_nowhere"):
        ran = await assistant.tried(f"await triggerWorkflow('{workflow_id}')", message_id=parent)
        assert ran.failure.code == "unknown_workflow"


async def test_workflows_start_each_other_so_deep_only(assistant: Bench, pulse: Installation, ours: Tenant) -> None:
    target, parent = await drawn(pulse, ours, "Target"), await pulse.sent(ours, {"type": "order"})
    for _ in range(MAX_DEPTH):
        ran = await assistant.tried(f"await triggerWorkflow('{target.id}')", message_id=parent)
        parent = ran.result["sequenceNumber"]
    ran = await assistant.tried(f"await triggerWorkflow('{target.id}')", message_id=parent)
    assert (ran.failure.code, ran.failure.retryable) == ("too_deep", False)


async def test_what_goes_along_has_a_limit(assistant: Bench, pulse: Installation, ours: Tenant) -> None:
    target, parent = await drawn(pulse, ours, "Target"), await pulse.sent(ours, {"type": "order"})
    parts = pulse.parts
    small = SubWorkflows(parts.catalog, parts.links, parts.intake, parts.clock, 1_000)
    call_of = f"(globalThis.big = 'x'.repeat(2000), await triggerWorkflow('{target.id}'))"
    before = await pulse.count(ours)
    ran = await assistant.reaching(sub_workflows=small).tried(call_of, message_id=parent)
    assert (ran.failure.code, await pulse.count(ours)) == ("too_large", before)


@pytest.mark.parametrize("given", ["", "null", "''", "5"])
async def test_a_workflow_is_named(assistant: Bench, given: str) -> None:
    assert (await assistant.tried(f"await triggerWorkflow({given})")).failure.code == "invalid_arguments"
