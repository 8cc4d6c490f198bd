"""Where a message ends: status, index fields and body in one transaction for many, fenced first."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.messages.records import Outcome
from pulse.messages.tables import MessageTables
from pulse.storage.claims import Claims
from pulse.storage.committer import Committer

_INDEX_FIELDS = ("completed_at", "elapsed_ms", "code", "workflow_id", "workflow_name", "workflow_version", "error")


class Outcomes:
    """Stores outcomes through the committer; `ended` hears of each that is committed."""

    def __init__(
        self, tables: MessageTables, committer: Committer, claims: Claims, ended: Callable[[str], None]
    ) -> None:
        self._ended = ended
        self._tables = tables
        self._committer = committer
        self._claims = claims
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("state", *_INDEX_FIELDS)}
        c = tables.messages.c
        self._end = update(tables.messages).where(c.id == bindparam("ended_id")).values(values)

    async def store(self, outcome: Outcome) -> bool:
        """True once the outcome is committed; False where the lease was lost, and nothing was written."""
        stored = await self._committer.write(self._store, outcome)
        if stored:
            self._ended(outcome.id)
        return stored

    async def _store(self, connection: AsyncConnection, outcomes: Sequence[Outcome]) -> list[bool]:
        held = await self._claims.fence(connection, [(outcome.id, outcome.epoch) for outcome in outcomes])
        mine = [outcome for outcome in outcomes if outcome.id in held]
        if mine:
            await connection.execute(self._end, [_values(outcome) for outcome in mine])
            bodies = [{"id": outcome.id, "body": outcome.body} for outcome in mine]
            await connection.execute(insert(self._tables.results), bodies)
            lanes = [(outcome.organization_id, outcome.lane) for outcome in mine if outcome.lane is not None]
            await self._claims.lock_lanes(connection, lanes)
            await self._claims.promote(connection, lanes)
        return [outcome.id in held for outcome in outcomes]


def _values(outcome: Outcome) -> dict[str, object]:
    fields = {f"new_{name}": getattr(outcome, name) for name in _INDEX_FIELDS}
    return {"ended_id": outcome.id, "new_state": outcome.status, **fields}
