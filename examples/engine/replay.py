"""A stored signal is run again: actions that must not happen twice are skipped, and a dry run skips all of them."""

from typing import Any

from pulse import Action, Engine, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle

ORDER_PLACED = Workflow(
    tenant_id="acme",
    name="Order placed",
    trigger_type="order.replayable",
    steps=(Action("compute_total"), Action("send_receipt")),
)


async def compute_total(ctx: WorkflowContext) -> dict[str, Any]:
    return {"total": sum(ctx.trigger.payload["prices"]), "again": ctx.is_replay}


async def send_receipt(ctx: WorkflowContext) -> None:
    print(f"a receipt over {ctx.run.context['compute_total']['total']} is sent")


async def main(engine: Engine) -> dict[str, WorkflowRun]:
    """The first run, a replay and a dry run of the same signal."""
    engine.register_action("compute_total", compute_total, replay_safe=True)
    engine.register_action("send_receipt", send_receipt)  # not replay-safe: nobody wants two receipts
    await engine.create_workflow(ORDER_PLACED)
    trigger = await engine.emit(Signal("acme", "shop", "order.replayable", payload={"prices": [12, 30]}))
    await run_until_idle(engine)
    (first,) = await engine.get_runs_by_trigger(trigger.id)
    (again,) = await engine.replay(trigger.id)
    (dry,) = await engine.replay(trigger.id, dry_run=True)
    await run_until_idle(engine)
    found = {}
    for name, run in {"first": first, "replay": again, "dry run": dry}.items():
        steps = [f"{step.name}: {step.status}" for step in await engine.get_run_steps(run.id)]
        print(f"{name:<8} {', '.join(steps)}")
        ended = await engine.get_run(run.id)
        assert ended is not None
        found[name] = ended
    return found


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
