"""A step that waits for other workflows: an order is sent when everything that `order.paid` starts has ended."""

from typing import Any

from pulse import Action, Delay, Emit, Engine, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle

ORDER = Workflow(
    tenant_id="acme",
    name="Order",
    trigger_type="order.placed",
    steps=(Emit("order.paid", payload={"order": "$.resource_id"}, wait=True), Action("send_parcel")),
)
# Two workflows of their own, each with its own steps, waits and retries; both are started by the one signal.
PACKING = Workflow("acme", "Packing", "order.paid", steps=(Delay("fetch_it", hours=2), Action("pack")))
INVOICE = Workflow("acme", "Invoice", "order.paid", steps=(Action("write_invoice"),))


async def send_parcel(ctx: WorkflowContext) -> dict[str, Any]:
    children = ctx.run.context["order.paid"]["runs"]
    print(f"{ctx.trigger.resource_id} is sent after {len(children)} other runs")
    return {"after": [child["status"] for child in children]}


async def main(engine: Engine) -> list[WorkflowRun]:
    """The run of the order, and its two children."""
    engine.register_action("pack", lambda ctx: {"packed": ctx.trigger.payload["order"]})
    engine.register_action("write_invoice", lambda ctx: {"invoice_for": ctx.trigger.payload["order"]})
    engine.register_action("send_parcel", send_parcel)
    for workflow in (ORDER, PACKING, INVOICE):
        await engine.create_workflow(workflow)
    trigger = await engine.emit(Signal("acme", "shop", "order.placed", resource_id="order-1"))
    await run_until_idle(engine)
    (order,) = await engine.get_runs_by_trigger(trigger.id)
    children = await engine.get_runs_by_trigger(order.context["order.paid"]["triggerId"])
    for run in (order, *children):
        print(f"{run.definition_snapshot['name']:<8} {run.status}, parent: {run.parent_run_id}")
    return [order, *children]


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
