"""Webhook sources and their secrets, which are sealed in the vault. Two secrets live at once while one is rotated."""

import base64
import os
import time

import msgspec
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound
from pulse.core.ids import ALPHABET
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note
from pulse.tenancy.records import SOURCE_KINDS, Environment, Source
from pulse.tenancy.secrets.data_keys import DataKey, DataKeys
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.store import gone
from pulse.tenancy.tables import TenancyTables

LIVE_SECRETS = 2
KEPT_S = 10.0


class SourceStore:
    """Sources in the database; secrets leave the vault only for whoever verifies signatures."""

    def __init__(self, database: Database, tables: TenancyTables, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._keys = DataKeys(tables, vault, clock)
        self._clock = clock
        self._changes = 0
        self._kept: dict[str, tuple[float, Source]] = {}

    async def create(self, environment: Environment, name: str, kind: str, secret: str | None = None) -> Source:
        """A new source, with a secret of its own where none is given.

        Raises InvalidFields for an unknown kind, NotFound where the environment is gone.
        """
        if kind not in SOURCE_KINDS:
            raise InvalidFields([Fault("kind", "unknown_kind", f"{kind!r} is none of: {', '.join(SOURCE_KINDS)}.")])
        if kind == "none" and secret is not None:
            raise InvalidFields([Fault("secret", "not_used", "A source of kind none checks no signature.")])
        secrets = () if kind == "none" else (secret or _new_secret(kind),)
        source = Source(
            id=_unguessable_id(),
            organization_id=environment.organization_id,
            environment_id=environment.id,
            name=name,
            kind=kind,
            created_at=self._clock.now_ms(),
            secrets=secrets,
        )
        try:
            async with self._database.write() as connection:
                key = await self._keys.made(connection, source.organization_id)
                await connection.execute(insert(self._tables.sources), [_row(source, key)])
                note("source", source.id, name, created=True)
        except IntegrityError as error:
            raise await gone(self._database, error, [(self._tables.sources, vars(source))]) or error from None
        return source

    async def list(self, organization_id: str) -> list[Source]:
        """The organization's sources, without their secrets."""
        c = self._tables.sources.c
        query = select(self._tables.sources).where(c.organization_id == organization_id).order_by(c.created_at, c.id)
        async with self._database.read() as connection:
            return [_record(row, ()) for row in (await connection.execute(query)).mappings()]

    async def rotate(self, organization_id: str, source_id: str, secret: str | None = None) -> Source:
        """Puts a new secret before the present one, which stays valid until the next rotation.

        Raises NotFound; Conflict for a source that has no secret.
        """
        c = self._tables.sources.c
        mine = (c.organization_id == organization_id) & (c.id == source_id)
        async with self._database.write() as connection:
            # Locked: of two rotations at once, neither may put its secret in the place of the other's.
            query = select(self._tables.sources).where(mine).with_for_update()
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                raise NotFound(f"There is no source {source_id!r}.")
            if row["kind"] == "none":
                raise Conflict("A source of kind none checks no signature: it has no secret to rotate.")
            key = await self._keys.of(connection, organization_id)
            secrets = (secret or _new_secret(row["kind"]), *_secrets(row, key))[:LIVE_SECRETS]
            source = _record(row, secrets)
            sealed = _row(source, key)["secrets"]
            await connection.execute(update(self._tables.sources).where(mine).values(secrets=sealed))
            note("source", source_id, source.name, rotated=True)
        self._changes += 1
        self._kept.pop(source_id, None)
        return source

    async def delete(self, organization_id: str, source_id: str) -> None:
        """Takes nothing from its sender any more. Raises NotFound."""
        c = self._tables.sources.c
        async with self._database.write() as connection:
            mine = (c.organization_id == organization_id) & (c.id == source_id)
            done = await connection.execute(delete(self._tables.sources).where(mine))
            if done.rowcount == 0:
                raise NotFound(f"There is no source {source_id!r}.")
            note("source", source_id, deleted=True)
        self._changes += 1
        self._kept.pop(source_id, None)

    async def find(self, source_id: str) -> Source | None:
        """The source with its secrets, for the receiver: the id itself is what a sender knows.

        Kept for KEPT_S; a change made by this process is in force at once, one made elsewhere when it is announced.
        """
        kept = self._kept.get(source_id)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        changes, source = self._changes, await self._read(source_id)
        if source is not None and changes == self._changes:
            self._kept[source_id] = (time.monotonic() + KEPT_S, source)
        return source

    def forget(self, organization_id: str, environment_id: str) -> None:
        """To be called when something of that environment has changed, which may be a source."""
        self._changes += 1
        here = (organization_id, environment_id)
        for kept_id, (_, kept) in tuple(self._kept.items()):
            if (kept.organization_id, kept.environment_id) == here:
                del self._kept[kept_id]

    def forget_all(self) -> None:
        """To be called when changes elsewhere may have been missed."""
        self._changes += 1
        self._kept.clear()

    async def _read(self, source_id: str) -> Source | None:
        async with self._database.read() as connection:
            query = select(self._tables.sources).where(self._tables.sources.c.id == source_id)
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                return None
            key = await self._keys.of(connection, row["organization_id"])
        return _record(row, _secrets(row, key))


def _secrets(row: RowMapping, key: DataKey) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(key.open(f"source:{row['id']}", row["secrets"]), type=list[str]))


def _row(source: Source, key: DataKey) -> dict[str, object]:
    return {**vars(source), "secrets": key.seal(f"source:{source.id}", msgspec.json.encode(source.secrets))}


def _record(row: RowMapping, secrets: tuple[str, ...]) -> Source:
    return Source(**{**row, "secrets": secrets})


def _unguessable_id() -> str:
    number = int.from_bytes(os.urandom(20))
    return "src_" + "".join(ALPHABET[(number >> shift) & 31] for shift in range(155, -1, -5))


def _new_secret(kind: str) -> str:
    raw = os.urandom(32)
    # Standard Webhooks 1.0 wants its secrets in this form.
    return "whsec_" + base64.b64encode(raw).decode() if kind == "standard" else raw.hex()
