"""An application as a module: `engine`, with everything registered, is what a process that runs workflows imports.

    python examples/engine/app.py           works until Ctrl-C or SIGTERM
    python examples/engine/app.py --once    runs one greeting and ends
    pulse up --app examples.engine.app:engine

`DATABASE_URL` names the database; left out, it is `pulse.db` in the present folder. `TENANT` is whose workflow it is:
under `pulse up` the id of an organization, whose messages of the type `visitor.arrived` then start it. The workflow is
made when this program is run by itself.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from pulse import Action, Engine, Signal, Workflow, WorkflowContext, WorkflowRun
from pulse.testing import run_until_idle

engine = Engine(os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///pulse.db"))
TENANT = os.environ.get("TENANT", "acme")
GREETING = Workflow(TENANT, "Greeting", "visitor.arrived", steps=(Action("greet"),))

engine.register_trigger("visitor.arrived", source="door")


@engine.action("greet", replay_safe=True)
async def greet(ctx: WorkflowContext) -> dict[str, Any]:
    return {"said": f"Hello, {ctx.trigger.payload['name']}."}


async def prepare() -> None:
    """Makes tables and workflows; called again it changes no run."""
    await engine.migrate()
    await engine.create_workflow(GREETING)


async def greet_once(name: str) -> WorkflowRun:
    await prepare()
    trigger = await engine.emit(Signal(TENANT, "door", "visitor.arrived", payload={"name": name}))
    await run_until_idle(engine)
    (run,) = await engine.get_runs_by_trigger(trigger.id)
    await engine.stop()
    print(run.context["greet"]["said"])
    return run


async def work() -> None:
    """Drives runs until this process is told to end; then lets what is being executed end, and hands back the rest."""
    await prepare()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with engine:
        print("working", flush=True)
        await told.wait()


if __name__ == "__main__":
    asyncio.run(greet_once("Ada") if "--once" in sys.argv else work())
