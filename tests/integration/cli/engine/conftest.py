"""An application in the current folder, whose engine has run some workflows, and commands in this process."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from pulse import Action, Condition, Delay, Engine, RetryPolicy, Signal, Workflow
from pulse.testing import FakeClock, run_until_idle
from tests.integration.cli.conftest import Run, Told

T = TypeVar("T")
_numbers = count(1)
SOURCE = """
from pulse import Engine, Fatal
print("the module prints this")
engine = Engine("sqlite+aiosqlite:///shop.db")
other = {}

@engine.action("pack", replay_safe=True)
async def pack(ctx):
    ctx.log("packing", {"n": ctx.trigger.payload["n"]})
    return {"parcel": ctx.trigger.payload["n"]}

@engine.action("pay")
async def pay(ctx):
    if ctx.trigger.payload["n"] < 0:
        raise Fatal("The card was refused.")
    return {"paid": True}

@engine.condition("is_large")
async def is_large(ctx):
    return ctx.trigger.payload["n"] > 100
"""
SHIP = (Action("pack"), Condition("is_large", on_false="skip"), Action("inspect", handler="pack"), Action("pay"))


@dataclass
class Shop:
    """The application `name`, in the current folder; `do` does something with an engine on its database."""

    name: str
    run: Run

    @property
    def app(self) -> str:
        return f"{self.name}:engine"

    def __call__(self, *words: str, stdin: str = "") -> Told:
        """A command about this application."""
        return self.run(*words, "--app", self.app, stdin=stdin)

    def do(self, work: Callable[[Engine], Awaitable[T]], clock: FakeClock | None = None) -> T:
        async def run() -> T:
            module = __import__(self.name)
            engine = Engine("sqlite+aiosqlite:///shop.db", clock=clock)
            engine._registry.actions |= module.engine._registry.actions
            engine._registry.conditions |= module.engine._registry.conditions
            try:
                return await work(engine)
            finally:
                await engine.stop()

        return anyio.run(run)

    def emit(self, *numbers: int, tenant: str = "acme", kind: str = "order") -> list[str]:
        """The ids of the runs of these signals, which came some time ago."""

        async def work(engine: Engine) -> list[str]:
            runs = []
            for number in numbers:
                told = Signal(tenant_id=tenant, source="test", type=kind, payload={"n": number})
                runs += await engine.get_runs_by_trigger((await engine.emit(told)).id)
            return [run.id for run in runs]

        return self.do(work, FakeClock())

    def drive(self) -> None:
        """Everything goes as far as it does without waiting."""
        self.do(run_until_idle)

    def status(self, run_id: str) -> str:
        found: dict[str, Any] = self("runs", "show", run_id, "--json").json
        return str(found["status"])


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Iterator[Shop]:
    """A migrated database with the workflows *Ship* (acme and beta) and *Remind* (acme)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made = Shop(f"shop_{next(_numbers)}", run)
    (tmp_path / f"{made.name}.py").write_text(SOURCE)
    delay = (Delay("a while", days=1), Action("pack", retry_policy=RetryPolicy(max_attempts=2)))

    async def prepare(engine: Engine) -> None:
        await engine.migrate()
        for tenant in ("acme", "beta"):
            await engine.create_workflow(Workflow(tenant_id=tenant, name="Ship", trigger_type="order", steps=SHIP))
        await engine.create_workflow(Workflow(tenant_id="acme", name="Remind", trigger_type="cart", steps=delay))

    made.do(prepare)
    yield made
    sys.modules.pop(made.name, None)
