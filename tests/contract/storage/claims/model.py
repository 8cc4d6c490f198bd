"""What claims promise, as a model in memory: rows, their holders, and what each operation must do to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pulse.storage.claims import LEASE_MS, SUSPECT_AFTER, Claimed
from tests.contract.storage.claims.tasks import Task


@dataclass
class ModelRow:
    """One task as the database must have it."""

    task: Task
    state: str
    due_at: int
    epoch: int = 0
    owner: str | None = None
    lease_until: int | None = None
    deaths: int = 0
    lone_deaths: int = 0
    alone: bool = False
    result: str | None = None

    @property
    def unfinished(self) -> bool:
        return self.state != "done"

    @property
    def suspect(self) -> bool:
        return self.deaths >= SUSPECT_AFTER

    def as_stored(self) -> tuple[object, ...]:
        held = (self.owner, self.lease_until)
        return (self.state, self.due_at, self.epoch, *held, self.deaths, self.lone_deaths, self.alone, self.result)


@dataclass
class Model:
    """All rows, and the time."""

    now: int
    rows: dict[str, ModelRow] = field(default_factory=dict)
    turns: dict[str, str] = field(default_factory=dict)

    def add(self, task: Task) -> None:
        behind = any(row.unfinished for row in self.lane_of(task))
        self.rows[task.id] = ModelRow(task, "blocked" if behind else "ready", task.due_at)

    def lane_of(self, task: Task) -> list[ModelRow]:
        place = (task.tenant, task.lane)
        return [row for row in self.rows.values() if task.lane and (row.task.tenant, row.task.lane) == place]

    def claim(self, owner: str, limit: int) -> list[Claimed]:
        waiting = [row for row in self._due() if not row.suspect]
        if not waiting:
            return []
        tenants = sorted({row.task.tenant for row in waiting})
        tenant = next((name for name in tenants if name > self.turns.get(owner, "")), tenants[0])
        self.turns[owner] = tenant
        return self._take(owner, [row for row in waiting if row.task.tenant == tenant][:limit], alone=False)

    def claim_suspect(self, owner: str) -> list[Claimed]:
        return self._take(owner, [row for row in self._due() if row.suspect][:1], alone=True)

    def held(self, pairs: Sequence[tuple[str, int]]) -> list[ModelRow]:
        """The rows that these (id, epoch) pairs still hold."""
        found = [self.rows[key] for key, epoch in dict.fromkeys(pairs) if self.rows[key].epoch == epoch]
        return [row for row in found if row.state == "running"]

    def renew(self, pairs: Sequence[tuple[str, int]]) -> int:
        for row in self.held(pairs):
            row.lease_until = self.now + LEASE_MS
        return len(self.held(pairs))

    def finish(self, pairs: Sequence[tuple[str, int]], result: str) -> set[str]:
        ended = self.held(pairs)
        for row in ended:
            row.state, row.result = "done", result
        for row in ended:
            behind = [other for other in self.lane_of(row.task) if other.unfinished]
            head = min(behind, key=lambda other: other.task.id, default=None)
            if head is not None and head.state == "blocked":
                head.state = "ready"
        return {row.task.id for row in ended}

    def release(self, pairs: Sequence[tuple[str, int]], delay_ms: int) -> None:
        for row in self.held(pairs):
            _free(row)
            row.due_at = self.now + delay_ms if delay_ms else row.due_at

    def sweep(self) -> int:
        return self._bury([row for row in self.rows.values() if (row.lease_until or self.now) < self.now])

    def take_over(self, owner: str) -> int:
        return self._bury([row for row in self.rows.values() if row.owner != owner])

    def _due(self) -> list[ModelRow]:
        due = [row for row in self.rows.values() if row.state == "ready" and row.due_at <= self.now]
        return sorted(due, key=lambda row: (row.due_at, row.task.id))

    def _take(self, owner: str, rows: list[ModelRow], *, alone: bool) -> list[Claimed]:
        for row in rows:
            row.state, row.owner, row.alone = "running", owner, alone
            row.epoch += 1
            row.lease_until = self.now + LEASE_MS
        rows = sorted(rows, key=lambda row: row.task.id)
        return [Claimed(row.task.id, row.task.tenant, row.epoch, row.lone_deaths) for row in rows]

    def _bury(self, rows: list[ModelRow]) -> int:
        dead = [row for row in rows if row.state == "running"]
        for row in dead:
            row.deaths += 1
            row.lone_deaths += row.alone
            _free(row)
        return len(dead)


def _free(row: ModelRow) -> None:
    row.state, row.owner, row.lease_until, row.alone = "ready", None, None, False
