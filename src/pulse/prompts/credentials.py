"""Model credentials: how an organization, or the installation for all of them, reaches a provider.

What is secret is sealed, and leaves the vault only as the `Access` of a request (`access_of`). Every method takes the
organization first, `SYSTEM` for the installation's own: an organization sees and uses those too, and changes none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.models.catalogue import Catalogue, Provider
from pulse.models.port import Access
from pulse.prompts.buckets import Limits
from pulse.prompts.faults import access_faults, credential_faults, moved_faults
from pulse.prompts.records import SYSTEM, WHOLE, Credential, CredentialDraft, Part, Scope
from pulse.prompts.secrets import SecretKeys, Secrets
from pulse.prompts.tables import PromptTables
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note

_PRIVATE = ("sealed", "secret_version")
# What each kind of access proves itself by, besides headers: the rest of what is stored stays in the vault.
_USED: Mapping[str, tuple[str, ...]] = {
    "api_key": ("api_key",),
    "service_account": ("service_account",),
    "iam": ("access_key", "secret_key", "session_token"),
    "custom_headers": (),
    "none": (),
}
_LEADS_TO = ("provider", "auth_type", "base_url", "aws_region")
MAX_REASON = 300


class CredentialInactive(Conflict):
    """The credential is switched off: switch it on, or choose another one for this model."""

    code = "credential_inactive"


class CredentialStore:
    """Credentials in the database."""

    def __init__(
        self,
        database: Database,
        tables: PromptTables,
        keys: SecretKeys,
        catalogue: Catalogue,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._database = database
        self._tables = tables
        self._keys = keys
        self._catalogue = catalogue
        self._ids = ids
        self._clock = clock

    async def create(self, organization_id: str, draft: CredentialDraft) -> Credential:
        """A new credential. Raises InvalidFields, NotFound for the organization, Conflict where the name is taken."""
        secrets = Secrets().changed_by(draft.secrets)
        self._check(organization_id, draft, secrets)
        now = self._clock.now_ms()
        row = {
            **self._values(draft, secrets),
            "id": self._ids.new("mcr"),
            "organization_id": organization_id,
            "revision": 1,
            "created_at": now,
            "updated_at": now,
        }
        try:
            async with self._database.write() as connection:
                sealed = await self._keys.seal(connection, organization_id, (row["id"], 1), secrets)
                stored = {**row, "sealed": sealed, "secret_version": 1}
                await connection.execute(insert(self._tables.credentials), [stored])
                note("credential", row["id"], draft.name, created=True)
        except IntegrityError:
            raise _taken(draft.name) from None
        return await self.get(organization_id, row["id"])

    async def update(
        self, organization_id: str, credential_id: str, draft: CredentialDraft, expected: int | None = None
    ) -> Credential:
        """Stores a changed credential; `expected` is the revision to replace.

        What it was validated as is forgotten where it leads elsewhere or has other secrets now.
        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        try:
            async with self._database.write() as connection:
                row = await self._own(connection, organization_id, credential_id)
                stored = await self._opened(connection, row)
                secrets = stored.changed_by(draft.secrets)
                self._check(organization_id, draft, secrets, before=_credential(row))
                if expected not in (None, row["revision"]):
                    raise StaleRevision(revision=row["revision"])
                await self._refuse_foreign_provider(connection, row, draft)
                await self._replace(connection, row, draft, secrets, same=secrets == stored)
                note("credential", credential_id, draft.name, secrets_changed=secrets != stored)
        except IntegrityError:
            raise _taken(draft.name) from None
        return await self.get(organization_id, credential_id)

    async def delete(self, organization_id: str, credential_id: str) -> None:
        """Deletes a credential with its secrets. Raises NotFound; Conflict, with names, while configurations use it."""
        credentials, buckets = self._tables.credentials, self._tables.buckets
        async with self._database.write() as connection:
            found = await self._own(connection, organization_id, credential_id)
            users = await self._users(connection, organization_id, credential_id)
            if users:
                raise Conflict(f"This credential is used by {users}. Give them another one first.")
            await connection.execute(delete(buckets).where(buckets.c.credential_id == credential_id))
            await connection.execute(delete(credentials).where(credentials.c.id == credential_id))
            note("credential", credential_id, found["name"], deleted=True)

    async def get(self, organization_id: str, credential_id: str) -> Credential:
        """One of the organization's, or of the installation's. Raises NotFound."""
        async with self._database.read() as connection:
            return _credential(await self._one(connection, organization_id, credential_id))

    async def list(
        self,
        organization_id: str,
        *,
        scope: Scope | None = None,
        provider: str | None = None,
        active_only: bool = True,
        part: Part = WHOLE,
    ) -> tuple[Sequence[Credential], int]:
        """The organization's credentials and the installation's in the order of creation, and how many there are."""
        c = self._tables.credentials.c
        wanted = [_in_scope(c.organization_id, organization_id, scope)]
        if provider is not None:
            wanted.append(c.provider == provider)
        if active_only:
            wanted.append(c.is_active)
        query = select(self._tables.credentials).where(*wanted).order_by(c.created_at, c.id)
        count = select(func.count()).select_from(self._tables.credentials).where(*wanted)
        async with self._database.read() as connection:
            rows = await connection.execute(query.offset(part.offset).limit(part.limit))
            return [_credential(row) for row in rows.mappings()], await connection.scalar(count) or 0

    async def usage_counts(self, organization_id: str, credential_ids: Iterable[str]) -> Mapping[str, int]:
        """How many of the organization's configurations use each of these, by id; those that none uses are left out."""
        c = self._tables.configurations.c
        query = select(c.credential_id, func.count().label("users")).where(
            c.organization_id == organization_id, c.credential_id.in_(list(credential_ids))
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query.group_by(c.credential_id))
            return {row.credential_id: row.users for row in rows}

    async def access_of(self, organization_id: str, credential_id: str) -> Access:
        """What a request needs, secrets included: for those who make requests, and nobody else.

        Raises NotFound, CredentialInactive, Misconfigured where the secrets cannot be opened.
        """
        async with self._database.read() as connection:
            row = await self._one(connection, organization_id, credential_id)
            if not row["is_active"]:
                raise CredentialInactive(f"The credential {row['name']!r} is switched off: switch it on.")
            secrets = await self._opened(connection, row)
        return self._access(row, secrets)

    async def note_validation(self, organization_id: str, credential_id: str, error: str | None) -> Credential:
        """Remembers that the credential was tried just now, and what was wrong with it. Raises NotFound."""
        values = {"last_validated": self._clock.now_ms(), "validation_error": error and error[:MAX_REASON]}
        async with self._database.write() as connection:
            await self._own(connection, organization_id, credential_id)
            mine = self._tables.credentials.c.id == credential_id
            await connection.execute(update(self._tables.credentials).where(mine).values(values))
            note("credential", credential_id, validated=error is None)
        return await self.get(organization_id, credential_id)

    # ---- within a transaction --------------------------------------------------------------------------------

    def _check(
        self, organization_id: str, draft: CredentialDraft, secrets: Secrets, before: Credential | None = None
    ) -> None:
        faults = credential_faults(draft, secrets, organization_id)
        provider = found_provider(self._catalogue, draft.provider)
        if provider is None:
            faults.append(Fault("providerId", "unknown_provider", "There is no such provider."))
        else:
            faults.extend(access_faults(draft, provider))
        if before is not None:
            faults.extend(moved_faults(before, draft))
        if faults:
            raise InvalidFields(faults)

    async def _replace(
        self, connection: AsyncConnection, row: RowMapping, draft: CredentialDraft, secrets: Secrets, *, same: bool
    ) -> None:
        version = row["secret_version"] + 1
        values: dict[str, Any] = {
            **self._values(draft, secrets),
            "sealed": await self._keys.seal(connection, row["organization_id"], (row["id"], version), secrets),
            "secret_version": version,
            "revision": row["revision"] + 1,
            "updated_at": self._clock.now_ms(),
        }
        if not same or any(row[name] != values[name] for name in _LEADS_TO):
            values |= {"last_validated": None, "validation_error": None}
        table = self._tables.credentials
        await connection.execute(update(table).where(table.c.id == row["id"]).values(values))

    async def _refuse_foreign_provider(
        self, connection: AsyncConnection, row: RowMapping, draft: CredentialDraft
    ) -> None:
        if draft.provider == row["provider"]:
            return
        users = await self._users(connection, row["organization_id"], row["id"])
        if users:
            raise Conflict(f"This credential is used by {users}, with models of {row['provider']}.")

    async def _users(self, connection: AsyncConnection, organization_id: str, credential_id: str) -> str:
        """The configurations that use it, in words; other organizations' are counted, not named."""
        c = self._tables.configurations.c
        query = select(c.organization_id, c.name).where(c.credential_id == credential_id).order_by(c.name)
        rows = (await connection.execute(query)).all()
        names = [repr(row.name) for row in rows if row.organization_id == organization_id]
        others = len(rows) - len(names)
        more = len(names[3:])
        words = [*names[:3], *([f"{more} more"] if more else [])]
        return ", ".join([*words, *([f"{others} of organizations"] if others else [])])

    async def _one(self, connection: AsyncConnection, organization_id: str, credential_id: str) -> RowMapping:
        c = self._tables.credentials.c
        mine = c.organization_id.in_((organization_id, SYSTEM)) & (c.id == credential_id)
        row = (await connection.execute(select(self._tables.credentials).where(mine))).mappings().first()
        if row is None:
            raise NotFound(f"There is no credential {credential_id!r}.")
        return row

    async def _own(self, connection: AsyncConnection, organization_id: str, credential_id: str) -> RowMapping:
        """The organization's own row, which nobody else changes before this transaction ends."""
        c = self._tables.credentials.c
        mine = (c.organization_id == organization_id) & (c.id == credential_id)
        query = select(self._tables.credentials).where(mine).with_for_update()
        row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no credential {credential_id!r}.")
        return row

    async def _opened(self, connection: AsyncConnection, row: RowMapping) -> Secrets:
        place = (row["id"], row["secret_version"])
        return await self._keys.open(connection, row["organization_id"], place, row["sealed"])

    def _values(self, draft: CredentialDraft, secrets: Secrets) -> dict[str, Any]:
        values = {name: value for name, value in vars(draft).items() if name not in ("limits", "secrets")}
        return {**values, **vars(draft.limits), **secrets.flags()}

    def _access(self, row: RowMapping, secrets: Secrets) -> Access:
        provider = found_provider(self._catalogue, row["provider"])
        address = row["base_url"] or (provider.base_url if provider else None)
        wanted = {name: getattr(secrets, name) for name in _USED[row["auth_type"]]}
        return replace(Access(address, region=row["aws_region"], headers=dict(secrets.headers or {})), **wanted)


def found_provider(catalogue: Catalogue, slug: str) -> Provider | None:
    """The provider, or None where the catalogue has none of that name (any more)."""
    return next((one for one in catalogue.providers if one.slug == slug), None)


def _in_scope(column: ColumnElement[str], organization_id: str, scope: Scope | None) -> ColumnElement[bool]:
    if scope == "system":
        return column == SYSTEM
    return column == organization_id if scope == "organization" else column.in_((organization_id, SYSTEM))


def _credential(row: RowMapping) -> Credential:
    limits = {name: row[name] for name in Limits.__dataclass_fields__}
    fields = {name: row[name] for name in row if name not in (*limits, *_PRIVATE)}
    return Credential(**fields, limits=Limits(**limits))


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a credential {name!r} already: choose another name.")
