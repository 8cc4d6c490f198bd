"""Organizations, environments and keys in the database. Every method that concerns one tenant takes it first.

What somebody else deletes while something is made that refers to it is named by `gone`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ForeignKeyConstraint, RowMapping, Table, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import aside, note
from pulse.tenancy.keys import PresentedKey, digest_of, key_text, new_secret, same
from pulse.tenancy.records import ApiKey, Environment, Organization
from pulse.tenancy.tables import TenancyTables

# The end of the year 9999: no later time can be shown.
LATEST_MS = 253_402_300_799_999
NOUNS = {"organizations": "organization", "environments": "environment", "users": "user", "members": "member"}


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
        await self._insert(
            "organization", self._tables.organizations, vars(record), f"There is an organization {name!r} already."
        )
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
        """A new environment. Raises Conflict where the organization has one of that name, NotFound without that."""
        record = Environment(self._ids.new("env"), organization_id, name, self._clock.now_ms())
        await self._insert(
            "environment", self._tables.environments, vars(record), f"There is an environment {name!r} already."
        )
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

    async def create_key(
        self, environment: Environment, name: str, scopes: tuple[str, ...] = (), expires_at: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which is shown this once and kept nowhere. Raises InvalidFields, NotFound."""
        secret, now = new_secret(), self._clock.now_ms()
        if expires_at is not None and expires_at <= now:
            raise InvalidFields([Fault("expiresAt", "in_the_past", "A new key must end later than now.")])
        if expires_at is not None and expires_at > LATEST_MS:
            raise InvalidFields([Fault("expiresAt", "too_late", "A key ends before the year 10000, or never.")])
        key = ApiKey(
            id=self._ids.new("key"),
            organization_id=environment.organization_id,
            environment_id=environment.id,
            name=name,
            scopes=scopes,
            created_at=now,
            expires_at=expires_at,
        )
        await self._insert("api-key", self._tables.api_keys, _key_row(key, secret), "There is such a key already.")
        return key, key_text(environment.name, key.id, secret)

    async def rotate_key(
        self, organization_id: str, key_id: str, grace_ms: int, until: int | None = None
    ) -> tuple[ApiKey, str]:
        """A key that may do the same for as long, and its text; the old one ends in `grace_ms` at the latest.

        `until`: when the new one ends at the latest. Raises NotFound; Conflict where the old one has ended already.
        """
        table, now, secret = self._tables.api_keys, self._clock.now_ms(), new_secret()
        mine = (table.c.organization_id == organization_id) & (table.c.id == key_id)
        async with self._database.write() as connection:
            row = (await connection.execute(select(table).where(mine).with_for_update())).mappings().first()
            if row is None:
                raise NotFound(f"There is no key {key_id!r}.")
            old = _key(row)
            if old.has_ended(now):
                raise Conflict("This key has ended already: make a new one.")
            lasts = until if old.expires_at is None else now + old.expires_at - old.created_at
            expires_at = None if lasts is None else min(lasts, until or LATEST_MS, LATEST_MS)
            key = replace(old, id=self._ids.new("key"), created_at=now, expires_at=expires_at, last_used_at=None)
            ends_at = min(now + grace_ms, old.expires_at or now + grace_ms)
            await connection.execute(update(table).where(mine).values(expires_at=ends_at))
            await connection.execute(insert(table), [_key_row(key, secret)])
            note("api-key", key_id, old.name, replaced_by=key.id)
        environment = await self.environment(organization_id, key.environment_id)
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
            note("api-key", key_id, revoked=True)

    async def find_key(self, presented: PresentedKey) -> ApiKey | None:
        """The live key that was presented, or None: unknown, wrong, revoked and expired look the same."""
        c = self._tables.api_keys.c
        async with self._database.read() as connection:
            query = select(self._tables.api_keys).where(c.id == presented.key_id)
            row = (await connection.execute(query)).mappings().first()
        if row is None or not same(row["digest"], presented.digest):
            return None
        key = _key(row)
        return None if key.has_ended(self._clock.now_ms()) else key

    def lasts_s(self, key: ApiKey, at_most: float) -> float:
        """For how many seconds the key may be taken as it is now."""
        return at_most if key.expires_at is None else min(at_most, (key.expires_at - self._clock.now_ms()) / 1000)

    async def _insert(self, kind: str, table: Table, row: dict[str, Any], taken: str) -> None:
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(table), [row])
                note(kind, row["id"], row["name"], organization_id=row.get("organization_id", ""), created=True)
        except IntegrityError as error:
            raise await gone(self._database, error, [(table, row)]) or Conflict(taken) from None


def _key_row(key: ApiKey, secret: str) -> dict[str, Any]:
    return {**vars(key), "scopes": " ".join(key.scopes), "digest": digest_of(secret)}


def _key(row: RowMapping) -> ApiKey:
    fields = {name: row[name] for name in row if name != "digest"}
    return ApiKey(**{**fields, "scopes": tuple(row["scopes"].split())})


async def gone(
    database: Database, error: IntegrityError, rows: Iterable[tuple[Table, Mapping[str, Any]]]
) -> NotFound | None:
    """What it is that these rows refer to and that is not there; None where the error says something else.

    To be asked after the transaction that was to write the rows: an error names it on neither database.
    """
    if not _is_of_a_reference(error):
        return None
    for table, row in rows:
        for key in sorted(table.foreign_key_constraints, key=lambda each: list(each.column_keys)):
            if await _is_missing(database, key, row):
                noun = NOUNS.get(key.referred_table.name.removeprefix(database.prefix), "such thing")
                return NotFound(f"There is no {noun} {row[key.column_keys[-1]]!r} any more.")
    return NotFound("What this belongs to was deleted at this moment: read it again.")


def _is_of_a_reference(error: IntegrityError) -> bool:
    """Whether a foreign key is broken, rather than something there twice."""
    state = getattr(error.orig, "sqlstate", None)
    return state == "23503" or "FOREIGN KEY constraint failed" in str(error.orig)


async def _is_missing(database: Database, key: ForeignKeyConstraint, row: Mapping[str, Any]) -> bool:
    if any(row.get(name) is None for name in key.column_keys):
        return False
    named = zip(key.elements, key.column_keys, strict=True)
    wanted = and_(*(each.column == row[name] for each, name in named))
    # Whoever made the row may see none of those it refers to: a user who is no member yet.
    with aside():
        async with database.read() as connection:
            return (await connection.execute(select(key.referred_table).where(wanted))).first() is None
