"""Cells as a worker sees them: claimed with a lease, filled under its epoch, handed back."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from pulse.core.clock import Clock
from pulse.prompts.tables import PromptTables
from pulse.prompts.templates.runs import plans
from pulse.prompts.templates.runs.records import CellWork, Plan
from pulse.storage.claims import Claimed, Claims
from pulse.storage.database import Database


class CellQueue:
    """Claims on the table of cells, for one worker."""

    def __init__(self, database: Database, tables: PromptTables, claims: Claims, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._claims = claims
        self._clock = clock

    async def claim(self, limit: int) -> list[CellWork]:
        """At most `limit` cells of the organization whose turn it is."""
        return await self._loaded(await self._claims.claim(limit))

    async def claim_suspect(self) -> CellWork | None:
        """A cell under which workers died before; to be filled while nothing else runs."""
        claimed = await self._claims.claim_suspect()
        found = await self._loaded([claimed] if claimed else [])
        return found[0] if found else None

    async def renew(self, works: Sequence[CellWork]) -> set[str]:
        """Prolongs the leases of these cells; the ids of those that are still held."""
        return await self._claims.renew([(work.id, work.epoch) for work in works])

    async def release(self, works: Sequence[CellWork], delay_ms: int = 0) -> None:
        """Hands cells back, to be claimed again after the delay."""
        claimed = [Claimed(work.id, work.organization_id, work.epoch) for work in works]
        await self._claims.release(claimed, delay_ms)

    async def sweep(self) -> int:
        return await self._claims.sweep()

    async def suspects_wait(self) -> bool:
        return await self._claims.suspects_wait()

    async def take_over(self) -> int:
        return await self._claims.take_over()

    async def keep(self, work: CellWork, answer: str) -> bool:
        """Keeps the model's answer while it is still to be checked; False where the cell is no longer held."""
        row = (work.id, work.epoch, answer)
        return bool(await self._database.transact(lambda connection: self._claims.end(connection, [row], ("result",))))

    async def record(self, work: CellWork, state: str, result: str) -> bool:
        """Fills the cell; False where it is no longer held, and nothing was written."""
        row = (work.id, work.epoch, state, result, self._clock.now_ms())
        columns = ("state", "result", "completed_at")
        return bool(await self._database.transact(lambda connection: self._claims.end(connection, [row], columns)))

    async def _loaded(self, claimed: Sequence[Claimed]) -> list[CellWork]:
        if not claimed:
            return []
        cells, runs = self._tables.cells.c, self._tables.runs.c
        query = select(cells.id, cells.place, cells.run_id, cells.result).where(
            cells.id.in_([each.id for each in claimed])
        )
        async with self._database.read() as connection:
            found = {row.id: row for row in await connection.execute(query)}
            wanted = {row.run_id for row in found.values()}
            rows = await connection.execute(select(runs.id, runs.environment_id, runs.plan).where(runs.id.in_(wanted)))
            known: dict[str, tuple[str, Plan]] = {row.id: (row.environment_id, plans.read(row.plan)) for row in rows}
        # A run that was canceled and deleted just now has no cells any more.
        present = [each for each in claimed if each.id in found]
        return [_work(each, found[each.id], *known[found[each.id].run_id]) for each in present]


def _work(claimed: Claimed, row: Any, environment_id: str, plan: Plan) -> CellWork:
    return CellWork(
        id=claimed.id,
        organization_id=claimed.tenant,
        environment_id=environment_id,
        epoch=claimed.epoch,
        lone_deaths=claimed.lone_deaths,
        place=row.place,
        plan=plan,
        answer=None if row.result is None else json.loads(row.result),
    )
