"""Organizations, environments and keys in the database. Every method that concerns one tenant takes it first."""

from typing import Any

from sqlalchemy import RowMapping, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, NotFound
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.keys import PresentedKey, digest_of, key_text, new_secret, same
from pulse.tenancy.records import ApiKey, Environment, Organization
from pulse.tenancy.tables import TenancyTables


class TenancyStore:
    """Reads and writes the tables of tenancy, but for sources (see sources.py)."""

    def __init__(self, database: Database, tables: TenancyTables, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._ids = ids
        self._clock = clock

    async def create_organization(self, name: str) -> Organization:
        """A new organization. Raises Conflict where the name is taken."""
        record = Organization(self._ids.new("org"), name, self._clock.now_ms())
        await self._insert(self._tables.organizations, vars(record), f"There is an organization {name!r} already.")
        return record

    async def organizations(self) -> list[Organization]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(self._tables.organizations).order_by("created_at", "id"))
            return [Organization(**row) for row in rows.mappings()]

    async def organization(self, id_or_name: str) -> Organization:
        """By id or by name. Raises NotFound."""
        c = self._tables.organizations.c
        async with self._database.read() as connection:
            query = select(self._tables.organizations).where(or_(c.id == id_or_name, c.name == id_or_name))
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no organization {id_or_name!r}.")
        return Organization(**row)

    async def create_environment(self, organization_id: str, name: str) -> Environment:
        """A new environment. Raises Conflict where the organization has one of that name."""
        record = Environment(self._ids.new("env"), organization_id, name, self._clock.now_ms())
        await self._insert(self._tables.environments, vars(record), f"There is an environment {name!r} already.")
        return record

    async def environments(self, organization_id: str) -> list[Environment]:
        c = self._tables.environments.c
        query = select(self._tables.environments).where(c.organization_id == organization_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(c.created_at, c.id))
            return [Environment(**row) for row in rows.mappings()]

    async def environment(self, organization_id: str, id_or_name: str) -> Environment:
        """By id or by name, within the organization. Raises NotFound."""
        for record in await self.environments(organization_id):
            if id_or_name in (record.id, record.name):
                return record
        raise NotFound(f"There is no environment {id_or_name!r} in that organization.")

    async def create_key(self, environment: Environment, name: str, scopes: tuple[str, ...] = ()) -> tuple[ApiKey, str]:
        """A new key and its text, which is shown this once and kept nowhere."""
        secret = new_secret()
        key = ApiKey(
            id=self._ids.new("key"),
            organization_id=environment.organization_id,
            environment_id=environment.id,
            name=name,
            scopes=scopes,
            created_at=self._clock.now_ms(),
        )
        row = {**vars(key), "scopes": " ".join(scopes), "digest": digest_of(secret)}
        await self._insert(self._tables.api_keys, row, "There is such a key already.")
        return key, key_text(environment.name, key.id, secret)

    async def keys(self, organization_id: str) -> list[ApiKey]:
        c = self._tables.api_keys.c
        query = select(self._tables.api_keys).where(c.organization_id == organization_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(c.created_at, c.id))
            return [_key(row) for row in rows.mappings()]

    async def revoke_key(self, organization_id: str, key_id: str) -> None:
        """Ends a key at once; one that has ended stays as it is. Raises NotFound."""
        c = self._tables.api_keys.c
        mine = (c.organization_id == organization_id) & (c.id == key_id)
        async with self._database.write() as connection:
            ended_at = func.coalesce(c.revoked_at, self._clock.now_ms())
            done = await connection.execute(update(self._tables.api_keys).where(mine).values(revoked_at=ended_at))
        if done.rowcount == 0:
            raise NotFound(f"There is no key {key_id!r}.")

    async def find_key(self, presented: PresentedKey) -> ApiKey | None:
        """The live key that was presented, or None: unknown, wrong, revoked and expired look the same."""
        c = self._tables.api_keys.c
        async with self._database.read() as connection:
            query = select(self._tables.api_keys).where(c.id == presented.key_id)
            row = (await connection.execute(query)).mappings().first()
        if row is None or not same(row["digest"], presented.digest) or row["revoked_at"] is not None:
            return None
        if row["expires_at"] is not None and row["expires_at"] <= self._clock.now_ms():
            return None
        return _key(row)

    async def note_use(self, used: dict[str, int]) -> None:
        """Remembers when keys were last used: {key id: ms}."""
        c = self._tables.api_keys.c
        async with self._database.write() as connection:
            for key_id, at in used.items():
                await connection.execute(update(self._tables.api_keys).where(c.id == key_id).values(last_used_at=at))

    async def _insert(self, table: Any, row: dict[str, Any], taken: str) -> None:
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(table), [row])
        except IntegrityError:
            raise Conflict(taken) from None


def _key(row: RowMapping) -> ApiKey:
    fields = {name: row[name] for name in row if name != "digest"}
    return ApiKey(**{**fields, "scopes": tuple(row["scopes"].split())})
