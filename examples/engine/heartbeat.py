"""A service misses a heartbeat: wait, look again, and only then open an incident and page whoever is on call.

This one runs as an application does: the engine is started, and works beside whatever else the program does.
"""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from pulse import Action, Condition, Delay, Engine, RetryPolicy, Signal, Workflow, WorkflowContext, WorkflowRun

UNHEALTHY = {"api-server"}


class HeartbeatMissed(BaseModel):
    """The payload: a signal without it is refused where it is emitted."""

    last_seen_at: datetime


async def is_still_failing(ctx: WorkflowContext) -> bool:
    return ctx.trigger.resource_id in UNHEALTHY


async def create_incident(ctx: WorkflowContext) -> dict[str, Any]:
    incident = {"incident_id": f"INC-{ctx.trigger.resource_id}", "severity": ctx.config["severity"]}
    ctx.log("Incident created", incident)
    return incident


async def page_on_call(ctx: WorkflowContext) -> dict[str, Any]:
    # What an earlier action returned is in the context, under its name.
    return {"paged_about": ctx.run.context["create_incident"]["incident_id"]}


def workflow(pause_ms: float) -> Workflow:
    """Five minutes would be the pause in earnest."""
    return Workflow(
        tenant_id="acme",
        name="Incident on missed heartbeat",
        trigger_type="heartbeat.missed",
        environment_filter="production",
        resource_type_filter="service",
        steps=(
            Delay("settle_down", ms=pause_ms),
            Condition("is_still_failing"),
            Action("create_incident", retry_policy=RetryPolicy(max_attempts=3, backoff_ms=5_000), timeout_ms=30_000),
            Action("page_on_call"),
        ),
        config={"severity": "high"},
    )


async def main(engine: Engine) -> list[WorkflowRun]:
    """One service that stays down, one that came back: an incident for the first alone."""
    engine.register_trigger(
        "heartbeat.missed", source="heartbeat", resource_type="service", payload_schema=HeartbeatMissed
    )
    engine.register_condition("is_still_failing", is_still_failing)
    engine.register_action("create_incident", create_incident, replay_safe=True)
    engine.register_action("page_on_call", page_on_call)
    await engine.create_workflow(workflow(pause_ms=200))
    await engine.start()
    return [await missed(engine, service) for service in ("api-server", "web-server")]


async def missed(engine: Engine, service: str) -> WorkflowRun:
    """Emits the signal and follows its run to the end."""
    signal = Signal(
        tenant_id="acme",
        source="heartbeat",
        type="heartbeat.missed",
        resource_type="service",
        resource_id=service,
        environment="production",
        payload={"last_seen_at": datetime.now(UTC).isoformat()},
    )
    trigger = await engine.emit(signal)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    run = await engine.wait_for_run(run.id)
    print(f"{service}: {run.status}, {run.context or 'nothing to do'}")
    return run


if __name__ == "__main__":
    from running import run

    run(main)
