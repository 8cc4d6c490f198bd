"""Named sets of values for the placeholders of a template. Every method takes the organization first."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.prompts.tables import PromptTables
from pulse.prompts.templates.faults import set_faults
from pulse.prompts.templates.records import VariableSet
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note

MAX_SETS = 1_000


class VariableSetStore:
    """Sets of values in the database. A name is taken once in a template."""

    def __init__(self, database: Database, tables: PromptTables, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._ids = ids
        self._clock = clock

    async def create(self, organization_id: str, template_id: str, name: str, values: Mapping[str, Any]) -> VariableSet:
        """A new set. Raises InvalidFields, NotFound for the template, Conflict where the name is taken."""
        _refuse(name, values)
        now = self._clock.now_ms()
        made = VariableSet(self._ids.new("vst"), organization_id, template_id, name, dict(values), 1, now, now)
        try:
            async with self._database.write() as connection:
                await self._require_template(connection, organization_id, template_id)
                await self._require_room(connection, template_id)
                await connection.execute(insert(self._tables.variable_sets), [_row(made)])
                note("variable-set", made.id, name, template=template_id, created=True)
        except IntegrityError:
            raise _taken(name) from None
        return made

    async def update(
        self, organization_id: str, set_id: str, name: str, values: Mapping[str, Any], expected: int | None = None
    ) -> VariableSet:
        """Stores a changed set; `expected` is the revision to replace.

        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        table = self._tables.variable_sets
        try:
            async with self._database.write() as connection:
                found = await self._one(connection, organization_id, set_id, locked=True)
                _refuse(name, values)
                if expected is not None and expected != found.revision:
                    raise StaleRevision(revision=found.revision)
                times = (found.revision + 1, found.created_at, self._clock.now_ms())
                changed = VariableSet(set_id, organization_id, found.template_id, name, dict(values), *times)
                await connection.execute(update(table).where(table.c.id == set_id).values(_row(changed)))
                note("variable-set", set_id, name, revision=changed.revision)
        except IntegrityError:
            raise _taken(name) from None
        return changed

    async def delete(self, organization_id: str, set_id: str) -> None:
        """Raises NotFound."""
        table = self._tables.variable_sets
        mine = (table.c.organization_id == organization_id) & (table.c.id == set_id)
        async with self._database.write() as connection:
            done = await connection.execute(delete(table).where(mine))
            if done.rowcount == 0:
                raise NotFound(f"There is no set of values {set_id!r}.")
            note("variable-set", set_id, deleted=True)

    async def list(self, organization_id: str, template_id: str) -> Sequence[VariableSet]:
        """The sets of a template in the order of creation. Raises NotFound for the template."""
        c = self._tables.variable_sets.c
        mine = (c.organization_id == organization_id) & (c.template_id == template_id)
        query = select(self._tables.variable_sets).where(mine).order_by(c.created_at, c.id)
        async with self._database.read() as connection:
            await self._require_template(connection, organization_id, template_id)
            return [_set(row) for row in (await connection.execute(query)).mappings()]

    async def get(self, organization_id: str, set_id: str) -> VariableSet:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return await self._one(connection, organization_id, set_id)

    async def _one(
        self, connection: AsyncConnection, organization_id: str, set_id: str, *, locked: bool = False
    ) -> VariableSet:
        c = self._tables.variable_sets.c
        query = select(self._tables.variable_sets).where(c.organization_id == organization_id, c.id == set_id)
        row = (await connection.execute(query.with_for_update() if locked else query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no set of values {set_id!r}.")
        return _set(row)

    async def _require_template(self, connection: AsyncConnection, organization_id: str, template_id: str) -> None:
        c = self._tables.templates.c
        mine = (c.organization_id == organization_id) & (c.id == template_id)
        if await connection.scalar(select(c.id).where(mine)) is None:
            raise NotFound(f"There is no prompt template {template_id!r}.")

    async def _require_room(self, connection: AsyncConnection, template_id: str) -> None:
        c = self._tables.variable_sets.c
        count = select(func.count()).select_from(self._tables.variable_sets).where(c.template_id == template_id)
        if (await connection.scalar(count) or 0) >= MAX_SETS:
            raise Conflict(f"This template has {MAX_SETS:,} sets of values, and can have no more: delete some first.")


def _refuse(name: str, values: Mapping[str, Any]) -> None:
    faults = set_faults(name, values)
    if faults:
        raise InvalidFields(faults)


def _row(record: VariableSet) -> dict[str, Any]:
    fields = {name: value for name, value in vars(record).items() if name != "values"}
    return {**fields, "contents": json.dumps(record.values, ensure_ascii=False)}


def _set(row: RowMapping) -> VariableSet:
    fields = {name: row[name] for name in row if name != "contents"}
    return VariableSet(**fields, values=json.loads(row["contents"]))


def _taken(name: str) -> Conflict:
    return Conflict(f"This template has a set of values {name!r} already: choose another name.")
