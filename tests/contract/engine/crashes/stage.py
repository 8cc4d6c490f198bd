"""Where plays are played: one database, engines on it one after another, and the ledger beside them.

A handler answers the number of its call, so that a stored result says which call it came from. What else it does, the
step's own config says: see `_act`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pulse import Engine, Fatal, Signal, WorkflowContext
from pulse.engine.errors import IllegalTransition
from pulse.storage.claims import LEASE_MS
from pulse.testing import FakeClock
from tests.contract.engine.crashes.ledger import Ledger

Rows = Mapping[str, Sequence[Row[Any]]]


@dataclass
class Stage:
    """One case: its tenant's runs are all that it looks at. `hand` is an engine that nothing ever befalls."""

    url: str | AsyncEngine
    prefix: str
    clock: FakeClock
    hand: Engine
    tenant: str
    takes: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    began: int = 0

    def __post_init__(self) -> None:
        self.began = self.clock.now_ms()

    def engine(self) -> Engine:
        """A process that starts. With `takes`, it drives at once what it emits."""
        engine = Engine(
            self.url, table_prefix=self.prefix, clock=self.clock, on_run_complete=self.ledger.note_end, keep_runs=None
        )

        async def act(ctx: WorkflowContext) -> dict[str, Any]:
            return await self._act(engine, ctx)

        async def judge(ctx: WorkflowContext) -> bool:
            self.ledger.note_call(ctx)
            return bool(ctx.step.config["answer"])

        engine.register_action("act", act, replay_safe=True)
        engine.register_action("act_once", act)
        engine.register_condition("judge", judge)
        if self.takes:
            engine.plant.worker.room = lambda: 10  # type: ignore[method-assign]
        return engine

    async def _act(self, engine: Engine, ctx: WorkflowContext) -> dict[str, Any]:
        """`fails`: so many attempts; `fatal`: for good, in so many lives of the run; `emits`, `cancels`: as it says."""
        call, wanted = self.ledger.note_call(ctx), ctx.step.config
        ctx.log("called", {"n": call.number})
        if "emits" in wanted:
            await ctx.emit(Signal(self.tenant, "handler", str(wanted["emits"])))
        if wanted.get("cancels"):
            await cancel(engine, ctx.run.id)
        if ctx.step.attempt <= wanted.get("fails", 0):
            raise RuntimeError("as meant")
        if ctx.run.attempt <= wanted.get("fatal", 0):
            raise Fatal("as meant")
        return {"n": call.number}

    async def leases_end(self) -> None:
        """Time passes, and a sweeper goes round."""
        self.clock.advance(ms=LEASE_MS + 1)
        await self.hand.plant.store.queue.sweep()

    async def rows(self) -> Rows:
        """All that is stored of this case, table by table."""
        tables = self.hand.plant.store.ground.tables
        async with self.hand.plant.store.database.read() as connection:
            return {
                name: (await connection.execute(select(table).where(table.c.tenant_id == self.tenant))).all()
                for name, table in {
                    "definitions": tables.definitions,
                    "triggers": tables.triggers,
                    "runs": tables.runs,
                    "steps": tables.steps,
                    "logs": tables.logs,
                    "waits": tables.waits,
                }.items()
            }


async def cancel(engine: Engine, run_id: str) -> None:
    """Cancels the run, if it has not ended: what an application does that does not know whether it did."""
    try:
        await engine.cancel_run(run_id, "as meant")
    except IllegalTransition:
        return


async def retry(engine: Engine, run_id: str) -> None:
    """Retries the run, if it has failed."""
    try:
        await engine.retry_run(run_id)
    except IllegalTransition:
        return
