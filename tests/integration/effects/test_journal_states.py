"""A process ends, or stands still past its lease, between every two states of an effect: another brings it to an end.

On a real database, with the real sandbox, evaluator and consumer, on both sides.
"""

from unittest.mock import ANY

import pytest

from tests.chaos.effects.charges import MANNERS, SCRIPT, UNKNOWN, success
from tests.chaos.effects.premises import Premises, premises
from tests.chaos.effects.process import ASKED, CALLED, ENDED, HEARD, INTENT, RECORDED, STORED
from tests.contract.conftest import database_url, open_database, postgres_url, prefix

__all__ = ["database_url", "open_database", "postgres_url", "prefix", "premises"]

# How often the peer hears of the second effect where the process ends right after it came to a state.
CALLS = {
    "retry": {ASKED: 1, INTENT: 1, CALLED: 2, HEARD: 2, RECORDED: 1, ENDED: 1},
    "check": {ASKED: 1, INTENT: 1, CALLED: 1, HEARD: 1, RECORDED: 1, ENDED: 1},
    "manual": {ASKED: 1, INTENT: 0, CALLED: 1, HEARD: 1, RECORDED: 1, ENDED: 1},
    "reads": {ASKED: 1, CALLED: 2, HEARD: 2, RECORDED: 1, ENDED: 1},
}
# Where nobody knows whether the call took place.
UNCERTAIN = (INTENT, CALLED, HEARD)


# ---- the end of a process ----------------------------------------------------------------------------------------


@pytest.mark.timeout(180)
@pytest.mark.parametrize("manner", MANNERS)
async def test_a_process_ends_and_another_takes_over(premises: Premises, manner: str) -> None:
    """Each process finishes what the one before has left, and ends at the next state itself."""
    workflow, _ = await premises.draw(SCRIPT)
    process, found, expected = await premises.process(manner=MANNERS[manner]), {}, {}
    for state, calls in CALLS[manner].items():
        process.gate.at = (state, 2)
        message = await premises.send(process, order=state)
        await process.stands()
        await process.end()
        process = await premises.successor(MANNERS[manner])
        ending, key = await premises.ends(message), f"{message}:{workflow.id}:2"
        found[state] = (ending.summary, premises.peer.said_of(state), premises.peer.checks.count(key))
        asked = [(f"{message}:{workflow.id}:1", f"charge {state}"), *[(key, f"mail {state}")] * calls]
        checks = int(manner == "check" and state in UNCERTAIN)
        ends = UNKNOWN if manner == "manual" and state in UNCERTAIN else success(state)
        expected[state] = (ends, asked, checks)
    assert found == expected
    assert await premises.headers() == (3 if manner == "manual" else 0)


async def test_a_process_ends_when_the_outcome_is_stored(premises: Premises) -> None:
    await premises.draw(SCRIPT)
    first = await premises.process((STORED, 0))
    message = await premises.send(first)
    await first.stands()
    before = await premises.stored()
    await first.end()
    second = await premises.successor(finds=0)
    assert (await premises.ends(message)).epoch == 1
    # What comes later is evaluated by then, and nothing else was.
    await premises.ends(await premises.send(second, order="o-18"))
    assert premises.peer.by == ["process 1", "process 1", "process 2", "process 2"]
    assert [row for row in (await premises.stored())[1] if row.id == message] == before[1]


async def test_before_an_effect_is_recorded_nothing_is_fixed(premises: Premises) -> None:
    _, action = await premises.draw("await call('old'); ___result___ = 'old'")
    first = await premises.process((ASKED, 1))
    message = await premises.send(first)
    await first.stands()
    await first.end()
    await premises.redraw(action, "await call('new'); ___result___ = 'new'")
    await premises.successor()
    assert (await premises.ends(message)).result == "new"
    assert [what for _, what in premises.peer.calls] == ["new"]


# ---- a process that stands still ---------------------------------------------------------------------------------


@pytest.mark.timeout(180)
async def test_a_process_that_wakes_too_late_writes_nothing(premises: Premises) -> None:
    workflow, _ = await premises.draw(SCRIPT)
    other, found = await premises.process(), {}
    for state in CALLS["retry"]:
        frozen = await premises.process((state, 2))
        message = await premises.send(frozen, order=state)
        await frozen.stands()
        assert await premises.leases_end(other) == 1
        assert (await premises.ends(message)).summary == success(state)
        stored = await premises.stored()
        frozen.gate.opened.set()
        await frozen.rests()
        assert await premises.stored() == stored
        assert {key for key, what in premises.peer.calls if what == f"mail {state}"} == {f"{message}:{workflow.id}:2"}
        found[state] = (len(premises.peer.keys_of(f"mail {state}")), frozen.refusals.journal, frozen.refusals.outcomes)
        await frozen.end()
    assert found == {
        ASKED: (1, [2], []),
        # It was about to call: nobody but the peer, who knows the key, can tell.
        INTENT: (2, [2], []),
        CALLED: (2, [2], []),
        HEARD: (2, [2], []),
        RECORDED: (1, [], [ANY]),
        ENDED: (1, [], [ANY]),
    }


