"""An application with an engine, in a folder of its own: what `pulse up --app shop:engine` runs in tests."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulse import Action, Engine, Workflow, WorkflowRun
from pulse.engine.definition.steps import Step

# HOLD says where the way of a message into the engine stops for ever: before it is emitted, or after.
SOURCE = """
import asyncio, os
from pathlib import Path
from pydantic import BaseModel
from pulse import Engine

class Order(BaseModel):
    n: int

engine = Engine("sqlite+aiosqlite:///shop.db", grace_s=5)
engine.register_trigger("order", source="platform", payload_schema=Order)
engine.register_trigger("note", source="platform")
emit, hold = engine.emit, os.environ.get("HOLD")

async def held_up(signal, **more):
    if hold == "after":
        await emit(signal, **more)
    Path("held").touch()
    await asyncio.Event().wait()

if hold:
    engine.emit = held_up

@engine.action("count")
def count(ctx):
    with Path("counted").open("a") as file:
        file.write(f"{ctx.trigger.payload.get('n')}\\n")
    return dict(ctx.trigger.payload)

@engine.action("tell")
async def tell(ctx):
    first = await ctx.send({"type": "told", "payload": {"n": ctx.trigger.payload["n"], "attempt": ctx.step.attempt}})
    if ctx.step.attempt == 1:
        raise RuntimeError("once more")
    return {"message": first}

@engine.action("finish")
async def finish(ctx):
    Path("began").touch()
    while not Path("go on").exists():
        await asyncio.sleep(0.01)
    await ctx.send({"type": "finished", "payload": {}})
    return {}
"""


@dataclass
class Shop:
    """The application's folder; `with_engine` looks into its database from outside."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "shop.py").write_text(SOURCE)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def with_engine(self, work: Callable[[Engine], Any]) -> Any:
        """What the coroutine function says of an engine on the same database, which runs nothing."""

        async def run() -> Any:
            engine = Engine(f"sqlite+aiosqlite:///{self.folder / 'shop.db'}")
            try:
                return await work(engine)
            finally:
                await engine.stop()

        return asyncio.run(run())

    def make_workflow(self, trigger_type: str, *steps: Step, tenant: str | None = None) -> None:
        """A workflow of the demo's organization."""
        owner = tenant or json.loads((self.data / "credentials.json").read_text())["organizationId"]
        workflow = Workflow(tenant_id=owner, name=trigger_type, trigger_type=trigger_type, steps=steps)
        self.with_engine(lambda engine: engine.create_workflow(workflow))

    def runs(self) -> Sequence[WorkflowRun]:
        """The newest first."""
        found: Sequence[WorkflowRun] = self.with_engine(lambda engine: engine.list_runs())
        return found

    def counted(self) -> list[str]:
        """What the action `count` was called with."""
        file = self.folder / "counted"
        return file.read_text().split() if file.exists() else []

    def made(self, name: str) -> bool:
        return (self.folder / name).exists()


COUNT = Action("count")
