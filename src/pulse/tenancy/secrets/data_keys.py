"""The data key of each organization: made with its first secret, wrapped by the vault, and kept in the database.

A new master key is put before the old one, and the data keys are wrapped anew under it (`MasterKeyChange`); no secret
needs to be sealed again. When none is left under the old key, that one can be taken away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Misconfigured
from pulse.storage.database import Database
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import TenancyTables


@dataclass(frozen=True)
class DataKey:
    """The key of one organization. `name` says what a secret belongs to: under another name it does not open."""

    organization_id: str
    _wrapped: bytes = field(repr=False)
    _vault: Vault = field(repr=False)

    def seal(self, name: str, secret: bytes) -> bytes:
        return self._vault.seal(self._wrapped, self.organization_id, name, secret)

    def open(self, name: str, sealed: bytes) -> bytes:
        """The secret. Raises Misconfigured where it was moved or changed, or the master key is another one."""
        return self._vault.open(self._wrapped, self.organization_id, name, sealed)


class DataKeys:
    """Data keys in the database, within the transaction of whoever needs one."""

    def __init__(self, tables: TenancyTables, vault: Vault, clock: Clock) -> None:
        self._table = tables.data_keys
        self._vault = vault
        self._clock = clock

    async def of(self, connection: AsyncConnection, organization_id: str) -> DataKey:
        """The key of an organization that has kept a secret before. Raises Misconfigured where it is gone."""
        wrapped = await self._wrapped(connection, organization_id)
        if wrapped is None:
            raise Misconfigured("A stored secret cannot be read: the data key of its organization is not there.")
        return DataKey(organization_id, wrapped, self._vault)

    async def made(self, connection: AsyncConnection, organization_id: str) -> DataKey:
        """The organization's key, made where it has none. Two who make it at once get the same one."""
        if await self._wrapped(connection, organization_id) is None:
            wrapped, now = self._vault.new_data_key(organization_id), self._clock.now_ms()
            inserting = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            row = {"organization_id": organization_id, "wrapped": wrapped, "created_at": now}
            await connection.execute(inserting(self._table).on_conflict_do_nothing(), [row])
        return await self.of(connection, organization_id)

    async def _wrapped(self, connection: AsyncConnection, organization_id: str) -> bytes | None:
        c = self._table.c
        wrapped: bytes | None = await connection.scalar(select(c.wrapped).where(c.organization_id == organization_id))
        return wrapped


@dataclass(frozen=True)
class Rewrapped:
    """What came of a change of the master key: how many data keys were `wrapped` anew, and `current` already.

    `unreadable`: whose data key no given master key opens; while there are some, an old master key is missing.
    """

    wrapped: int = 0
    current: int = 0
    unreadable: tuple[str, ...] = ()

    def __add__(self, other: "Rewrapped") -> "Rewrapped":
        unreadable = (*self.unreadable, *other.unreadable)
        return Rewrapped(self.wrapped + other.wrapped, self.current + other.current, unreadable)


class MasterKeyChange:
    """Wraps the data keys of `tables` (each as `TenancyTables.data_keys`) under the vault's current master key.

    Each batch is a transaction of its own: where it is cut off, the next one goes on, for what is done is passed over.
    Other processes may work meanwhile, if they know both keys.
    """

    def __init__(self, database: Database, tables: Sequence[Table], vault: Vault, batch: int = 100) -> None:
        self._database = database
        self._tables = tables
        self._vault = vault
        self._batch = batch

    async def run(self) -> Rewrapped:
        """Goes through all data keys once."""
        total = Rewrapped()
        for table in self._tables:
            after: str | None = ""
            while after is not None:
                done, after = await self._some(table, after)
                total += done
        return total

    async def _some(self, table: Table, after: str) -> tuple[Rewrapped, str | None]:
        """A batch of those that come behind `after`, and the last of it; None where there is none behind it."""
        c, done = table.c, Rewrapped()
        query = select(c.organization_id, c.wrapped).where(c.organization_id > after).order_by(c.organization_id)
        async with self._database.write() as connection:
            rows = (await connection.execute(query.limit(self._batch).with_for_update())).mappings().all()
            for row in rows:
                done += await self._one(connection, table, row)
        return done, rows[-1]["organization_id"] if len(rows) == self._batch else None

    async def _one(self, connection: AsyncConnection, table: Table, row: RowMapping) -> Rewrapped:
        organization_id: str = row["organization_id"]
        try:
            anew = self._vault.rewrapped(row["wrapped"], organization_id)
        except Misconfigured:
            return Rewrapped(unreadable=(organization_id,))
        if anew is None:
            return Rewrapped(current=1)
        mine = table.c.organization_id == organization_id
        await connection.execute(update(table).where(mine).values(wrapped=anew))
        return Rewrapped(wrapped=1)
