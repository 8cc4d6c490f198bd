"""A person decides: the run waits a week at most for a signal about the same claim, and holds nothing meanwhile."""

from typing import Any

from pulse import Action, Condition, Engine, Signal, Wait, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import run_until_idle

WEEK_MS = 7 * 24 * 3_600_000
EXPENSE_CLAIM = Workflow(
    tenant_id="acme",
    name="Expense claim",
    trigger_type="expense.claimed",
    steps=(
        Action("ask_manager"),
        Wait(
            "decision",
            signal_type="expense.decided",
            match={"resource_id": "$.resource_id"},
            timeout_ms=WEEK_MS,
            on_timeout="fail",
        ),
        Condition("is_approved"),
        Action("pay_out"),
    ),
)


async def ask_manager(ctx: WorkflowContext) -> None:
    print(f"{ctx.trigger.resource_id}: a manager is asked")


async def is_approved(ctx: WorkflowContext) -> bool:
    # The payload of the signal that came is the result of the wait.
    return bool(ctx.run.context["decision"]["approved"])


async def pay_out(ctx: WorkflowContext) -> dict[str, Any]:
    print(f"{ctx.trigger.resource_id}: paid, as {ctx.run.context['decision']['by']} approved")
    return {"paid": ctx.trigger.payload["amount"]}


def register(engine: Engine) -> None:
    engine.register_action("ask_manager", ask_manager)
    engine.register_condition("is_approved", is_approved)
    engine.register_action("pay_out", pay_out)


def claimed(claim: str) -> Signal:
    return Signal("acme", "expenses", "expense.claimed", resource_id=claim, payload={"amount": 90})


def decided(claim: str, *, approved: bool) -> Signal:
    payload = {"approved": approved, "by": "Grace"}
    return Signal("acme", "expenses", "expense.decided", resource_id=claim, payload=payload)


async def main(engine: Engine) -> list[WorkflowRun]:
    """Three claims: one is approved, one refused, one nobody looks at. With the machine's clock, it goes on waiting."""
    register(engine)
    await engine.create_workflow(EXPENSE_CLAIM)
    triggers = await engine.emit_many([claimed(claim) for claim in ("claim-1", "claim-2", "claim-3")])
    await run_until_idle(engine)
    await engine.emit(decided("claim-1", approved=True))
    await engine.emit(decided("claim-2", approved=False))
    await run_until_idle(engine)
    runs = [run for trigger in triggers for run in await engine.get_runs_by_trigger(trigger.id)]
    for trigger, run in zip(triggers, runs, strict=True):
        print(f"{trigger.resource_id}: {run.status}")
    return runs


if __name__ == "__main__":
    from running import run

    run(main)
