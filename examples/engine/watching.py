"""What an application can see: hooks that are called when a step or a run has ended, and the timeline of every run.

A hook is called after the record is durable. What it raises is logged, and changes nothing.
"""

from pulse import (
    Action,
    ActionResult,
    Delay,
    Engine,
    RetryPolicy,
    RunCompleteEvent,
    RunTimelineEntry,
    Signal,
    StepCompleteEvent,
    Workflow,
    WorkflowContext,
)
from pulse.testing import FakeClock, run_until_idle


def step_ended(event: StepCompleteEvent) -> None:
    print(f"hook: step {event.step.name} is {event.step.status}")


async def run_ended(event: RunCompleteEvent) -> None:
    print(f"hook: run is {event.status}")


HOOKS = {"on_step_complete": step_ended, "on_run_complete": run_ended}


async def import_rows(ctx: WorkflowContext) -> ActionResult:
    if ctx.step.attempt == 1:
        return ActionResult(success=False, error="The file is still being written.")
    ctx.log("Rows imported", {"rows": 120})
    return ActionResult(data={"rows": 120})


async def main(engine: Engine) -> list[RunTimelineEntry]:
    """An import that succeeds at its second attempt, as its timeline tells it."""
    engine.register_action("import_rows", import_rows)
    twice = RetryPolicy(max_attempts=2, backoff_ms=1_000)
    steps = (Delay("let_it_settle", minutes=1), Action("import_rows", retry_policy=twice))
    await engine.create_workflow(Workflow("acme", "Import", "file.uploaded", steps=steps))
    trigger = await engine.emit(Signal("acme", "uploads", "file.uploaded"))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    timeline = await engine.get_run_timeline(run.id)
    for entry in timeline:
        print(f"{entry.timestamp:%H:%M:%S} {entry.type:<15} {entry.step_name or ''} {dict(entry.detail)}")
    return timeline


if __name__ == "__main__":
    from running import run

    run(main, clock=FakeClock(), **HOOKS)
