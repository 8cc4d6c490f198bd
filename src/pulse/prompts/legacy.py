"""Legacy models (platform.md 7.2): an address that is asked the older way, with a token or a client's key and secret.

What is secret is sealed as a credential's is, and leaves the vault only as the `LegacyAccess` of a request. Every
method takes the organization first, `SYSTEM` for the installation's own: an organization sees and uses those too, and
changes none.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.prompts.faults import legacy_faults
from pulse.prompts.records import SYSTEM, WHOLE, LegacyAccess, LegacyDraft, LegacyModel, Part, Scope
from pulse.prompts.secrets import SecretKeys, Secrets
from pulse.prompts.tables import PromptTables
from pulse.prompts.uses import Uses, listed, refuse_used, usable
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note

_PRIVATE = ("sealed", "secret_version")


class LegacyStore:
    """Legacy models in the database. `users` are asked before one is deleted."""

    def __init__(
        self,
        database: Database,
        tables: PromptTables,
        keys: SecretKeys,
        ids: Ids,
        clock: Clock,
        *,
        users: Sequence[Uses] = (),
    ) -> None:
        self._database = database
        self._table = tables.legacy
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._users = tuple(users)

    async def create(self, organization_id: str, draft: LegacyDraft) -> LegacyModel:
        """A new model. Raises InvalidFields, NotFound for the organization, Conflict where the name is taken."""
        secrets = _changed(Secrets(), draft.secrets)
        _check(draft, secrets)
        now = self._clock.now_ms()
        made = {"id": self._ids.new("mdl"), "organization_id": organization_id}
        row = {**made, **_values(draft, secrets), "revision": 1, "created_at": now, "updated_at": now}
        try:
            async with self._database.write() as connection:
                sealed = await self._keys.seal(connection, organization_id, (row["id"], 1), secrets)
                await connection.execute(insert(self._table), [{**row, "sealed": sealed, "secret_version": 1}])
                note("legacy-model", row["id"], draft.name, created=True)
        except IntegrityError:
            raise _taken(draft.name) from None
        return LegacyModel(**row)

    async def update(
        self, organization_id: str, model_id: str, draft: LegacyDraft, expected: int | None = None
    ) -> LegacyModel:
        """Stores a changed model; `expected` is the revision to replace.

        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        try:
            async with self._database.write() as connection:
                row = await self._own(connection, organization_id, model_id)
                secrets = _changed(await self._opened(connection, row), draft.secrets)
                _check(draft, secrets, before=_model(row))
                if expected not in (None, row["revision"]):
                    raise StaleRevision(revision=row["revision"])
                changed: dict[str, Any] = {**row, **await self._replaced(connection, row, draft, secrets)}
                await connection.execute(update(self._table).where(self._table.c.id == row["id"]).values(changed))
                note("legacy-model", model_id, draft.name, revision=changed["revision"])
        except IntegrityError:
            raise _taken(draft.name) from None
        return _model(changed)

    async def delete(self, organization_id: str, model_id: str) -> None:
        """Deletes a model with its secrets. Raises NotFound; Conflict, with names, while anything uses it."""
        found = await self.get(organization_id, model_id)
        if found.organization_id != organization_id:
            raise _unknown(model_id)
        await refuse_used(self._users, organization_id, model_id, "legacy model")
        async with self._database.write() as connection:
            row = await self._own(connection, organization_id, model_id)
            await connection.execute(delete(self._table).where(self._table.c.id == row["id"]))
            note("legacy-model", model_id, row["name"], deleted=True)

    async def get(self, organization_id: str, model_id: str) -> LegacyModel:
        """One of the organization's, or of the installation's. Raises NotFound."""
        c = self._table.c
        query = select(self._table).where(usable(c.organization_id, organization_id), c.id == model_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise _unknown(model_id)
        return _model(row)

    async def list(
        self,
        organization_id: str,
        *,
        scope: Scope | None = None,
        include_system: bool = False,
        part: Part = WHOLE,
    ) -> tuple[Sequence[LegacyModel], int]:
        """Models in the order of creation, and how many there are. `scope` goes before `include_system`."""
        c = self._table.c
        wanted = listed(c.organization_id, organization_id, scope, include_system=include_system)
        query = select(self._table).where(wanted).order_by(c.created_at, c.id)
        count = select(func.count()).select_from(self._table).where(wanted)
        async with self._database.read() as connection:
            rows = await connection.execute(query.offset(part.offset).limit(part.limit))
            return [_model(row) for row in rows.mappings()], await connection.scalar(count) or 0

    async def access_of(self, organization_id: str, id_or_name: str) -> LegacyAccess:
        """What a request needs, secrets included: for those who make requests, and nobody else.

        An organization's own model goes before the installation's, an id before a name. Raises NotFound, Misconfigured
        where the secrets cannot be opened.
        """
        c = self._table.c
        order = case((c.organization_id == SYSTEM, 1), else_=0), case((c.id == id_or_name, 0), else_=1)
        named = usable(c.organization_id, organization_id) & ((c.id == id_or_name) | (c.name == id_or_name))
        query = select(self._table).where(named).order_by(*order).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                raise _unknown(id_or_name)
            return LegacyAccess(row["name"], row["url"], await self._opened(connection, row))

    # ---- within a transaction --------------------------------------------------------------------------------

    async def _own(self, connection: AsyncConnection, organization_id: str, model_id: str) -> RowMapping:
        """The organization's own row, which nobody else changes before this transaction ends."""
        c = self._table.c
        mine = (c.organization_id == organization_id) & (c.id == model_id)
        row = (await connection.execute(select(self._table).where(mine).with_for_update())).mappings().first()
        if row is None:
            raise _unknown(model_id)
        return row

    async def _opened(self, connection: AsyncConnection, row: RowMapping) -> Secrets:
        place = (row["id"], row["secret_version"])
        return await self._keys.open(connection, row["organization_id"], place, row["sealed"])

    async def _replaced(
        self, connection: AsyncConnection, row: RowMapping, draft: LegacyDraft, secrets: Secrets
    ) -> dict[str, Any]:
        version = row["secret_version"] + 1
        return {
            **_values(draft, secrets),
            "sealed": await self._keys.seal(connection, row["organization_id"], (row["id"], version), secrets),
            "secret_version": version,
            "revision": row["revision"] + 1,
            "updated_at": self._clock.now_ms(),
        }


def _changed(stored: Secrets, given: Secrets) -> Secrets:
    """The secrets with what is given in their place; the kind that is given replaces the other one."""
    if given.api_key:
        stored = Secrets()
    elif given.access_key or given.secret_key:
        stored = replace(stored, api_key=None)
    return stored.changed_by(given)


def _check(draft: LegacyDraft, secrets: Secrets, before: LegacyModel | None = None) -> None:
    faults = legacy_faults(draft, secrets, before)
    if faults:
        raise InvalidFields(faults)


def _values(draft: LegacyDraft, secrets: Secrets) -> dict[str, Any]:
    has_keys = bool(secrets.access_key and secrets.secret_key)
    return {"name": draft.name, "url": draft.url, "has_token": bool(secrets.api_key), "has_keys": has_keys}


def _model(row: Any) -> LegacyModel:
    return LegacyModel(**{name: row[name] for name in row if name not in _PRIVATE})


def _unknown(id_or_name: str) -> NotFound:
    return NotFound(f"There is no legacy model {id_or_name!r}.")


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a legacy model {name!r} already: choose another name.")
