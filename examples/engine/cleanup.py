"""Every night at two: a workflow with a cron expression emits its own signal. Three nights pass at once here."""

from typing import Any

from pulse import Action, Engine, RunFilter, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle

CLOCK = FakeClock()
DAILY_CLEANUP = Workflow(
    tenant_id="acme",
    name="Daily cleanup",
    trigger_type="maintenance.cleanup",
    steps=(Action("delete_old_records"), Action("send_cleanup_report")),
    cron_expression="0 2 * * *",
    cron_timezone="Europe/Berlin",
)


async def delete_old_records(ctx: WorkflowContext) -> dict[str, Any]:
    return {"deleted": 7, "as_of": ctx.trigger.payload["scheduledFor"]}


async def send_cleanup_report(ctx: WorkflowContext) -> None:
    done = ctx.run.context["delete_old_records"]
    print(f"{done['as_of']}: {done['deleted']} records deleted")


async def main(engine: Engine) -> list[WorkflowRun]:
    """Three nights with the workflow enabled, two with it disabled; the runs, the newest first."""
    engine.register_action("delete_old_records", delete_old_records)
    engine.register_action("send_cleanup_report", send_cleanup_report)
    cleanup = await engine.create_workflow(DAILY_CLEANUP)
    for _night in range(3):
        CLOCK.advance(days=1)
        await run_until_idle(engine)
    await engine.disable_workflow(cleanup.id)
    CLOCK.advance(days=2)
    await run_until_idle(engine)
    return await engine.list_runs(RunFilter(workflow="Daily cleanup"))


if __name__ == "__main__":
    from running import run

    run(main, clock=CLOCK)
