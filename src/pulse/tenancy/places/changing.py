"""Renaming and deleting organizations and environments.

What is deleted goes in one transaction, with all that tenancy keeps of it: its keys, sources, variables, rights of
teams, and of an organization its members and its data key, without which no secret of it can be read again, wherever a
copy of the database may be. Other nouns say what they have there and delete it in the same transaction (`Contents`).

Messages and their results are not among it: they are the record of what was done, can no longer be asked for, and go
when their time is over (retention). A message that comes in at the very moment finds no workflow, and is ignored. What
an organization has used, and what was done in it, is no longer its own either: bills and the audit keep it.

Environments are locked before it is looked what is in them: nothing is made there any more (see holding.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Delete, RowMapping, Table, delete, func, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import is_id
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note
from pulse.tenancy.records import Environment, Organization
from pulse.tenancy.tables import TenancyTables

MAX_NAMED = 10


class NotEmpty(Conflict):
    """There is something in it still: delete that first."""

    code = "not_empty"


class Contents(Protocol):
    """What another noun keeps of environments; `environment_id` None: of the whole organization."""

    async def count(
        self, connection: AsyncConnection, organization_id: str, environment_id: str | None
    ) -> Mapping[str, int]:
        """How much there is of each kind that somebody would miss, as `{"workflows": 2}`."""
        ...

    async def remove(self, connection: AsyncConnection, organization_id: str, environment_id: str | None) -> None:
        """Deletes all of it, within the transaction of the caller."""
        ...


class PlaceStore:
    """Renames and deletes. Every method takes the organization first and touches nothing of another."""

    def __init__(self, database: Database, tables: TenancyTables, contents: Sequence[Contents] = ()) -> None:
        self._database = database
        self._tables = tables
        self._contents = contents

    async def rename_organization(self, organization_id: str, name: str, expected: int | None = None) -> Organization:
        """The organization with its new name. `expected`: the revision to replace.

        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        table = self._tables.organizations
        return Organization(**await self._rename("organization", table, table.c.id == organization_id, name, expected))

    async def rename_environment(
        self, organization_id: str, environment_id: str, name: str, expected: int | None = None
    ) -> Environment:
        """The environment with its new name; see `rename_organization`."""
        table = self._tables.environments
        mine = (table.c.organization_id == organization_id) & (table.c.id == environment_id)
        return Environment(**await self._rename("environment", table, mine, name, expected))

    async def delete_environment(
        self, organization_id: str, environment_id: str, *, waiting: int = 0, force: bool = False
    ) -> None:
        """Deletes an environment that is empty, or with all that is in it (`force`). Raises NotFound, NotEmpty.

        Its keys and its sources need not be deleted first: they are the ways in, and end with it. `waiting`: how many
        messages there have no outcome yet. What they need stays, whatever `force` says.
        """
        table = self._tables.environments
        mine = (table.c.organization_id == organization_id) & (table.c.id == environment_id)
        place = (organization_id, environment_id)
        async with self._database.write() as connection:
            found = await self._one(connection, table, mine)
            _refuse_waiting("environment", waiting)
            if not force:
                variables = await self._count(connection, self._tables.variables, *place)
                _refuse("environment", {"variables": variables, **await self._held(connection, *place)})
            await self._remove(connection, table, mine, *place)
            note("environment", environment_id, found["name"], organization_id=organization_id, deleted=True)

    async def delete_organization(
        self, organization_id: str, confirm: str, *, asker: str = "", waiting: int = 0, force: bool = False
    ) -> list[Environment]:
        """Deletes an organization that is empty, or with all that is in it (`force`); the environments that it had.

        `confirm` is its name, `asker` a user who may be its last member, `waiting` as of an environment. Raises
        NotFound, NotEmpty, InvalidFields.
        """
        table, environments = self._tables.organizations, self._tables.environments
        mine = table.c.id == organization_id
        async with self._database.write() as connection:
            found = await self._one(connection, table, mine)
            if found["name"] != confirm:
                words = "Repeat the organization's name here, letter for letter, to have it deleted."
                raise InvalidFields([Fault("confirm", "not_the_name", words)])
            _refuse_waiting("organization", waiting)
            here = select(environments).where(environments.c.organization_id == organization_id)
            locked = here.order_by(environments.c.id).with_for_update()
            places = [Environment(**row) for row in (await connection.execute(locked)).mappings()]
            if not force:
                others = await self._others(connection, organization_id, asker)
                held = await self._held(connection, organization_id, None)
                _refuse("organization", {"environments": len(places), "other members": others, **held})
            await self._remove(connection, table, mine, organization_id, None)
            note("organization", organization_id, confirm, deleted=True)
        return places

    # ---- within a transaction --------------------------------------------------------------------------------

    async def _rename(
        self, kind: str, table: Table, mine: ColumnElement[bool], name: str, expected: int | None
    ) -> dict[str, Any]:
        check_name(name)
        try:
            async with self._database.write() as connection:
                before = await self._one(connection, table, mine)
                if expected is not None and expected != before["revision"]:
                    raise StaleRevision(revision=before["revision"])
                changed = {"name": name, "revision": before["revision"] + 1}
                await connection.execute(update(table).where(mine).values(changed))
                note(kind, before["id"], name, before=before["name"])
        except IntegrityError:
            raise Conflict(f"The name {name!r} is taken: choose another one.") from None
        return {**before, **changed}

    async def _one(self, connection: AsyncConnection, table: Table, mine: ColumnElement[bool]) -> RowMapping:
        """The row, which nobody else changes, or adds to, before this transaction ends."""
        row = (await connection.execute(select(table).where(mine).with_for_update())).mappings().first()
        if row is None:
            raise NotFound("There is nothing under this id.")
        return row

    async def _held(
        self, connection: AsyncConnection, organization_id: str, environment_id: str | None
    ) -> dict[str, int]:
        held: dict[str, int] = {}
        for each in self._contents:
            held |= await each.count(connection, organization_id, environment_id)
        return held

    async def _count(self, connection: AsyncConnection, table: Table, organization_id: str, environment_id: str) -> int:
        mine = (table.c.organization_id == organization_id) & (table.c.environment_id == environment_id)
        return await connection.scalar(select(func.count()).select_from(table).where(mine)) or 0

    async def _others(self, connection: AsyncConnection, organization_id: str, asker: str) -> int:
        c = self._tables.members.c
        mine = (c.organization_id == organization_id) & (c.user_id != asker)
        return await connection.scalar(select(func.count()).select_from(self._tables.members).where(mine)) or 0

    async def _remove(
        self,
        connection: AsyncConnection,
        table: Table,
        mine: ColumnElement[bool],
        organization_id: str,
        environment_id: str | None,
    ) -> None:
        for each in self._contents:
            await each.remove(connection, organization_id, environment_id)
        try:
            for statement in _with_what_refers_to_it(table, mine):
                await connection.execute(statement)
        except IntegrityError:
            raise NotEmpty("Something was added to it at this moment: try again.") from None


