"""A noun small enough for tests: tasks, which are claimed, finished, and may stand in a lane."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, MetaData, Row, String, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.storage.claims import BLOCKED, LEASE_MS, READY, Claimed, Claims, chunks, claim_columns, claim_indexes
from pulse.storage.database import Database

Pause = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """No pause."""


def tasks_table(prefix: str) -> Table:
    table = Table(
        f"{prefix}tasks", MetaData(), Column("id", String, primary_key=True), Column("result", String), *claim_columns()
    )
    claim_indexes(table)
    return table


@dataclass(frozen=True)
class Task:
    id: str
    tenant: str = "a"
    lane: str | None = None
    due_at: int = 0


def lane(*ids: str, name: str = "x", tenant: str = "a") -> list[Task]:
    """Tasks of one lane."""
    return [Task(key, tenant, name) for key in ids]


class Tasks:
    """The store of the noun: what every noun does around claims, each in one transaction."""

    def __init__(self, database: Database, table: Table, *, lease_ms: int = LEASE_MS) -> None:
        self.database = database
        self.table = table
        self._lease_ms = lease_ms
        self._claims = self.claims("nobody")

    @classmethod
    async def create(cls, database: Database) -> "Tasks":
        tasks = cls(database, tasks_table(database.prefix))
        async with database.write() as connection:
            await connection.run_sync(tasks.table.metadata.create_all)
        return tasks

    def seen_by(self, database: Database) -> "Tasks":
        """The same tasks through another database object, as another process sees them."""
        return Tasks(database, self.table, lease_ms=self._lease_ms)

    def claims(self, owner: str, kind: type[Claims] = Claims) -> Claims:
        return kind(self.database, self.table, owner, lease_ms=self._lease_ms)

    async def add(self, *tasks: Task) -> None:
        async with self.database.write() as connection:
            await self.join(connection, tasks)

    async def join(
        self, connection: AsyncConnection, tasks: Sequence[Task], *, lock: bool = True, pause: Pause = at_once
    ) -> None:
        """Within a lane only the first is ready. `lock=False` leaves out what keeps two transactions apart."""
        lanes = [(task.tenant, task.lane) for task in tasks if task.lane is not None]
        if lock:
            await connection.run_sync(self._claims.lock_lanes, lanes)
        taken: set[tuple[str, str | None]] = {*await connection.run_sync(self._claims.occupied, lanes)}
        await pause()
        rows = []
        for task in tasks:
            place = (task.tenant, task.lane)
            rows.append(_row(task, BLOCKED if place in taken else READY))
            if task.lane is not None:
                taken.add(place)
        await connection.execute(insert(self.table), rows)

    async def finish(self, *claimed: Claimed, result: str = "done") -> set[str]:
        """Ends what is still held; the ids of what was."""
        async with self.database.write() as connection:
            return await self.leave(connection, claimed, result=result)

    async def leave(
        self,
        connection: AsyncConnection,
        claimed: Iterable[Claimed],
        *,
        result: str = "done",
        lock: bool = True,
        pause: Pause = at_once,
        kind: type[Claims] = Claims,
    ) -> set[str]:
        claims = self.claims("nobody", kind)
        held = await connection.run_sync(claims.fence, [(each.id, each.epoch) for each in claimed])
        lanes = await self._lanes(connection, held)
        if lock:
            await connection.run_sync(claims.lock_lanes, lanes)
        for part in chunks(sorted(held)):
            ended = update(self.table).where(self.table.c.id.in_(part)).values(state="done", result=result)
            await connection.execute(ended)
        await connection.run_sync(claims.promote, lanes)
        await pause()
        return held

    async def _lanes(self, connection: AsyncConnection, ids: set[str]) -> list[tuple[str, str]]:
        c = self.table.c
        lanes: list[tuple[str, str]] = []
        for part in chunks(sorted(ids)):
            query = select(c.organization_id, c.lane).where(c.id.in_(part), c.lane.is_not(None))
            lanes.extend((row.organization_id, row.lane) for row in await connection.execute(query))
        return lanes

    async def rows(self) -> dict[str, Row[tuple[object, ...]]]:
        """All rows by their id."""
        async with self.database.read() as connection:
            found = (await connection.execute(select(self.table).order_by(self.table.c.id))).all()
        return {row.id: row for row in found}

    async def states(self) -> dict[str, str]:
        return {key: row.state for key, row in (await self.rows()).items()}

    async def clear(self) -> None:
        async with self.database.write() as connection:
            await connection.execute(self.table.delete())


def _row(task: Task, state: str) -> dict[str, object]:
    return {
        "id": task.id,
        "organization_id": task.tenant,
        "lane": task.lane,
        "due_at": task.due_at,
        "state": state,
    }