async def test_without_the_fence_it_would_write(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what the tests above look at does change where nothing holds a late process back."""
    await premises.draw(SCRIPT)
    frozen, other = await premises.process((CALLED, 2)), await premises.process()
    message = await premises.send(frozen)
    await frozen.stands()
    assert await premises.leases_end(other) == 1
    assert (await premises.ends(message)).summary == success("o-17")
    stored = await premises.stored()
    monkeypatch.setattr(frozen.office.claims, "hold", lambda _connection, held: {each for each, _epoch in held})
    frozen.gate.opened.set()
    await frozen.rests()
    assert await premises.stored() != stored
    assert await premises.journaled(message) == {2: "done"}


# ---- what changes meanwhile --------------------------------------------------------------------------------------

READS_RATE = """
await call('first');
await call('second', RATE.length);
___result___ = ['%s', RATE.length];
"""


async def test_a_workflow_and_a_variable_are_changed_meanwhile(premises: Premises) -> None:
    _, action = await premises.draw(READS_RATE % "as it was")
    rate = await premises.variables.create(premises.organization, premises.here.id, "RATE", "seventeen")
    first = await premises.process((RECORDED, 1))
    message = await premises.send(first)
    await first.stands()
    await first.end()
    await premises.redraw(action, READS_RATE % "as it is now")
    await premises.variables.set(premises.organization, rate.id, "forty-two and a half")
    second = await premises.successor()
    assert (await premises.ends(message)).result == ["as it was", len("seventeen")]
    later = await premises.send(second)
    assert (await premises.ends(later)).result == ["as it is now", len("forty-two and a half")]
    assert len(premises.peer.keys_of("first")) == 2


async def test_a_workflow_is_deleted_meanwhile(premises: Premises) -> None:
    """What has begun is brought to its end, on the version it began with; nothing new begins."""
    workflow, _ = await premises.draw(SCRIPT)
    first = await premises.process((RECORDED, 1))
    message = await premises.send(first)
    await first.stands()
    await first.end()
    await premises.workflows.delete_workflow(premises.organization, workflow.id)
    second = await premises.successor()
    assert (await premises.ends(message)).summary == success("o-17")
    later = await premises.ends(await premises.send(second))
    assert (later.state, later.code) == ("ignore", "no_workflows")
    assert len(premises.peer.calls) == 2


async def test_scripts_that_go_another_way_are_told_of_both(premises: Premises) -> None:
    """A variable that is deleted has no earlier value any more."""
    await premises.draw("await call(typeof DISCOUNT === 'undefined' ? 'full price' : 'reduced'); await call('mail')")
    discount = await premises.variables.create(premises.organization, premises.here.id, "DISCOUNT", "ten percent")
    first = await premises.process((RECORDED, 1))
    message = await premises.send(first)
    await first.stands()
    await first.end()
    await premises.variables.delete(premises.organization, discount.id)
    await premises.successor()
    ending = await premises.ends(message)
    assert (ending.state, ending.code, ending.effects) == ("fail", "non_deterministic", {1: "done"})
    words = 'NonDeterminismError: Effect 1 was call("reduced") before, and is call("full price") now'
    assert ending.error == words
    assert ending.body["errors"][0]["errorType"] == "NonDeterminismError"
    assert [what for _, what in premises.peer.calls] == ["reduced"]


# ---- messages to other workflows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [INTENT, HEARD, RECORDED, ENDED])
async def test_a_child_is_sent_once(premises: Premises, state: str) -> None:
    child, _ = await premises.draw("___result___ = 'child of ' + parent", "Child", type="workflow_trigger")
    script = f"parent = payload.order; ___result___ = await triggerWorkflow('{child.id}')"
    await premises.draw(script)
    first = await premises.process((state, 1))
    message = await premises.send(first)
    await first.stands()
    await first.end()
    await premises.successor(finds=1)
    ending = await premises.ends(message)
    assert (await premises.ends(ending.result["sequenceNumber"])).result == "child of o-17"
    assert set(await premises.office.rows()) == {message, ending.result["sequenceNumber"]}
