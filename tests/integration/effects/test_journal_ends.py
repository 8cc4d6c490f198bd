"""Messages that end otherwise while an effect is under way, and replays that take over what they have done."""

from dataclasses import replace

import pytest

from pulse.messages.journal import Journal
from pulse.messages.replay import Edits
from tests.chaos.effects.charges import MANNERS, SCRIPT, UNKNOWN, success
from tests.chaos.effects.premises import LIMITS, Premises, premises
from tests.chaos.effects.process import CALLED, RECORDED, Refusals
from tests.contract.conftest import database_url, open_database, postgres_url, prefix
from tests.unit.workflows.drawn import inline

__all__ = ["database_url", "open_database", "postgres_url", "prefix", "premises"]


# ---- replays -----------------------------------------------------------------------------------------------------


async def test_a_replay_calls_again_what_was_left_to_a_person(premises: Premises) -> None:
    """As the error's advice says: whoever replays it has looked whether it took place."""
    workflow, _ = await premises.draw(SCRIPT)
    first = await premises.process((CALLED, 2), MANNERS["manual"])
    message = await premises.send(first)
    await first.stands()
    await first.end()
    second = await premises.successor(MANNERS["manual"])
    ending = await premises.ends(message)
    assert ending.summary == UNKNOWN
    assert "calls this again" in ending.body["errors"][0]["suggestion"]
    replay = await second.office.replay.replay(premises.organization, message, Edits(reuse_effects=True))
    assert (await premises.ends(replay)).result[:2] == success("o-17")[2]
    assert premises.peer.keys_of("mail o-17") == [f"{message}:{workflow.id}:2"] * 2
    assert len(premises.peer.keys_of("charge o-17")) == 1


async def test_a_replay_that_is_cut_off_itself_is_left_to_a_person_again(premises: Premises) -> None:
    await premises.draw(SCRIPT)
    first = await premises.process((CALLED, 2), MANNERS["manual"])
    message = await premises.send(first)
    await first.stands()
    await first.end()
    second = await premises.successor(MANNERS["manual"])
    await premises.ends(message)
    second.gate.at = (CALLED, 2)
    replay = await second.office.replay.replay(premises.organization, message, Edits(reuse_effects=True))
    await second.stands()
    await second.end()
    await premises.successor(MANNERS["manual"])
    assert (await premises.ends(replay)).code == "effect_uncertain"
    assert len(premises.peer.keys_of("mail o-17")) == 2


async def test_a_replay_of_a_replay_takes_over_what_the_first_has_done(premises: Premises) -> None:
    await premises.draw(f"{SCRIPT} throw new Error('not yet')")
    process = await premises.process()
    message = await premises.send(process)
    for _ in range(2):
        assert (await premises.ends(message)).code is None
        message = await process.office.replay.replay(premises.organization, message, Edits(reuse_effects=True))
    await premises.ends(message)
    assert len(premises.peer.calls) == 2


async def test_a_replay_of_a_replay_that_went_another_way(premises: Premises) -> None:
    """Of each number it takes over what was done last: the rest of the oldest message is forgotten."""
    ask = "await call('charge'); await call('%s', 'to the clerk'); %s"
    _, action = await premises.draw(ask % ("mail", "await call('ship'); throw new Error('not yet')"))
    process = await premises.process()
    message = await premises.send(process)
    for script in (ask % ("letter", "throw new Error('not yet')"), ask % ("letter", "await call('ship')")):
        assert (await premises.ends(message)).state == "fail"
        await premises.redraw(action, script)
        process.catalog.forget_all()
        message = await process.office.replay.replay(premises.organization, message, Edits(reuse_effects=True))
    assert (await premises.ends(message)).state == "success"
    assert [what for _, what in premises.peer.calls] == ["charge", "mail", "ship", "letter", "ship"]
    assert premises.peer.calls[-1][0].startswith(message)


async def test_nobody_takes_over_what_another_organization_did(premises: Premises) -> None:
    await premises.draw(f"{SCRIPT} throw new Error('not yet')")
    process = await premises.process()
    message = await premises.send(process)
    await premises.ends(message)
    office = process.office
    journal = Journal(office.database, office.tables, office.committer, office.claims)
    assert await journal.inherited("org_other", message) is None
    own = await journal.inherited(premises.organization, message)
    assert own is not None
    assert [entry.seq for entry in own.entries] == [1, 2]


