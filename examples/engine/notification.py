"""Several channels at once: the branches of a parallel step run side by side, and the next step waits for them all."""

from typing import Any

from pulse import Action, Engine, Parallel, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import FakeClock, run_until_idle

MULTI_CHANNEL_ALERT = Workflow(
    tenant_id="acme",
    name="Multi-channel alert",
    trigger_type="alert.triggered",
    steps=(
        Parallel(
            "notify_all",
            branches=(
                (Action("send_email"), Action("log_email_sent")),
                (Action("send_chat"),),
                (Action("send_text"),),
            ),
        ),
        Action("mark_notified"),
    ),
    config={"send_email": "on-call@example.com", "send_chat": "#alerts", "send_text": "+15550100"},
)


async def send(ctx: WorkflowContext) -> dict[str, Any]:
    """One handler for three steps: the workflow's config says whom each of them tells."""
    return {"to": ctx.config[ctx.step.name]}


async def log_email_sent(ctx: WorkflowContext) -> None:
    ctx.log("E-mail sent", dict(ctx.run.context["send_email"]))


async def mark_notified(ctx: WorkflowContext) -> dict[str, Any]:
    told = sorted(value["to"] for name, value in ctx.run.context.items() if name.startswith("send_"))
    print(f"told: {', '.join(told)}")
    return {"told": told}


async def main(engine: Engine) -> WorkflowRun:
    """One alert, told in three ways."""
    for name in ("send_email", "send_chat", "send_text"):
        engine.register_action(name, send)
    engine.register_action("log_email_sent", log_email_sent, replay_safe=True)
    engine.register_action("mark_notified", mark_notified, replay_safe=True)
    await engine.create_workflow(MULTI_CHANNEL_ALERT)
    trigger = await engine.emit(Signal("acme", "monitoring", "alert.triggered", payload={"text": "disk is full"}))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    return run


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock())