def _with_what_refers_to_it(table: Table, which: ColumnElement[bool]) -> Iterator[Delete]:
    """Deletions of these rows, after those of all rows of tenancy that refer to them, at any depth."""
    for other in table.metadata.sorted_tables:
        for key in other.foreign_key_constraints:
            if key.referred_table is table and other is not table:
                referred = select(*(each.column for each in key.elements)).where(which)
                yield from _with_what_refers_to_it(other, tuple_(*key.columns).in_(referred))
    yield delete(table).where(which)


def check_name(name: str) -> None:
    """What is looked for by id or by name must have no name that could be the id of another. Raises InvalidFields."""
    if any(is_id(name, kind) for kind in ("org", "env")):
        raise InvalidFields([Fault("name", "looks_like_an_id", "This has the form of an id: choose a name.")])


def _refuse_waiting(kind: str, waiting: int) -> None:
    if waiting:
        words = "Wait until they have ended, or cancel them."
        raise NotEmpty(f"This {kind} has {waiting:,} messages that have no outcome yet. {words}")


def _refuse(kind: str, held: Mapping[str, int]) -> None:
    there = [f"{count:,} {name}" for name, count in held.items() if count][:MAX_NAMED]
    if there:
        words = "Delete them first, or have the installation's operator delete it with all that is in it (force=true)."
        raise NotEmpty(f"This {kind} is not empty: it has {', '.join(there)}. {words}")
