"""Messages to other workflows, sent by effects: once, however often an evaluation is repeated."""

import json
from typing import cast

import pytest

from pulse.effects.calls import Call, EffectFailed, Family
from pulse.effects.world.sub_workflows import SubWorkflows, Trigger
from pulse.messages.links import Links
from pulse.messages.records import Work
from pulse.workflows.catalog import Catalog
from pulse.workflows.matching import Listing, Plans
from tests.contract.messages.office import A, Office

TARGET = Listing("wf_1", "Target", is_active=True, plan=None)


class Targets:
    """A catalog of one workflow."""

    async def plans(self, _organization: str, _environment: str) -> Plans:
        return Plans([TARGET])


@pytest.fixture
def effects(office: Office) -> SubWorkflows:
    links = Links(office.database, office.tables)
    return SubWorkflows(cast(Catalog, Targets()), links, office.intake, office.clock, max_message_bytes=1_000)


async def claimed(office: Office) -> Work:
    await office.accept()
    (work,) = await office.claim()
    return work


def call(work: Work, seq: int = 1) -> Call:
    return Call(work, seq, f"{work.id}:wf_0:{seq}", Family())


async def test_a_repeated_call_sends_nothing_more(office: Office, effects: SubWorkflows) -> None:
    work = await claimed(office)
    given = Trigger("wf_1", {"n": 1})
    first = (await effects.trigger(call(work), given)).value
    office.clock.ms += 1_000
    assert (await effects.trigger(call(work), given)).value == first
    other = (await effects.trigger(call(work, seq=2), given)).value
    assert set(await office.rows()) == {work.id, first["sequenceNumber"], other["sequenceNumber"]}


async def test_a_node_asks_for_what_a_script_has_sent(office: Office, effects: SubWorkflows) -> None:
    """As after an edit between two evaluations: the same call is another's."""
    work = await claimed(office)
    sent = (await effects.trigger(call(work), Trigger("wf_1"))).value
    asked = call(work)
    assert (await effects.node(asked, Trigger("wf_1")))["sequenceNumber"] == sent["sequenceNumber"]
    await effects.leave(asked, Trigger("wf_1"))
    assert await office.finish(work, children=tuple(asked.family.children.values())) is True
    assert set(await office.rows()) == {work.id, sent["sequenceNumber"]}


async def test_the_message_has_the_state_and_an_envelope_of_its_own(office: Office, effects: SubWorkflows) -> None:
    work = await claimed(office)
    state = {"payload": {"x": 1}, "own": "a", "type": "theirs", "workflowId": "theirs", "entityId": "ent_1"}
    sent = (await effects.trigger(call(work), Trigger("wf_1", state))).value
    (child,) = await office.claim()
    message = json.loads(child.payload)
    assert child.id == sent["sequenceNumber"]
    assert message.pop("parentTimestamp")
    assert message == {
        "organizationId": A,
        "environmentId": work.environment_id,
        "type": "workflow_trigger",
        "triggerType": "sub_workflow",
        "workflowId": "wf_1",
        "payload": {"x": 1},
        "own": "a",
    }


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "invalid_arguments"),
        ([7, {}], "invalid_arguments"),
        (["wf_2", {}], "unknown_workflow"),
        (["wf_1", {"large": "x" * 1_000}], "too_large"),
    ],
)
async def test_what_cannot_be_sent_leaves_nothing(
    office: Office, effects: SubWorkflows, arguments: list[object], code: str
) -> None:
    work = await claimed(office)
    with pytest.raises(EffectFailed) as raised:
        trigger = effects.effects()[0]
        await trigger.call(call(work), trigger.read(arguments))
    assert raised.value.effect_code == code
    assert set(await office.rows()) == {work.id}
    assert await Links(office.database, office.tables).descendants(A, work.id) == []
