"""How a workflow is tested: time is moved by hand, so that thirty days take milliseconds.

python -m pytest examples/engine/test_trial.py
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from examples.engine.trial import TRIAL_EXPIRATION, Billing, expiring
from pulse import Action, Delay, Engine, Workflow
from pulse.testing import FakeClock, run_until_idle


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = Engine(f"sqlite+aiosqlite:///{tmp_path}/pulse.db", clock=FakeClock())
    await made.migrate()
    yield made
    await made.stop()


async def test_who_does_not_upgrade_is_downgraded_after_three_days(engine: Engine) -> None:
    billing = Billing({"ada": "trial"})
    billing.register(engine)
    await engine.create_workflow(TRIAL_EXPIRATION)
    trigger = await engine.emit(expiring("ada"))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    assert run.status == "completed"
    assert run.completed_at == trigger.created_at + timedelta(days=3)
    assert billing.plans == {"ada": "free"}
    assert billing.warned == ["ada@example.com"]


async def test_who_upgrades_keeps_the_plan(engine: Engine) -> None:
    billing = Billing({"ada": "pro"})
    billing.register(engine)
    await engine.create_workflow(TRIAL_EXPIRATION)
    await engine.emit(expiring("ada"))
    await run_until_idle(engine)
    assert billing.plans == {"ada": "pro"}


async def test_thirty_days_pass_at_once(engine: Engine) -> None:
    billing = Billing({"ada": "trial"})
    billing.register(engine)
    steps = (Delay("a_month", days=30), Action("downgrade_to_free"))
    await engine.create_workflow(Workflow("acme", "A month later", "trial.expiring", steps=steps))
    trigger = await engine.emit(expiring("ada"))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    assert run.completed_at == trigger.created_at + timedelta(days=30)
