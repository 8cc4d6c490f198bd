"""One workflow starts another: an action that mends a service says so with a signal of its own."""

from typing import Any

from pulse import Action, Engine, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle

FIXES = {"cache": "restarted it"}


async def attempt_auto_fix(ctx: WorkflowContext) -> dict[str, Any]:
    fix = FIXES.get(ctx.trigger.resource_id or "")
    if fix is not None:
        # Emitted once, however often this action is tried.
        await ctx.emit(
            Signal(
                tenant_id=ctx.tenant_id,
                source="auto-remediation",
                type="service.recovered",
                resource_type="service",
                resource_id=ctx.trigger.resource_id,
                payload={"fix": fix},
            )
        )
    return {"fixed": fix is not None}


async def close_incident(ctx: WorkflowContext) -> dict[str, Any]:
    print(f"{ctx.trigger.resource_id}: closed, because {ctx.trigger.source} {ctx.trigger.payload['fix']}")
    return {"closed": ctx.trigger.resource_id}


async def main(engine: Engine) -> list[WorkflowRun]:
    """Two services are degraded; one can be mended. The runs of both workflows."""
    engine.register_action("attempt_auto_fix", attempt_auto_fix, replay_safe=True)
    engine.register_action("close_incident", close_incident)
    await engine.create_workflow(
        Workflow("acme", "Mend what can be mended", "service.degraded", steps=(Action("attempt_auto_fix"),))
    )
    await engine.create_workflow(
        Workflow("acme", "Close on recovery", "service.recovered", steps=(Action("close_incident"),))
    )
    for service in ("cache", "database"):
        await engine.emit(Signal("acme", "monitoring", "service.degraded", resource_id=service))
    await run_until_idle(engine)
    return await engine.list_runs()


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
