"""Prompt templates in the database, with every version they had. Every method takes the organization first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.prompts.records import SYSTEM, WHOLE, Part
from pulse.prompts.tables import PromptTables
from pulse.prompts.templates.faults import template_faults
from pulse.prompts.templates.records import Template, TemplateDraft, TemplateVersion
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note
from pulse.tenancy.places.holding import PlaceHold
from pulse.tenancy.tables import TenancyTables


class TemplateStore:
    """Templates and their versions. A name is taken once in an environment."""

    def __init__(
        self, database: Database, tables: PromptTables, tenancy: TenancyTables, ids: Ids, clock: Clock
    ) -> None:
        self._database = database
        self._tables = tables
        # Whoever makes something of a template says where, as templates do.
        self.places = PlaceHold(tenancy)
        self._ids = ids
        self._clock = clock

    async def create(self, organization_id: str, environment_id: str, draft: TemplateDraft) -> Template:
        """A new template, at version 1.

        Raises InvalidFields, NotFound for the environment, Conflict where the name is taken.
        """
        now = self._clock.now_ms()
        made = {"id": self._ids.new("tpl"), "organization_id": organization_id, "environment_id": environment_id}
        row = {**made, **vars(draft), "revision": 1, "created_at": now, "updated_at": now}
        try:
            async with self._database.write() as connection:
                await self.places.hold(connection, organization_id, environment_id)
                await self._check(connection, organization_id, draft)
                await connection.execute(insert(self._tables.templates), [row])
                await self._keep_version(connection, row)
                note("prompt-template", row["id"], draft.name, created=True)
        except IntegrityError:
            raise _taken(draft.name) from None
        return _template(row)

    async def save(
        self, organization_id: str, template_id: str, draft: TemplateDraft, expected: int | None = None
    ) -> Template:
        """Stores the template as a new version; `expected` is the version to replace.

        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        table = self._tables.templates
        try:
            async with self._database.write() as connection:
                found = await self._one(connection, organization_id, template_id, locked=True)
                await self._check(connection, organization_id, draft)
                if expected is not None and expected != found["revision"]:
                    raise StaleRevision(revision=found["revision"])
                changed = {"revision": found["revision"] + 1, "updated_at": self._clock.now_ms()}
                row: dict[str, Any] = {**found, **vars(draft), **changed}
                await connection.execute(update(table).where(table.c.id == template_id).values(row))
                await self._keep_version(connection, row)
                note("prompt-template", template_id, draft.name, revision=row["revision"])
        except IntegrityError:
            raise _taken(draft.name) from None
        return _template(row)

    async def delete(self, organization_id: str, template_id: str) -> None:
        """Deletes a template with its versions and its sets of values; its runs stay. Raises NotFound."""
        versions, sets, templates = self._tables.versions, self._tables.variable_sets, self._tables.templates
        async with self._database.write() as connection:
            found = await self._one(connection, organization_id, template_id, locked=True)
            note("prompt-template", template_id, found["name"], deleted=True)
            await connection.execute(delete(versions).where(versions.c.template_id == template_id))
            await connection.execute(delete(sets).where(sets.c.template_id == template_id))
            await connection.execute(delete(templates).where(templates.c.id == template_id))

    async def get(self, organization_id: str, template_id: str) -> Template:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return _template(await self._one(connection, organization_id, template_id))

    async def list(
        self, organization_id: str, environment_id: str | None = None, part: Part = WHOLE
    ) -> tuple[Sequence[Template], int]:
        """Templates in the order of creation, and how many there are in all."""
        c = self._tables.templates.c
        wanted = [c.organization_id == organization_id]
        if environment_id is not None:
            wanted.append(c.environment_id == environment_id)
        query = select(self._tables.templates).where(*wanted).order_by(c.created_at, c.id)
        count = select(func.count()).select_from(self._tables.templates).where(*wanted)
        async with self._database.read() as connection:
            rows = await connection.execute(query.offset(part.offset).limit(part.limit))
            return [_template(row) for row in rows.mappings()], await connection.scalar(count) or 0

    async def versions(
        self, organization_id: str, template_id: str, part: Part = WHOLE
    ) -> tuple[Sequence[TemplateVersion], int]:
        """What the template was at each save, newest first, and how many saves there were. Raises NotFound."""
        c = self._tables.versions.c
        mine = c.template_id == template_id
        query = select(self._tables.versions).where(mine).order_by(c.version.desc())
        async with self._database.read() as connection:
            await self._one(connection, organization_id, template_id)
            total = await connection.scalar(select(func.count()).select_from(self._tables.versions).where(mine))
            rows = await connection.execute(query.offset(part.offset).limit(part.limit))
            return [TemplateVersion(**row) for row in rows.mappings()], total or 0

    async def version(self, organization_id: str, template_id: str, version: int) -> TemplateVersion:
        """Raises NotFound."""
        c = self._tables.versions.c
        query = select(self._tables.versions).where(c.template_id == template_id, c.version == version)
        async with self._database.read() as connection:
            await self._one(connection, organization_id, template_id)
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"This template has no version {version}.")
        return TemplateVersion(**row)

    async def uses_of(self, organization_id: str, configuration_id: str) -> Sequence[str]:
        """The names of the templates that name this configuration (see `uses.Uses`)."""
        c = self._tables.templates.c
        wanted = [c.configuration_id == configuration_id]
        if organization_id != SYSTEM:
            wanted.append(c.organization_id == organization_id)
        async with self._database.read() as connection:
            names = await connection.scalars(select(c.name).where(*wanted).order_by(c.name))
            found = [str(name) for name in names]
        return found if organization_id != SYSTEM else ["a prompt template"] * len(found)

    # ---- within a transaction --------------------------------------------------------------------------------

    async def _check(self, connection: AsyncConnection, organization_id: str, draft: TemplateDraft) -> None:
        faults = template_faults(draft)
        if draft.configuration_id is not None:
            c = self._tables.configurations.c
            usable = c.organization_id.in_((organization_id, SYSTEM)) & (c.id == draft.configuration_id)
            if await connection.scalar(select(c.id).where(usable)) is None:
                words = "There is no such model configuration."
                faults.append(Fault("modelConfigurationId", "unknown_configuration", words))
        if faults:
            raise InvalidFields(faults)

    async def _keep_version(self, connection: AsyncConnection, row: dict[str, Any]) -> None:
        kept = {name: row[name] for name in ("name", "configuration_id", "system", "text")}
        at = {"template_id": row["id"], "version": row["revision"], "created_at": row["updated_at"]}
        await connection.execute(insert(self._tables.versions), [{**kept, **at}])

    async def _one(
        self, connection: AsyncConnection, organization_id: str, template_id: str, *, locked: bool = False
    ) -> RowMapping:
        c = self._tables.templates.c
        query = select(self._tables.templates).where(c.organization_id == organization_id, c.id == template_id)
        row = (await connection.execute(query.with_for_update() if locked else query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no prompt template {template_id!r}.")
        return row


def _template(row: Any) -> Template:
    fields = {name: row[name] for name in row if name != "revision"}
    return Template(**fields, version=row["revision"])


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a prompt template {name!r} in this environment already: choose another name.")