async def test_replays_of_one_message_send_its_child_once(premises: Premises) -> None:
    child, _ = await premises.draw("___result___ = 'child of ' + payload.order", "Child", type="workflow_trigger")
    node = {"entityType": "workflow", "workflowId": child.id}
    action = await premises.action("throw new Error('not yet')")
    await premises.draw("await call('mail')", children=[node, inline(action.id)])
    process = await premises.process()
    failed = await premises.send(process)
    assert (await premises.ends(failed)).effects == {1: "done", 2: "done"}
    await premises.redraw(action, "___result___ = 'done'")
    process.catalog.forget_all()
    replays = []
    for _ in range(2):
        replays.append(await process.office.replay.replay(premises.organization, failed, Edits(reuse_effects=True)))
        assert (await premises.ends(replays[-1])).result == "done"
    (sent,) = (await premises.office.rows()).keys() - {failed, *replays}
    assert (await premises.ends(sent)).result == "child of o-17"
    assert len(premises.peer.calls) == 1


async def test_a_node_is_left_to_send_to_a_workflow_that_is_deleted_meanwhile(premises: Premises) -> None:
    """What is recorded stays so: the message is sent, and is ignored as any other to a workflow that is gone."""
    child, _ = await premises.draw("___result___ = 'child'", "Child", type="workflow_trigger")
    parent, _ = await premises.draw(
        "___result___ = 'parent'", children=[{"entityType": "workflow", "workflowId": child.id}]
    )
    first = await premises.process((RECORDED, 1))
    message = await premises.send(first)
    await first.stands()
    await first.end()
    await premises.workflows.delete_workflow(premises.organization, parent.id)
    await premises.workflows.delete_workflow(premises.organization, child.id)
    await premises.successor()
    assert (await premises.ends(message)).state == "success"
    (sent,) = (await premises.office.rows()).keys() - {message}
    assert (await premises.ends(sent)).code == "no_workflows"


# ---- ends from outside -------------------------------------------------------------------------------------------


async def test_a_message_is_cancelled_while_its_effect_runs(premises: Premises) -> None:
    await premises.draw(SCRIPT)
    process = await premises.process((CALLED, 2))
    message = await premises.send(process)
    await process.stands()
    await process.office.queue.cancel(premises.organization, message)
    await process.rests()
    assert premises.peer.cut_off == premises.peer.keys_of("mail o-17")
    assert await premises.office.states([message]) == ["canceled"]
    assert await premises.journaled(message) == {1: "done", 2: "intent"}
    assert process.refusals == Refusals()


async def test_a_message_is_cancelled_by_another_process_while_its_effect_runs(premises: Premises) -> None:
    """Its holder learns of it by what it is refused."""
    await premises.draw(SCRIPT)
    holder, other = await premises.process((CALLED, 2)), await premises.process()
    message = await premises.send(holder)
    await holder.stands()
    await other.office.queue.cancel(premises.organization, message)
    stored = await premises.stored()
    holder.gate.opened.set()
    await holder.rests()
    assert holder.refusals.journal == [2]
    assert await premises.stored() == stored
    assert await premises.office.states([message]) == ["canceled"]


async def test_a_message_is_cancelled_by_another_process_while_its_effect_takes_long(premises: Premises) -> None:
    """Its holder learns of it by the renewals of its lease."""
    await premises.draw(SCRIPT)
    holder, other = await premises.process((CALLED, 2)), await premises.process()
    message = await premises.send(holder)
    await holder.stands()
    await other.office.queue.cancel(premises.organization, message)
    for _ in range(2):
        await holder.consumer.renew()
    await holder.rests()
    assert premises.peer.cut_off == premises.peer.keys_of("mail o-17")
    assert await premises.office.states([message]) == ["canceled"]


@pytest.mark.parametrize("manner", ["retry", "reads"])
async def test_a_message_lives_too_long_while_its_effect_runs(premises: Premises, manner: str) -> None:
    await premises.draw(SCRIPT)
    limits = replace(LIMITS, message_timeout_ms=1_500)
    process = await premises.process((CALLED, 2), MANNERS[manner], limits)
    message = await premises.send(process)
    await process.stands()
    ending = await premises.ends(message)
    assert (ending.state, ending.code, ending.epoch) == ("fail", "message_timeout", 1)
    assert ending.effects == ({1: "done", 2: "intent"} if manner == "retry" else {1: "done"})
    assert premises.peer.cut_off == premises.peer.keys_of("mail o-17")
    process.gate.opened.set()
    await process.rests()
    # Its replay, without the gate, takes over what was done, and repeats what was cut off under the old key.
    process.gate.at = None
    replay = await process.office.replay.replay(premises.organization, message, Edits(reuse_effects=True))
    assert (await premises.ends(replay)).state == "success"
    assert len(premises.peer.keys_of("charge o-17")) == 1
    assert len(set(premises.peer.keys_of("mail o-17"))) == (1 if manner == "retry" else 2)
