"""The data key of each organization: made with its first secret, wrapped by the vault, and kept in the database."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Misconfigured
from pulse.tenancy.tables import TenancyTables
from pulse.tenancy.vault import Vault


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
