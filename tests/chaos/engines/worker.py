"""A worker process: an engine with handlers that write into the outside ledger. Ends gracefully at SIGTERM.

`python worker.py URL PREFIX LEDGER LEASE_MS [careless]`. It says `ready` when it drives runs. A handler answers the id
of its call. `careless` is for negative controls: it records what happened only after it has begun what follows.
"""

import asyncio
import logging
import random
import signal
import sys
from pathlib import Path
from typing import Any

from pulse import Engine, WorkflowContext
from pulse.engine.store.journal import Record, Recorded
from pulse.engine.work.bureau import Bureau
from tests.chaos.engines.ledger import Calls


async def for_a_while(seconds: float) -> None:
    """A handler at work."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        return


def make_engine(url: str, prefix: str, calls: Calls, lease_ms: int) -> Engine:
    engine = Engine(url, table_prefix=prefix, lease_ms=lease_ms, grace_s=5)

    @engine.action("act")
    async def act(ctx: WorkflowContext) -> dict[str, Any]:
        """`takes_s`: how long, about; `fails`: so many attempts."""
        step, wanted = ctx.step, ctx.step.config
        noted = calls.note(run=ctx.run.id, path=step.path, name=step.name, key=step.id, attempt=step.attempt)
        await for_a_while(wanted.get("takes_s", random.uniform(0, 0.02)))
        if step.attempt <= wanted.get("fails", 0):
            raise RuntimeError("as meant")
        return {"call": noted}

    return engine


def be_careless() -> None:
    record, late = Bureau.record, dict[str, Record]()

    async def belated(self: Bureau, wanted: Record) -> Recorded:
        before = late.pop(wanted.held.id, None)
        if before is not None:
            await record(self, before)
        if not wanted.is_plain:
            return await record(self, wanted)
        late[wanted.held.id] = wanted
        return Recorded(written=True)

    Bureau.record = belated  # type: ignore[method-assign, assignment]


async def main(url: str, prefix: str, ledger: str, lease_ms: str, *how: str) -> None:
    if "careless" in how:
        be_careless()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with make_engine(url, prefix, Calls(Path(ledger)), int(lease_ms)):
        print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
        await stop.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s")
    asyncio.run(main(*sys.argv[1:]))
