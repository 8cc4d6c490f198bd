"""Failures that other engines are known for, each by its name. (DBOS #716 needs a server of its own: tests/chaos.)"""

import asyncio
from typing import Any

import pytest

from pulse import Engine, Signal, WorkflowContext
from pulse.engine.work.drive import Drive
from pulse.testing import run_until_idle
from tests.contract.engine.crashes.cases import Case
from tests.contract.engine.crashes.checker import changes
from tests.contract.engine.crashes.conftest import NewStage
from tests.contract.engine.crashes.fates import Crash
from tests.contract.engine.crashes.plays import PLAYS, TWO_STEPS, act, emit, start, workflow
from tests.contract.engine.crashes.stage import Stage


async def crashed_within(stage: Stage) -> str:
    """A run whose engine died while it called the run's only handler, `held`; the run's id."""
    await stage.hand.create_workflow(workflow(stage, act("a", handler="held")))
    dying = deadly(stage, "held")
    assert await dying.during(start(stage, dying.engine))
    row = await one_row(stage)
    assert (row.status, row.state) == ("running", "running")
    return str(row.id)


class deadly(Crash):  # noqa: N801 - reads as an engine that is
    """An engine that dies whenever it calls the handler of that name."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.engine = stage.engine()
        super().__init__(self.engine)
        self.engine.register_action(name, self._die)

    async def _die(self, ctx: WorkflowContext) -> None:
        self.crash("before", self.count + 1)
        await ctx.emit(Signal(ctx.tenant_id, "test", "never.stored"))


def harmless(stage: Stage, name: str) -> Engine:
    """An engine whose handler of that name does nothing but to be called."""
    engine = stage.engine()

    @engine.action(name)
    async def harmless(ctx: WorkflowContext) -> None:
        stage.ledger.note_call(ctx)

    return engine


async def one_row(stage: Stage) -> Any:
    (row,) = (await stage.rows())["runs"]
    return row


async def test_dbos_742_a_recovery_executes_nothing_once_the_run_was_taken_from_it(new_stage: NewStage) -> None:
    """Swept, then cancelled, then claimed by whoever had seen it among what was to be recovered."""
    stage = new_stage()
    run_id = await crashed_within(stage)
    await stage.leases_end()
    await stage.hand.cancel_run(run_id)
    recovering = harmless(stage, "held")
    assert await recovering.plant.store.queue.claim(10) == []
    await run_until_idle(recovering)
    await recovering.stop()
    assert stage.ledger.calls == []
    assert (await one_row(stage)).status == "canceled"


async def test_dbos_742_what_a_recovery_finds_out_after_it_lost_the_run_is_refused(new_stage: NewStage) -> None:
    """It holds the run when another takes it over and ends it: it changes nothing, and calls nothing further."""
    stage = new_stage()
    await stage.hand.create_workflow(workflow(stage, act("a"), act("b")))
    slow, quick = stage.engine(), stage.engine()
    await emit(stage, slow)
    (stale,) = await slow.plant.store.queue.claim(1)
    await stage.leases_end()
    await run_until_idle(quick)
    before, called = await stage.rows(), len(stage.ledger.calls)
    await Drive(slow.plant.bureau, stale).to_rest()
    assert changes(before, await stage.rows()) == []
    assert [call.path for call in stage.ledger.calls[called:]] in ([], ["0"])
    assert {call.key for call in stage.ledger.calls if call.path == "0"} == {stage.ledger.calls[0].key}
    for engine in (slow, quick):
        await engine.stop()


async def test_dbos_804_an_engine_that_drains_claims_nothing_again(new_stage: NewStage) -> None:
    """Another start of the same configuration is another owner, and what is emitted meanwhile is its."""
    stage = new_stage()
    await stage.hand.create_workflow(workflow(stage, act("a", handler="held")))
    draining, begun, end = stage.engine(), asyncio.Event(), asyncio.Event()
    names: list[str] = []

    def register(engine: Engine, name: str) -> None:
        @engine.action("held")
        async def held(_ctx: WorkflowContext) -> None:
            names.append(name)
            begun.set()
            await end.wait()

    register(draining, "draining")
    await draining.start()
    await emit(stage, draining)
    await begun.wait()
    owner = (await one_row(stage)).owner
    stopping = asyncio.create_task(draining.stop())
    later = await emit(stage, stage.hand, number=1)
    following = stage.engine()
    register(following, "following")
    driving = asyncio.create_task(run_until_idle(following))
    begun.clear()
    await begun.wait()
    end.set()
    await asyncio.gather(stopping, driving)
    await following.stop()
    assert names == ["draining", "following"]
    rows = {row.trigger_id: row for row in (await stage.rows())["runs"]}
    assert {row.status for row in rows.values()} == {"completed"}
    assert rows[later.id].owner not in (None, owner)


@pytest.mark.timeout(120)
async def test_dbos_805_no_run_is_stuck_between_two_steps(new_stage: NewStage) -> None:
    """Of all the moments to crash, there is one at which step a is recorded and step b was not called yet."""
    between = 0
    for number in range(1, 30):
        case = Case(TWO_STEPS, new_stage())
        crashed = await case.crashes("after", number)
        assert not case.found
        paths = [call.path for call in case.stage.ledger.calls]
        assert paths.count("1") >= 1
        between += len(case.recorded) == 1 and list(case.recorded.values()) == [1]
        if not crashed:
            break
    assert between > 0


async def test_river_1258_no_run_is_running_for_91_days(new_stage: NewStage) -> None:
    """Nobody sweeps by hand: the duties of the engine that comes after three months do it."""
    stage = new_stage()
    run_id = await crashed_within(stage)
    stage.clock.advance(days=91)
    engine, ended = harmless(stage, "held"), asyncio.Event()
    engine.plant.bureau.hooks = type(engine.plant.bureau.hooks)(on_run_complete=lambda _event: ended.set())
    async with engine:
        await ended.wait()
    assert (await one_row(stage)).id == run_id
    assert (await one_row(stage)).status == "completed"


@pytest.mark.parametrize("name", ["sequence-with-retry", "driven-from-birth", "children"])
async def test_n8n_23807_a_run_that_ended_well_is_never_called_crashed_after_a_restart(
    new_stage: NewStage, name: str
) -> None:
    """Restarted again and again, leases over each time, taken over from every other owner: it stays as it was."""
    play = PLAYS[name]
    stage = new_stage(takes=play.takes)
    case = Case(play, stage)
    await case.crashes("before", 999)
    before = await stage.rows()
    for _ in range(4):
        await stage.leases_end()
        engine = stage.engine()
        assert await engine.plant.store.claims.take_over() == 0
        await run_until_idle(engine)
        await engine.stop()
    assert changes(before, await stage.rows()) == []
    assert {(run.status, run.deaths, run.error_message) for run in before["runs"]} == {("completed", 0, None)}


async def test_n8n_23807_nor_one_whose_engine_died_right_after_its_last_commit(new_stage: NewStage) -> None:
    number, status, stage = 0, "", new_stage()
    while status != "completed":
        number, stage = number + 1, new_stage()
        await stage.hand.create_workflow(workflow(stage, act("a")))
        engine = stage.engine()
        fate = Crash(engine)
        fate.crash("after", number)
        assert await fate.during(start(stage, engine)), "no crash left a run that was completed"
        status = (await one_row(stage)).status
    before = await one_row(stage)
    await stage.leases_end()
    following = stage.engine()
    await run_until_idle(following)
    await following.stop()
    row = await one_row(stage)
    assert (row.status, row.deaths, row.completed_at) == ("completed", 0, before.completed_at)
    assert len([call for call in stage.ledger.calls if call.run == row.id]) == 1


async def test_three_lonely_deaths_end_a_run_and_spare_the_others(new_stage: NewStage) -> None:
    """The counterpart: a step that does kill its worker each time is given up, with a reason, and nothing else is."""
    stage = new_stage()
    await stage.hand.create_workflow(workflow(stage, act("a", handler="killer")))
    await stage.hand.create_workflow(workflow(stage, act("a"), name="other"))
    await emit(stage, stage.hand)
    deaths = 0
    while await (dying := deadly(stage, "killer")).during(run_until_idle(dying.engine)):
        deaths += 1
        assert deaths < 10
        await stage.leases_end()
    await dying.engine.stop()
    rows = {len(row.error_message or ""): row for row in (await stage.rows())["runs"]}
    assert sorted(row.status for row in rows.values()) == ["completed", "failed"]
    (said,) = [row.error_message for row in rows.values() if row.status == "failed"]
    assert "WorkerCrash" in said
    # Two at which it was not alone, or not known not to be, and three at which it was.
    assert deaths == 5
