"""An application as a module: `engine`, with everything registered, is what a process that runs workflows imports.

    python examples/engine/app.py           works until Ctrl-C or SIGTERM
    python examples/engine/app.py --once    runs one greeting and ends
    pulse up --app examples.engine.app:engine

`DATABASE_URL` names the database; left out, it is `pulse.db` in the present folder. `TENANT` is whose workflow it is:
under `pulse up` the id of an organization, whose messages of the type `visitor.arrived` then start it.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from pulse import Action, Engine, Signal, Workflow, WorkflowContext, WorkflowRun

engine = Engine(os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///pulse.db"))
TENANT = os.environ.get("TENANT", "acme")
engine.register_workflow(Workflow(TENANT, "Greeting", "visitor.arrived", steps=(Action("greet"),)))
engine.register_trigger("visitor.arrived", source="door")


@engine.action("greet", replay_safe=True)
async def greet(ctx: WorkflowContext) -> dict[str, Any]:
    return {"said": f"Hello, {ctx.trigger.payload['name']}."}


async def greet_once(name: str) -> WorkflowRun:
    await engine.migrate()
    async with engine:
        trigger = await engine.emit(Signal(TENANT, "door", "visitor.arrived", payload={"name": name}))
        (run,) = await engine.get_runs_by_trigger(trigger.id)
        run = await engine.wait_for_run(run.id)
    print(run.context["greet"]["said"])
    return run


async def work() -> None:
    """Drives runs until this process is told to end; then lets what is being executed end, and hands back the rest."""
    await engine.migrate()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with engine:
        print("working", flush=True)
        await told.wait()


if __name__ == "__main__":
    asyncio.run(greet_once("Ada") if "--once" in sys.argv else work())
