"""Model configurations: a model of the catalogue, the credential it is reached with, and what is asked by default.

An organization has its own, and uses the installation's (`SYSTEM`) beside them, which it cannot change. Its own may
use the installation's credentials too; the installation's use nothing of an organization. `resolve` is what effects
call: it gives everything that one request needs.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.models.catalogue import Catalogue, Definition, Provider
from pulse.models.port import Access
from pulse.prompts.buckets import Limits
from pulse.prompts.credentials import CredentialStore, found_provider
from pulse.prompts.faults import configuration_faults
from pulse.prompts.records import SYSTEM, WHOLE, Configuration, ConfigurationDraft, Part, Scope
from pulse.prompts.tables import PromptTables
from pulse.prompts.uses import Uses, listed, refuse_used, usable
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note

MAX_TOKENS = 4_096


@dataclass(frozen=True)
class Defaults:
    """What is asked where a call says nothing else; `timeout_ms` bounds a call with all its tries."""

    temperature: float | None
    max_tokens: int
    timeout_ms: int


@dataclass(frozen=True)
class ResolvedModel:
    """All that one request to a model needs. `access` holds secrets: it is for whoever makes the request.

    `model_id` is the provider's name of the model.
    """

    configuration_id: str
    provider: Provider
    definition: Definition
    model_id: str
    credential_id: str
    access: Access
    defaults: Defaults
    limits: Limits


class ConfigurationStore:
    """Configurations in the database. `users` are asked before one is deleted."""

    def __init__(
        self,
        database: Database,
        tables: PromptTables,
        credentials: CredentialStore,
        catalogue: Catalogue,
        ids: Ids,
        clock: Clock,
        *,
        users: Sequence[Uses] = (),
    ) -> None:
        self._database = database
        self._tables = tables
        self._credentials = credentials
        self._catalogue = catalogue
        self._ids = ids
        self._clock = clock
        self._users = tuple(users)

    async def create(self, organization_id: str, draft: ConfigurationDraft) -> Configuration:
        """A new configuration. Raises InvalidFields, Conflict where the name is taken."""
        now = self._clock.now_ms()
        made = {"id": self._ids.new("mcf"), "organization_id": organization_id}
        times = {"revision": 1, "created_at": now, "updated_at": now}
        try:
            async with self._changing(organization_id) as connection:
                row = {**made, **times, **await self._checked(connection, organization_id, draft)}
                await self._keep_one_default(connection, row)
                await connection.execute(insert(self._tables.configurations), [row])
                note("model-configuration", made["id"], draft.name, created=True)
        except IntegrityError:
            raise _taken(draft.name) from None
        return Configuration(**row)

    async def update(
        self, organization_id: str, configuration_id: str, draft: ConfigurationDraft, expected: int | None = None
    ) -> Configuration:
        """Stores a changed configuration; `expected` is the revision to replace.

        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        table = self._tables.configurations
        try:
            async with self._changing(organization_id) as connection:
                found = await self._own(connection, organization_id, configuration_id)
                values = await self._checked(connection, organization_id, draft)
                if expected is not None and expected != found["revision"]:
                    raise StaleRevision(revision=found["revision"])
                changed = {"revision": found["revision"] + 1, "updated_at": self._clock.now_ms()}
                row: dict[str, Any] = {**found, **values, **changed}
                await self._keep_one_default(connection, row)
                await connection.execute(update(table).where(table.c.id == configuration_id).values(row))
                note("model-configuration", configuration_id, draft.name, revision=row["revision"])
        except IntegrityError:
            raise _taken(draft.name) from None
        return Configuration(**row)

    async def delete(self, organization_id: str, configuration_id: str) -> None:
        """Raises NotFound; Conflict, with names, while anything uses it."""
        table = self._tables.configurations
        await self._refuse_used(organization_id, configuration_id)
        async with self._database.write() as connection:
            found = await self._own(connection, organization_id, configuration_id)
            await connection.execute(delete(table).where(table.c.id == configuration_id))
            note("model-configuration", configuration_id, found["name"], deleted=True)

    async def get(self, organization_id: str, configuration_id: str) -> Configuration:
        """One of the organization's, or of the installation's. Raises NotFound."""
        c = self._tables.configurations.c
        return await self._first(usable(c.organization_id, organization_id) & (c.id == configuration_id))

    async def find(self, organization_id: str, id_or_name: str) -> Configuration:
        """By id or by name; an organization's own goes before the installation's of that name. Raises NotFound."""
        c = self._tables.configurations.c
        named = (c.id == id_or_name) | (c.name == id_or_name)
        return await self._first(usable(c.organization_id, organization_id) & named)

    async def default_of(self, organization_id: str, category: str = "chat") -> Configuration:
        """What is used where nothing is chosen: of the organization's own, or else of the installation's, the default
        one, or else the first visible one by priority. Raises NotFound where there is none.
        """
        c = self._tables.configurations.c
        offered = usable(c.organization_id, organization_id) & (c.category == category)
        try:
            return await self._first(offered & (c.is_default | c.is_visible), c.is_default.desc())
        except NotFound:
            raise NotFound(f"There is no model configuration of the kind {category!r} yet: create one.") from None

    async def list(
        self,
        organization_id: str,
        *,
        scope: Scope | None = None,
        include_system: bool = False,
        visible_only: bool = True,
        category: str | None = None,
        part: Part = WHOLE,
    ) -> tuple[Sequence[Configuration], int]:
        """Configurations by priority, then creation, and how many there are. `scope` goes before `include_system`."""
        c = self._tables.configurations.c
        wanted = [listed(c.organization_id, organization_id, scope, include_system=include_system)]
        if visible_only:
            wanted.append(c.is_visible)
        if category is not None:
            wanted.append(c.category == category)
        query = select(self._tables.configurations).where(*wanted).order_by(c.priority, c.created_at, c.id)
        count = select(func.count()).select_from(self._tables.configurations).where(*wanted)
        async with self._database.read() as connection:
            rows = await connection.execute(query.offset(part.offset).limit(part.limit))
            return [Configuration(**row) for row in rows.mappings()], await connection.scalar(count) or 0

    async def resolve(self, organization_id: str, configuration_id: str) -> ResolvedModel:
        """What a request needs.

        Raises NotFound (also where the catalogue no longer has the model), CredentialInactive, Misconfigured.
        """
        found = await self.get(organization_id, configuration_id)
        definition = _found_definition(self._catalogue, found.definition_id)
        provider = definition and found_provider(self._catalogue, definition.provider)
        if definition is None or not isinstance(provider, Provider):
            raise NotFound(f"The model of {found.name!r} is not in the catalogue any more: choose another one.")
        # The installation's configurations use the installation's credentials, and an organization may use those.
        credential = await self._credentials.get(organization_id, found.credential_id)
        return ResolvedModel(
            configuration_id=found.id,
            provider=provider,
            definition=definition,
            model_id=found.model_id or definition.model_id,
            credential_id=credential.id,
            access=await self._credentials.access_of(organization_id, credential.id),
            defaults=Defaults(found.default_temperature, found.default_max_tokens, found.default_timeout_ms),
            limits=credential.limits,
        )

    # ---- within a transaction --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _changing(self, organization_id: str) -> AsyncIterator[AsyncConnection]:
        """One transaction that writes; those of an organization come one after another, so that one default is left."""
        async with self._database.write() as connection:
            if self._database.dialect == "postgresql":
                name = f"{self._tables.configurations.name}|{organization_id}"
                await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
            yield connection

    async def _checked(
        self, connection: AsyncConnection, organization_id: str, draft: ConfigurationDraft
    ) -> dict[str, Any]:
        """The draft's columns. Raises InvalidFields."""
        definition = _found_definition(self._catalogue, draft.definition_id)
        if definition is None:
            raise InvalidFields([Fault("modelDefinitionId", "unknown_model", "There is no such model definition.")])
        faults = configuration_faults(draft, definition)
        faults.extend(await self._credential_faults(connection, organization_id, draft, definition))
        if faults:
            raise InvalidFields(faults)
        most = draft.default_max_tokens or min(MAX_TOKENS, definition.max_output_tokens or MAX_TOKENS)
        return {**vars(draft), "category": definition.category, "default_max_tokens": most}

    async def _credential_faults(
        self, connection: AsyncConnection, organization_id: str, draft: ConfigurationDraft, definition: Definition
    ) -> Sequence[Fault]:
        """Faults of the credential, which is locked until this transaction ends; a foreign one does not exist."""
        c = self._tables.credentials.c
        mine = usable(c.organization_id, organization_id) & (c.id == draft.credential_id)
        found = (await connection.execute(select(c.provider).where(mine).with_for_update(read=True))).first()
        if found is None:
            return [Fault("credentialId", "unknown_credential", "There is no such credential.")]
        if found.provider != definition.provider:
            words = f"This credential is for {found.provider}, the model is of {definition.provider}."
            return [Fault("credentialId", "wrong_provider", words)]
        return []

    async def _keep_one_default(self, connection: AsyncConnection, row: dict[str, Any]) -> None:
        """Where the row is the default, no other of its scope and category is."""
        if not row["is_default"]:
            return
        c = self._tables.configurations.c
        others = (c.organization_id == row["organization_id"]) & (c.category == row["category"]) & (c.id != row["id"])
        statement = update(self._tables.configurations).where(others, c.is_default).values(is_default=False)
        await connection.execute(statement)

    async def _own(self, connection: AsyncConnection, organization_id: str, configuration_id: str) -> RowMapping:
        c = self._tables.configurations.c
        mine = (c.organization_id == organization_id) & (c.id == configuration_id)
        query = select(self._tables.configurations).where(mine).with_for_update()
        row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no model configuration {configuration_id!r}.")
        return row

    async def _refuse_used(self, organization_id: str, configuration_id: str) -> None:
        found = await self.get(organization_id, configuration_id)
        if found.organization_id != organization_id:
            raise NotFound(f"There is no model configuration {configuration_id!r}.")
        await refuse_used(self._users, organization_id, configuration_id, "model configuration")

    async def _first(self, which: ColumnElement[bool], *first_by: ColumnElement[Any]) -> Configuration:
        """The first that fits: an organization's own before the installation's, then by priority and creation."""
        table = self._tables.configurations
        c = table.c
        own_first = case((c.organization_id == SYSTEM, 1), else_=0)
        order = (own_first, *first_by, c.priority, c.created_at, c.id)
        async with self._database.read() as connection:
            query = select(table).where(which).order_by(*order).limit(1)
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound("There is no such model configuration.")
        return Configuration(**row)


def _found_definition(catalogue: Catalogue, definition_id: str) -> Definition | None:
    return next((one for one in catalogue.definitions if one.id == definition_id), None)


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a model configuration {name!r} already: choose another name.")
