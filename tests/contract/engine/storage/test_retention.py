"""Old runs are deleted in batches, and nothing else is."""

from datetime import timedelta

import pytest

from pulse import Action, Delay, Emit, Engine, Wait
from pulse.engine.store import retention
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.conftest import rows_of
from tests.contract.engine.workshop import A, B, OpenEngine, again, recorder, run_of, signal, workflow

APPROVED = "order.approved"


@pytest.fixture
def keeper(open_engine: OpenEngine, engine: Engine) -> Engine:
    """An engine that keeps runs for a day."""
    return open_engine(keep_runs=timedelta(days=1))


async def enforce(engine: Engine) -> list[int]:
    """How many were deleted in each batch, until there was no more."""
    batches: list[int] = []
    while deleted := await engine.plant._retention.enforce():
        batches.append(deleted)
    return batches


async def test_runs_that_ended_long_ago_go_with_all_that_belongs_to_them(keeper: Engine, clock: FakeClock) -> None:
    keeper.register_action("ship", lambda ctx: ctx.log("shipped"))
    await keeper.create_workflow(workflow(Action("ship")))
    run = await run_of(keeper, signal())
    clock.advance(days=1)
    assert await enforce(keeper) == []
    clock.advance(ms=1)
    await enforce(keeper)
    assert await keeper.get_run(run.id) is None
    assert await keeper.get_trigger(run.trigger_id) is None
    left = {name: rows for name, rows in (await rows_of(keeper, A)).items() if rows}
    assert [name.rpartition("workflow_")[2] for name in left] == ["definitions"]


async def test_what_goes_on_stays_however_old_it_is(keeper: Engine, clock: FakeClock) -> None:
    await keeper.create_workflow(workflow(Wait("never", signal_type="never")))
    run = await run_of(keeper, signal())
    clock.advance(days=100)
    await enforce(keeper)
    assert await again(keeper, run) == run
    assert await keeper.get_trigger(run.trigger_id) is not None


async def test_a_run_that_ended_lately_stays_however_old_it_is(keeper: Engine, clock: FakeClock) -> None:
    await keeper.create_workflow(workflow(Delay("month", days=30)))
    run = await run_of(keeper, signal())
    clock.advance(hours=12)
    await enforce(keeper)
    assert await again(keeper, run) == run
    clock.advance(hours=13)
    await enforce(keeper)
    assert await keeper.get_run(run.id) is None


async def test_a_run_of_one_tenant_goes_and_one_of_another_stays(keeper: Engine, clock: FakeClock) -> None:
    recorder(keeper, "ship")
    for tenant in (A, B):
        await keeper.create_workflow(workflow(Action("ship"), tenant=tenant))
    old = await run_of(keeper, signal(tenant=A))
    clock.advance(days=2)
    young = await run_of(keeper, signal(tenant=B))
    before = await rows_of(keeper, B)
    await enforce(keeper)
    assert await keeper.get_run(old.id) is None
    assert await again(keeper, young) == young
    assert await rows_of(keeper, B) == before


async def test_they_are_deleted_in_batches(keeper: Engine, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    recorder(keeper, "ship")
    await keeper.create_workflow(workflow(Action("ship")))
    await keeper.emit_many([signal() for _ in range(35)])
    await run_until_idle(keeper)
    clock.advance(days=2)
    batches = await enforce(keeper)
    assert max(batches) <= 20
    assert sum(batches) == 70


async def test_a_signal_stays_as_long_as_a_run_of_it_does(keeper: Engine, clock: FakeClock) -> None:
    recorder(keeper, "ship")
    await keeper.create_workflow(workflow(Action("ship"), name="Short"))
    await keeper.create_workflow(workflow(Wait("never", signal_type="never"), name="Long"))
    trigger = await keeper.emit(signal())
    await run_until_idle(keeper)
    clock.advance(days=2)
    await enforce(keeper)
    (left,) = await keeper.get_runs_by_trigger(trigger.id)
    assert left.definition_snapshot["name"] == "Long"
    assert await keeper.get_trigger(trigger.id) == trigger


async def test_without_a_time_everything_is_kept(open_engine: OpenEngine, engine: Engine, clock: FakeClock) -> None:
    forever = open_engine(keep_runs=None)
    recorder(forever, "ship")
    await forever.create_workflow(workflow(Action("ship")))
    run = await run_of(forever, signal())
    clock.advance(days=10_000)
    assert await enforce(forever) == []
    assert await again(forever, run) == run


async def test_by_default_they_are_kept_for_90_days(engine: Engine, clock: FakeClock) -> None:
    recorder(engine, "ship")
    await engine.create_workflow(workflow(Action("ship")))
    run = await run_of(engine, signal())
    clock.advance(days=90)
    assert await enforce(engine) == []
    clock.advance(ms=1)
    await enforce(engine)
    assert await engine.get_run(run.id) is None


async def test_a_key_is_free_again_when_its_signal_is_gone(keeper: Engine, clock: FakeClock) -> None:
    first = await keeper.emit(signal(idempotency_key="key"))
    clock.advance(days=2)
    await enforce(keeper)
    assert (await keeper.emit(signal(idempotency_key="key"))).id != first.id


async def test_a_run_with_a_signal_of_long_ago_goes_on(keeper: Engine, clock: FakeClock) -> None:
    first, second = Wait("first", signal_type=APPROVED), Wait("second", signal_type=APPROVED)
    await keeper.create_workflow(workflow(first, Delay("later", days=10), Emit("more", wait=True), second))
    await keeper.create_workflow(workflow(Delay("short", hours=1), name="More", on="more"))
    run = await run_of(keeper, signal())
    await keeper.emit(signal(APPROVED, payload={"n": 1}))
    await run_until_idle(keeper)
    clock.advance(days=5)
    await enforce(keeper)
    await keeper.emit(signal(APPROVED, payload={"n": 2}))
    await run_until_idle(keeper)
    found = await again(keeper, run)
    assert found.status == "completed"
    assert (found.context["first"], found.context["second"]) == ({"n": 1}, {"n": 2})
