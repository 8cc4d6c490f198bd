"""A trial ends: warn its owner, wait three days, and move whoever has not upgraded to the free plan.

The clock is a FakeClock, so the three days take milliseconds. `test_trial.py` tests this workflow.
"""

from typing import Any

from pulse import Action, Condition, Delay, Engine, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle

TRIAL_EXPIRATION = Workflow(
    tenant_id="acme",
    name="Trial expiration",
    trigger_type="trial.expiring",
    steps=(
        Action("send_trial_warning"),
        Delay("wait_3_days", days=3),
        Condition("has_not_upgraded"),
        Action("downgrade_to_free"),
    ),
)


class Billing:
    """What the application would ask its billing provider. `plans` are by account."""

    def __init__(self, plans: dict[str, str]) -> None:
        self.plans = plans
        self.warned: list[str] = []

    async def send_trial_warning(self, ctx: WorkflowContext) -> None:
        self.warned.append(ctx.trigger.payload["email"])

    async def has_not_upgraded(self, ctx: WorkflowContext) -> bool:
        return self.plans[_account(ctx)] == "trial"

    async def downgrade_to_free(self, ctx: WorkflowContext) -> dict[str, Any]:
        self.plans[_account(ctx)] = "free"
        ctx.log("Downgraded to the free plan")
        return {"plan": "free"}

    def register(self, engine: Engine) -> None:
        engine.register_action("send_trial_warning", self.send_trial_warning)
        engine.register_condition("has_not_upgraded", self.has_not_upgraded)
        engine.register_action("downgrade_to_free", self.downgrade_to_free, replay_safe=True)


def _account(ctx: WorkflowContext) -> str:
    assert ctx.trigger.resource_id is not None
    return ctx.trigger.resource_id


def expiring(account: str) -> Signal:
    payload = {"email": f"{account}@example.com", "days_left": 3}
    return Signal(tenant_id="acme", source="billing", type="trial.expiring", resource_id=account, payload=payload)


async def main(engine: Engine) -> list[WorkflowRun]:
    """Ada does nothing; Grace upgrades before the three days are over."""
    billing = Billing({"ada": "trial", "grace": "trial"})
    billing.register(engine)
    await engine.create_workflow(TRIAL_EXPIRATION)
    triggers = await engine.emit_many([expiring("ada"), expiring("grace")])
    billing.plans["grace"] = "pro"
    await run_until_idle(engine)
    runs = [run for trigger in triggers for run in await engine.get_runs_by_trigger(trigger.id)]
    print(f"warned: {billing.warned}, plans now: {billing.plans}")
    return runs


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
