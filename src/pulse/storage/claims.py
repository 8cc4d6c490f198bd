"""One kind of claimable work: a row that one worker holds for a while, and that nobody loses.

A row is `ready`, `running`, `blocked` (it waits behind another of its lane), `waiting` (for its `due_at`, until `wake`
makes it ready), or in a state of its noun's own. A claim
makes ready rows running under an *owner* (unique to one start of one process), raises their *epoch*, and ends by
itself when the *lease* runs out, by the database's time. Whatever the holder writes later goes through `fence` first,
inside the same transaction: rows whose epoch has moved on are left out, so a worker that was frozen, cut off or
declared dead can change nothing any more.

**Fair.** A batch is of one tenant; the next batch is of the next tenant that has work, in turn, found by one step in an
index that holds ready rows only. A tenant with a hundred thousand waiting rows costs the others one batch. Where the
table has a `priority`, the lowest of a tenant goes first. A tenant's rows that run at once can be limited (`turns.py`).

**Waiting.** A waiting row is not claimable and costs the claims of others nothing, however many there are. `wake` makes
those ready whose time has come; `rouse` does so for other reasons.

**Lanes.** Rows of a tenant that share a lane run one after another, by id. Only the head of a lane is ever ready; when
a row leaves the queue, `promote` makes the next one ready in the same transaction. On PostgreSQL the two sides (a row
that joins, a row that leaves) meet at an advisory lock on the lane, so that neither overlooks the other. Where the
table has a `lane_limit`, a lane is a limit instead: so many of its rows are ready or running at once, the others are
blocked, and waiting ones do not count.

**Blame.** Expired leases return by `sweep`, a loop that always runs. That a process died says nothing about its rows at
first: a deploy kills processes too. A row whose holder died twice running is a *suspect*: it is claimed alone, by
`claim_suspect`, while its worker runs nothing else. Only deaths alone count against it, in `lone_deaths`; what happens
at the third is for the noun to decide.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Update,
    and_,
    case,
    cast,
    false,
    func,
    select,
    true,
    tuple_,
    update,
)

from pulse.storage.database import Database
from pulse.storage.locks import lock_number, take_locks
from pulse.storage.rows import Given, Prepared
from pulse.storage.turns import TenantLimit, Turns

LEASE_MS = 15_000
SUSPECT_AFTER = 2
READY, RUNNING, BLOCKED, HELD, WAITING = "ready", "running", "blocked", "held", "waiting"
UNFINISHED = (READY, RUNNING, BLOCKED, HELD)
T = TypeVar("T")
# More than this many values in one IN list is more than a statement should carry.
CHUNK = 500
WAKE_LIMIT = 1_000
# The `due_at` of a row that waits for something other than a time.
NEVER = 1 << 62
TENANT = "organization_id"


@dataclass(frozen=True)
class Claimed:
    """A row that is yours until `epoch` moves on."""

    id: str
    tenant: str
    epoch: int
    lone_deaths: int = 0


def claim_columns(tenant: str = TENANT) -> list[Column[object]]:
    """The columns that a table of claimable rows must have, besides its `id`; `tenant` names the one of the tenant."""
    columns: list[Column[object]] = [
        Column(tenant, String, nullable=False),
        Column("state", String, nullable=False),
        Column("lane", String),
        Column("due_at", BigInteger, nullable=False),
        Column("owner", String),
        Column("epoch", Integer, nullable=False, server_default="0"),
        Column("lease_until", BigInteger),
        Column("deaths", Integer, nullable=False, server_default="0"),
        Column("lone_deaths", Integer, nullable=False, server_default="0"),
        Column("alone", Boolean, nullable=False, server_default=false()),
    ]
    return columns


def claim_indexes(table: Table, tenant: str = TENANT) -> list[Index]:
    """The partial indexes behind claims: each holds only the rows that its question is about."""
    c = table.c
    ready, running = c.state == READY, c.state == RUNNING
    unfinished = c.state.in_(UNFINISHED) & c.lane.is_not(None)
    name = table.name

    def partial(suffix: str, where: ColumnElement[bool], *columns: ColumnElement[object]) -> Index:
        return Index(f"{name}_{suffix}", *columns, sqlite_where=where, postgresql_where=where)

    return [
        partial("ready", ready, c[tenant], *_order(table)),
        partial("suspects", ready & (c.deaths >= SUSPECT_AFTER), c.id),
        partial("running", running, c.owner, c.lease_until),
        partial("lanes", unfinished, c[tenant], c.lane, c.id),
    ]


def waiting_index(table: Table) -> Index:
    """The index behind `wake`, for tables whose rows may be waiting."""
    waiting = table.c.state == WAITING
    return Index(f"{table.name}_waiting", table.c.due_at, sqlite_where=waiting, postgresql_where=waiting)


def _order(table: Table) -> list[ColumnElement[Any]]:
    """What a tenant's rows are claimed by, first to last."""
    return [table.c[name] for name in ("priority", "due_at", "id") if name in table.c]


