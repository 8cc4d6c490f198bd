"""The nightly workflow of examples/engine/cleanup.py as it lives in production: switched on, deployed, changed."""

from dataclasses import replace

import pytest

from pulse import Engine
from pulse.testing import FakeClock, run_until_idle
from tests.integration.examples.conftest import OpenEngine, example


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def nightly(open_engine: OpenEngine, clock: FakeClock) -> Engine:
    """An engine that has the handlers; the workflow is not there yet."""
    engine = await open_engine(clock=clock)
    for name in ("delete_old_records", "send_cleanup_report"):
        engine.register_action(name, getattr(example("cleanup"), name))
    return engine


async def nights(engine: Engine) -> list[str]:
    """The times that were fired."""
    await run_until_idle(engine)
    return [run.context["delete_old_records"]["as_of"] for run in reversed(await engine.list_runs())]


async def test_one_that_was_made_disabled_runs_once_it_is_enabled(nightly: Engine, clock: FakeClock) -> None:
    made = await nightly.create_workflow(replace(example("cleanup").DAILY_CLEANUP, is_enabled=False))
    clock.advance(days=1)
    assert await nights(nightly) == []
    await nightly.enable_workflow(made.id)
    clock.advance(days=1)
    assert await nights(nightly) == ["2026-01-02T01:00:00+00:00"]


async def test_a_night_that_passed_during_a_deployment_is_not_lost(nightly: Engine, clock: FakeClock) -> None:
    workflow = example("cleanup").DAILY_CLEANUP
    await nightly.create_workflow(workflow)
    clock.advance(hours=1, minutes=30)  # nobody ran at two o'clock
    await nightly.create_workflow(workflow)
    assert await nights(nightly) == ["2026-01-01T01:00:00+00:00"]


async def test_enabling_what_is_enabled_loses_no_night(nightly: Engine, clock: FakeClock) -> None:
    made = await nightly.create_workflow(example("cleanup").DAILY_CLEANUP)
    clock.advance(hours=1, minutes=30)
    await nightly.enable_workflow(made.id)
    assert await nights(nightly) == ["2026-01-01T01:00:00+00:00"]


async def test_other_times_begin_from_now(nightly: Engine, clock: FakeClock) -> None:
    workflow = example("cleanup").DAILY_CLEANUP
    await nightly.create_workflow(workflow)
    clock.advance(hours=1, minutes=30)
    await nightly.create_workflow(replace(workflow, cron_expression="0 4 * * *"))
    assert await nights(nightly) == []
    clock.advance(hours=2)
    assert await nights(nightly) == ["2026-01-01T03:00:00+00:00"]


async def test_a_workflow_without_times_any_more_fires_nothing(nightly: Engine, clock: FakeClock) -> None:
    workflow = example("cleanup").DAILY_CLEANUP
    await nightly.create_workflow(workflow)
    await nightly.create_workflow(replace(workflow, cron_expression=None))
    clock.advance(days=2)
    assert await nights(nightly) == []
