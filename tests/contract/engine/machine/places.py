"""One process of the machine: an engine whose handlers end when the machine says so."""

import asyncio
from dataclasses import dataclass, field

from pulse import Engine, WorkflowContext
from pulse.engine.store.held import Held


@dataclass
class Place:
    """One start of a process. `gates` are the calls that have not ended; some may be of runs that it has lost."""

    engine: Engine
    gates: dict[str, asyncio.Future[bool]] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    something: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.engine.register_action("a", self._call, replay_safe=True)
        self.engine.register_action("b", self._call)

    @property
    def owner(self) -> str:
        return str(self.engine.plant.store.claims.held_from_birth()["owner"])

    @property
    def believes(self) -> list[tuple[str, int]]:
        return [(run_id, self.epochs[run_id]) for run_id in self.gates]

    async def _call(self, ctx: WorkflowContext) -> None:
        self.gates[ctx.run.id] = gate = asyncio.get_running_loop().create_future()
        self.something.set()
        try:
            ends_well = await gate
        finally:
            del self.gates[ctx.run.id]
        if not ends_well:
            raise RuntimeError("as meant")

    async def take(self, held: Held) -> None:
        self.epochs[held.id] = held.epoch
        self.engine.plant.worker.take(held)
        await self._until_at_a_gate(held.id)

    async def end_call(self, run_id: str, *, well: bool) -> None:
        self.gates[run_id].set_result(well)
        await asyncio.wait([self.gates[run_id]])
        while run_id in self.gates and self.gates[run_id].done():
            self.something.clear()
            await self._something_or_end(run_id)
        await self._until_at_a_gate(run_id)

    async def _until_at_a_gate(self, run_id: str) -> None:
        while run_id not in self.gates and run_id in self.engine.plant.worker._running:
            self.something.clear()
            await self._something_or_end(run_id)

    async def _something_or_end(self, run_id: str) -> None:
        driving = self.engine.plant.worker._running.get(run_id)
        something = asyncio.ensure_future(self.something.wait())
        await asyncio.wait([something, *([driving[1]] if driving else [])], return_when=asyncio.FIRST_COMPLETED)
        something.cancel()

    async def heartbeat(self) -> None:
        """Twice: what is found lost twice is let go."""
        await self.engine.plant.worker.renew()
        await self.engine.plant.worker.renew()