class Claims:
    """Claims on the rows of `table`, for one `owner`."""

    def __init__(
        self,
        database: Database,
        table: Table,
        owner: str,
        *,
        lease_ms: int = LEASE_MS,
        tenant: str = TENANT,
        also_set: Mapping[str, object] | None = None,
        tenant_limit: TenantLimit | None = None,
    ) -> None:
        """`also_set`: columns that a claim sets besides its own, to values or expressions."""
        self._database = database
        self._table = table
        self._tenant = table.c[tenant]
        self._owner = owner
        self._lease_ms = lease_ms
        self._also_set = dict(also_set or {})
        self._turns = Turns(database, self._tenant, table.c.state == RUNNING, tenant_limit)
        self._endings: dict[tuple[str, ...], Prepared] = {}

    async def claim(self, limit: int) -> list[Claimed]:
        """At most `limit` due rows of the tenant whose turn it is, oldest first; suspects are passed over."""
        return await self._database.transact(partial(self.claim_in, limit))

    @property
    def limits_tenants(self) -> bool:
        """Whether a row may have to wait because of others of its tenant."""
        return self._turns.are_limited

    def held_from_birth(self) -> dict[str, object]:
        """Values for rows that are inserted as running: claimed by this owner, in the transaction that makes them."""
        lease_until = self._database.now() + self._lease_ms
        return {"state": RUNNING, "owner": self._owner, "epoch": 1, "lease_until": lease_until}

    async def claim_suspect(self) -> Claimed | None:
        """The oldest suspect, to be run while this worker runs nothing else; None when there is none."""
        return await self._database.transact(self.claim_suspect_in)

    async def suspects_wait(self) -> bool:
        """Whether there is a row that only `claim_suspect` would return now."""
        c = self._table.c
        due = self._is_due() & (c.deaths >= SUSPECT_AFTER)
        async with self._database.read() as connection:
            return await connection.scalar(select(c.id).where(due).limit(1)) is not None

    async def renew(self, held: Sequence[tuple[str, int]]) -> set[str]:
        """Prolongs the leases of these (id, epoch) pairs; the ids of those that are still held."""
        return await self._database.transact(partial(self._renew, list(held)))

    async def release(self, claimed: Sequence[Claimed], delay_ms: int = 0) -> None:
        """Hands rows back unharmed, due after `delay_ms`: nobody died, so nothing is counted."""
        held = [(row.id, row.epoch) for row in claimed]
        await self._database.transact(partial(self._release, held, delay_ms))

    async def sweep(self) -> int:
        """Makes rows with an expired lease ready again and counts the death of their holder; how many there were."""
        return await self._bury(self._table.c.lease_until < self._database.now())

    async def wake(self) -> int:
        """Makes waiting rows ready that are due, at most WAKE_LIMIT, the longest due first; how many there were."""
        c = self._table.c
        due = select(c.id).where(c.state == WAITING, c.due_at <= self._database.now()).order_by(c.due_at)
        which = c.id.in_(self._database.locked(due.limit(WAKE_LIMIT)))
        return await self._database.transact(lambda connection: self.rouse(connection, which))

    async def next_due(self) -> int | None:
        """The `due_at` of the waiting row that is due first; None when no row waits for a time."""
        c = self._table.c
        async with self._database.read() as connection:
            first = await connection.scalar(select(func.min(c.due_at)).where(c.state == WAITING))
        return None if first is None or first >= NEVER else int(first)

    async def take_over(self) -> int:
        """Makes the rows of every other owner ready again: for whoever knows that no other owner is alive."""
        return await self._bury(self._table.c.owner != self._owner)

    # ---- within a transaction of others ----------------------------------------------------------------------

    def claim_in(self, limit: int, connection: Connection) -> list[Claimed]:
        """What `claim` does."""
        unsuspected = self._table.c.deaths < SUSPECT_AFTER
        turn = self._turns.next(connection, self._is_due() & unsuspected)
        if turn is None:
            return []
        return self._take(connection, turn.at_most(limit), self._tenant == turn.tenant, unsuspected)

    def claim_suspect_in(self, connection: Connection) -> Claimed | None:
        """What `claim_suspect` does."""
        suspect = self._table.c.deaths >= SUSPECT_AFTER
        taken = self._take(connection, 1, suspect, self._turns.has_room(connection), alone=True)
        return taken[0] if taken else None

    def fence(self, connection: Connection, held: Iterable[tuple[str, int]]) -> set[str]:
        """Of `(id, epoch)` pairs the ids that are still held, locked until the transaction ends."""
        # An update rather than a read: on PostgreSQL it locks the rows against a sweep that comes meanwhile.
        return self.end(connection, held, ())

    def hold(self, connection: Connection, held: Iterable[tuple[str, int]]) -> set[str]:
        """Like `fence`, for what is written beside the rows: nobody else gets them before the transaction ends."""
        return set(self._holding.execute(connection, held).scalars())

    @cached_property
    def _holding(self) -> Prepared:
        c = self._table.c
        given = Given(self._database.dialect, {"id": c.id.type, "epoch": c.epoch.type})
        mine = and_(c.id == given.rows.c.id, c.epoch == given.rows.c.epoch, c.state == RUNNING)
        return Prepared(select(c.id).where(mine).order_by(c.id).with_for_update(read=True, of=self._table), given)

    def end(self, connection: Connection, rows: Iterable[Sequence[object]], columns: Sequence[str]) -> set[str]:
        """Sets `columns` of the rows that are still held, in one statement; their ids.

        A row is `(id, epoch, *values)`; one that is no longer held is left as it is.
        """
        return set(self._ending(tuple(columns)).execute(connection, rows).scalars())

    def _ending(self, columns: tuple[str, ...]) -> Prepared:
        if columns not in self._endings:
            c = self._table.c
            kinds = {name: c[name].type for name in ("id", "epoch", *columns)}
            given = Given(self._database.dialect, kinds)
            rows = given.rows
            still = and_(c.id == rows.c.id, c.epoch == rows.c.epoch, c.state == RUNNING)
            values = {name: rows.c[name] for name in columns} or {"alone": c.alone}
            ending = update(self._table).where(still).values(values).returning(c.id)
            self._endings[columns] = Prepared(ending, given)
        return self._endings[columns]

    def rouse(self, connection: Connection, which: ColumnElement[bool]) -> int:
        """Makes those waiting rows ready that `which` names, or blocked where their lane is full; how many."""
        c = self._table.c
        state = case((c.lane.is_(None), READY), else_=BLOCKED)
        due = case((c.due_at > self._database.now(), self._database.now()), else_=c.due_at)
        roused = update(self._table).where(which, c.state == WAITING).values(state=state, due_at=due)
        rows = connection.execute(roused.returning(self._tenant, c.lane)).all()
        self.fill(connection, {(row[0], row[1]) for row in rows if row[1] is not None})
        return len(rows)

    def fill(self, connection: Connection, lanes: Collection[tuple[str, str]]) -> None:
        """Locks these (tenant, lane) pairs and promotes what may go on in them."""
        if lanes:
            self.lock_lanes(connection, lanes)
            self.promote(connection, lanes)

    def lock_lanes(self, connection: Connection, lanes: Iterable[tuple[str, str]]) -> None:
        """Holds (tenant, lane) pairs until the transaction ends, against others that join or leave them."""
        take_locks(connection, (self.lane_lock(tenant, lane) for tenant, lane in lanes))

    def lane_lock(self, tenant: str, lane: str) -> int:
        """The number of a lane's lock, for whoever takes several kinds of locks at once."""
        return lock_number(self._table.name, tenant, lane)

    def occupied(self, connection: Connection, lanes: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Of the (tenant, lane) pairs those in which a row is waiting or running."""
        c = self._table.c
        found: set[tuple[str, str]] = set()
        for part in chunks(sorted(set(lanes))):
            wanted = tuple_(self._tenant, c.lane).in_(part)
            rows = connection.execute(select(self._tenant, c.lane).where(wanted, _unfinished(self._table)).distinct())
            found.update((row[0], row[1]) for row in rows)
        return found

    def promote(self, connection: Connection, lanes: Iterable[tuple[str, str]]) -> None:
        """Makes the head of each (tenant, lane) ready, if it was blocked. Call it when a row has left the lane."""
        c = self._table.c
        if "lane_limit" in c:
            for tenant, lane in sorted(set(lanes)):
                self._promote_within_limit(connection, and_(self._tenant == tenant, c.lane == lane))
            return
        for part in chunks(sorted(set(lanes))):
            wanted = tuple_(self._tenant, c.lane).in_(part)
            heads = select(func.min(c.id)).where(wanted, _unfinished(self._table)).group_by(self._tenant, c.lane)
            connection.execute(update(self._table).where(c.id.in_(heads), c.state == BLOCKED).values(state=READY))

    def _promote_within_limit(self, connection: Connection, lane: ColumnElement[bool]) -> None:
        c = self._table.c
        blocked = select(c.id, c.lane_limit).where(lane, c.state == BLOCKED).order_by(*_order(self._table))
        first = connection.execute(blocked.limit(1)).first()
        if first is None:
            return
        active = select(func.count()).select_from(self._table).where(lane, c.state.in_([READY, RUNNING]))
        free = first.lane_limit - (connection.scalar(active) or 0)
        if free > 0:
            head = select(blocked.limit(free).subquery().c.id)
            connection.execute(update(self._table).where(c.id.in_(head)).values(state=READY))

    # ---- the transactions ------------------------------------------------------------------------------------

    def _renew(self, held: list[tuple[str, int]], connection: Connection) -> set[str]:
        c = self._table.c
        renewed: set[str] = set()
        for part in chunks(held):
            # A row that its holder is just writing is passed over: the two could wait for each other.
            mine = self._database.locked(select(c.id).where(tuple_(c.id, c.epoch).in_(part), c.state == RUNNING))
            lease_until = self._database.now() + self._lease_ms
            prolonged = update(self._table).where(c.id.in_(mine)).values(lease_until=lease_until)
            renewed.update(connection.execute(prolonged.returning(c.id)).scalars())
            left = [pair for pair in part if pair[0] not in renewed]
            if left:
                kept = select(c.id).where(tuple_(c.id, c.epoch).in_(left), c.state == RUNNING)
                renewed.update(connection.execute(kept).scalars())
        return renewed

    def _release(self, held: list[tuple[str, int]], delay_ms: int, connection: Connection) -> None:
        for part in chunks(sorted(self.fence(connection, held))):
            freed = self._freed().where(self._table.c.id.in_(part))
            if delay_ms:
                freed = freed.values(due_at=self._database.now() + delay_ms)
            connection.execute(freed)

    def _take(
        self,
        connection: Connection,
        limit: int,
        *which: ColumnElement[bool],
        alone: bool = False,
    ) -> list[Claimed]:
        c = self._table.c
        oldest = select(c.id).where(self._is_due(), *which).order_by(*_order(self._table)).limit(limit)
        picked = self._database.locked(oldest).cte("picked")
        rows = connection.execute(
            update(self._table)
            .where(c.id.in_(select(picked.c.id)))
            .values(
                state=RUNNING,
                owner=self._owner,
                epoch=c.epoch + 1,
                lease_until=self._database.now() + self._lease_ms,
                alone=true() if alone else false(),
                **self._also_set,
            )
            .returning(c.id, self._tenant, c.epoch, c.lone_deaths)
        )
        return sorted((Claimed(*row) for row in rows), key=lambda row: row.id)

    def _is_due(self) -> ColumnElement[bool]:
        return and_(self._table.c.state == READY, self._table.c.due_at <= self._database.now())

    async def _bury(self, whose: ColumnElement[bool]) -> int:
        c = self._table.c
        # A row that is just being written is passed over: a holder that stands still in the middle of its transaction
        # does not hold up the sweep of all the others.
        dead = self._database.locked(select(c.id).where(c.state == RUNNING, whose))
        counted = self._freed().where(c.id.in_(dead))
        counted = counted.values(deaths=c.deaths + 1, lone_deaths=c.lone_deaths + cast(c.alone, Integer))
        return await self._database.transact(lambda connection: connection.execute(counted).rowcount)

    def _freed(self) -> Update:
        return update(self._table).values(state=READY, owner=None, lease_until=None, alone=false())


def chunks(items: list[T]) -> Iterable[list[T]]:
    """The items in runs of at most CHUNK."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _unfinished(table: Table) -> ColumnElement[bool]:
    return and_(table.c.state.in_(UNFINISHED), table.c.lane.is_not(None))
