"""When runs fail: they are kept, found again, and go on where they failed. What is not wanted any more is canceled."""

from typing import Any

from pulse import Action, Delay, Engine, Fatal, RunFilter, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle


class Gateway:
    """A payment gateway that is down at first."""

    def __init__(self) -> None:
        self.is_up = False
        self.reserved: list[str] = []

    async def reserve_stock(self, ctx: WorkflowContext) -> None:
        self.reserved.append(str(ctx.trigger.resource_id))

    async def charge(self, ctx: WorkflowContext) -> dict[str, Any]:
        if not self.is_up:
            raise Fatal("The gateway is closed for maintenance.")
        return {"charged": ctx.trigger.payload["amount"]}


async def main(engine: Engine) -> list[WorkflowRun]:
    """Two payments fail and are retried; a roll-out is canceled. The runs as they are in the end."""
    gateway = Gateway()
    engine.register_action("reserve_stock", gateway.reserve_stock)
    engine.register_action("charge", gateway.charge)
    engine.register_action("roll_out", lambda _ctx: {"rolled_out": True})
    await engine.create_workflow(
        Workflow("acme", "Payment", "payment.due", steps=(Action("reserve_stock"), Action("charge")))
    )
    for order, amount in (("order-1", 20), ("order-2", 35)):
        await engine.emit(Signal("acme", "shop", "payment.due", resource_id=order, payload={"amount": amount}))
    await run_until_idle(engine)

    failed = await engine.get_failed_runs("acme")
    for run in failed:
        print(f"failed: {run.error_message}")
    gateway.is_up = True
    for run in failed:
        await engine.retry_run(run.id)
    await run_until_idle(engine)
    # `retry_runs` and `cancel_runs` do the same to every run that a filter names.
    print(f"completed now: {len(await engine.list_runs(RunFilter(tenant_id='acme', status='completed')))}")
    print(f"reserved once each: {gateway.reserved}")
    return [await canceled(engine), *await engine.list_runs(RunFilter(workflow="Payment"))]


async def canceled(engine: Engine) -> WorkflowRun:
    """A run that waits, and is not wanted any more."""
    steps = (Delay("wait_for_quiet_hours", hours=6), Action("roll_out"))
    await engine.create_workflow(Workflow("acme", "Roll-out", "deployment.ready", steps=steps))
    trigger = await engine.emit(Signal("acme", "deployments", "deployment.ready"))
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    gone = await engine.cancel_run(run.id, "Superseded by a newer deployment")
    print(f"{gone.status}: {gone.cancel_reason}")
    return gone


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
