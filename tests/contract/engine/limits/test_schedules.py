"""Workflows whose trigger is emitted by itself: when, how often, and what happens to times that were missed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from pulse import Action, Engine, Wait, Workflow
from pulse.core.errors import InvalidFields
from pulse.testing import FakeClock, run_until_idle
from tests.contract.engine.workshop import A, B, OpenEngine, recorder, runs_of, signal, workflow

pytestmark = pytest.mark.usefixtures("bystander")


def daily(tenant: str = A, **options: Any) -> Workflow:
    """At 02:00 UTC, from 2026-01-01 00:00 on, if nothing else is said."""
    return workflow(Action("clean"), tenant=tenant, **{"on": "clean.up", "cron_expression": "0 2 * * *"} | options)


async def passes(engine: Engine, clock: FakeClock, **time: float) -> None:
    clock.advance(**time)
    await run_until_idle(engine)


def fired_for(done: Any) -> list[str]:
    """The times for which the runs were started, as in "01T02:00"."""
    return [payload["scheduledFor"][8:16] for payload in done.payloads]


async def test_the_trigger_is_emitted_when_the_time_comes(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    engine.register_trigger("clean.up", source="housekeeping")
    await engine.create_workflow(daily())
    await passes(engine, clock, hours=1, minutes=59)
    assert done.calls == []
    await passes(engine, clock, minutes=1)
    await passes(engine, clock, days=1)
    assert fired_for(done) == ["01T02:00", "02T02:00"]
    sent = done.calls[0].trigger
    assert (sent.tenant_id, sent.type, sent.source) == (A, "clean.up", "housekeeping")
    assert await engine.get_trigger(sent.id) == sent


@pytest.mark.parametrize(
    ("zone", "hours"), [("UTC", 2), ("Europe/Berlin", 1), ("America/New_York", 7), ("Asia/Kolkata", 20.5)]
)
async def test_the_time_is_that_of_the_zone(engine: Engine, clock: FakeClock, zone: str, hours: float) -> None:
    done = recorder(engine, "clean")
    await engine.create_workflow(daily(cron_timezone=zone))
    await passes(engine, clock, hours=hours - 0.01)
    assert done.calls == []
    await passes(engine, clock, hours=0.01)
    assert len(done.calls) == 1


async def test_a_time_that_the_clocks_skip_fires_once(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    clock.advance_to(round(datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp() * 1000))
    await engine.create_workflow(daily(cron_expression="30 2 * * *", cron_timezone="Europe/Berlin"))
    for _ in range(48):
        await passes(engine, clock, hours=1)
    assert fired_for(done) == ["29T01:00", "30T00:30"]


async def test_one_time_fires_once(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    at = clock.now + timedelta(days=3, minutes=1)
    await engine.create_workflow(daily(cron_expression=None, run_at=at))
    await passes(engine, clock, days=3)
    assert done.calls == []
    for _ in range(3):
        await passes(engine, clock, days=3)
    assert [payload["scheduledFor"] for payload in done.payloads] == [at.isoformat()]


@pytest.mark.parametrize(
    ("missed", "fires"),
    [("none", []), ("last", ["04T02:00"]), ("all", ["01T02:00", "02T02:00", "03T02:00", "04T02:00"])],
)
async def test_times_at_which_nobody_ran(
    engine: Engine, clock: FakeClock, missed: Literal["none", "last", "all"], fires: list[str]
) -> None:
    done = recorder(engine, "clean")
    await engine.create_workflow(daily(missed_runs=missed))
    await passes(engine, clock, days=3, hours=12)
    assert sorted(fired_for(done)) == fires
    await passes(engine, clock, hours=14)
    assert sorted(fired_for(done)) == [*fires, "05T02:00"]


async def test_a_time_that_is_just_over_is_not_missed(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    await engine.create_workflow(daily(missed_runs="none"))
    await passes(engine, clock, hours=2, seconds=59)
    assert fired_for(done) == ["01T02:00"]


async def held_up(engine: Engine, clock: FakeClock, overlap: str) -> list[int]:
    """Three times pass while the first run waits; then each run is let go, one after another."""
    wait = Wait("go", signal_type="go", match={"payload.time": "$.payload.scheduledFor"})
    await engine.create_workflow(
        workflow(wait, Action("clean"), on="clean.up", cron_expression="0 2 * * *", missed_runs="all", overlap=overlap)
    )
    await passes(engine, clock, hours=2)
    for _ in range(2):
        await passes(engine, clock, days=1)
    found = []
    for _ in range(4):
        waiting = [run for run in await runs_of(engine) if run.status == "waiting"]
        found.append(len(waiting))
        for trigger in [await engine.get_trigger(run.trigger_id) for run in waiting]:
            assert trigger is not None
            await engine.emit(signal("go", payload={"time": trigger.payload["scheduledFor"]}))
        await run_until_idle(engine)
    return found


async def test_a_time_may_overlap_with_the_run_of_an_earlier_one(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    assert await held_up(engine, clock, "allow") == [3, 0, 0, 0]
    assert sorted(fired_for(done)) == ["01T02:00", "02T02:00", "03T02:00"]


async def test_or_be_left_out(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    assert await held_up(engine, clock, "skip") == [1, 0, 0, 0]
    assert fired_for(done) == ["01T02:00"]
    await passes(engine, clock, days=1)
    assert [run.status for run in await runs_of(engine)] == ["completed", "waiting"]


async def test_or_wait_for_its_turn(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    assert await held_up(engine, clock, "queue") == [1, 1, 1, 0]
    assert fired_for(done) == ["01T02:00", "02T02:00", "03T02:00"]


async def test_two_processes_fire_each_time_once(engine: Engine, beside: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    for each in (engine, beside):
        each.register_trigger("clean.up", source="housekeeping")
    for tenant in (A, B):
        await engine.create_workflow(daily(tenant, cron_expression="*/10 * * * *"))
    for _ in range(20):
        clock.advance(minutes=10)
        await asyncio.gather(*(each.plant.fire() for each in [engine, beside] * 2))
    await run_until_idle(engine)
    assert sorted(done.tenants) == [A] * 21 + [B] * 21
    assert len({(ctx.tenant_id, ctx.trigger.payload["scheduledFor"]) for ctx in done.calls}) == 42


async def test_a_disabled_workflow_does_not_fire_until_it_is_enabled(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    made = await engine.create_workflow(daily())
    await engine.disable_workflow(made.id)
    await passes(engine, clock, days=2)
    assert done.calls == []
    await engine.enable_workflow(made.id)
    await passes(engine, clock, hours=2)
    assert fired_for(done) == ["03T02:00"]


async def test_one_that_was_made_disabled_fires_when_it_is_enabled(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    made = await engine.create_workflow(daily(is_enabled=False))
    await engine.enable_workflow(made.id)
    await passes(engine, clock, hours=2)
    assert len(done.calls) == 1


async def test_a_new_version_has_its_own_times(engine: Engine, clock: FakeClock) -> None:
    done = recorder(engine, "clean")
    await engine.create_workflow(daily())
    await engine.create_workflow(daily(cron_expression="0 5 * * *"))
    await passes(engine, clock, hours=4)
    assert done.calls == []
    await passes(engine, clock, hours=1)
    await engine.create_workflow(daily(cron_expression=None))
    await passes(engine, clock, days=3)
    assert fired_for(done) == ["01T05:00"]


async def test_a_new_version_still_minds_the_run_that_goes_on(engine: Engine, clock: FakeClock) -> None:
    wait = Wait("go", signal_type="go")
    for hour in (2, 3):
        made = workflow(wait, on="clean.up", cron_expression=f"0 {hour} * * *", overlap="skip")
        await engine.create_workflow(made)
        await passes(engine, clock, hours=hour)
    assert len(await runs_of(engine)) == 1


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"cron_expression": "0 2 * *"}, "cron_expression"),
        ({"cron_expression": "61 2 * * *"}, "cron_expression"),
        ({"cron_timezone": "Mars/Olympus"}, "cron_timezone"),
        ({"run_at": datetime(2026, 1, 2, tzinfo=UTC)}, "run_at"),
    ],
)
async def test_times_that_make_no_sense_are_refused(engine: Engine, options: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await engine.create_workflow(daily(**options))
    assert [fault.path for fault in refused.value.faults] == [path]


async def test_a_running_engine_fires_by_itself(open_engine: OpenEngine, engine: Engine, clock: FakeClock) -> None:
    ended = asyncio.Event()
    running = open_engine(on_run_complete=lambda _event: ended.set())
    done = recorder(running, "clean")
    clock.advance(hours=1, minutes=59, seconds=59, ms=999)
    async with running, asyncio.timeout(20):
        await running.create_workflow(daily())
        clock.advance(ms=1)
        await running.create_workflow(daily(name="Other", is_enabled=False))
        await ended.wait()
    assert fired_for(done) == ["01T02:00"]


async def test_a_running_engine_looks_at_a_time_that_waits_for_its_turn_now_and_then(
    open_engine: OpenEngine, engine: Engine, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not again and again without a pause, as long as the run of the earlier time goes on."""
    await engine.create_workflow(
        workflow(Wait("go", signal_type="go"), on="clean.up", cron_expression="0 2 * * *", overlap="queue")
    )
    await passes(engine, clock, hours=2)
    clock.advance(days=1)
    looked, seconds = 0, 0.5
    running = open_engine()
    fire = running.plant.store.schedules.fire_due

    async def count() -> Any:
        nonlocal looked
        looked += 1
        return await fire()

    monkeypatch.setattr(running.plant.store.schedules, "fire_due", count)
    async with running:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()
    assert 1 <= looked <= 20
