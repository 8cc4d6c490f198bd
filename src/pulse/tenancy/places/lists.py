"""The lists of tenancy, part by part. Secrets, digests and passwords are not even read."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, or_, select

from pulse.core.errors import NotFound
from pulse.storage.database import Database
from pulse.tenancy.people.records import Member, User
from pulse.tenancy.people.sessions import OF_USER
from pulse.tenancy.people.teams import Team, teams_of
from pulse.tenancy.places.parts import FIRST, Order, Part, Wanted
from pulse.tenancy.records import ApiKey, Environment, Organization, Source
from pulse.tenancy.tables import TenancyTables


class TenancyLists:
    """Reads a part of each list. Every method that concerns one tenant takes it first."""

    def __init__(self, database: Database, tables: TenancyTables) -> None:
        self._database = database
        self._tables = tables

    async def organizations(self, wanted: Wanted = FIRST) -> Part[Organization]:
        """All organizations of the installation. Raises InvalidFields, as every method here does."""
        table = self._tables.organizations
        found = await self._part(select(table), _by_name(table), wanted)
        return _of(found, [Organization(**row) for row in found.rows])

    async def environments(
        self, organization_id: str, wanted: Wanted = FIRST, *, visible_to: str | None = None
    ) -> Part[Environment]:
        """The organization's environments; `visible_to`: only those that this user has a right on."""
        query = self._environments(organization_id, visible_to)
        found = await self._part(query, _by_name(self._tables.environments), wanted)
        return _of(found, [Environment(**row) for row in found.rows])

    async def environment(
        self, organization_id: str, environment_id: str, *, visible_to: str | None = None
    ) -> Environment:
        """One of them, by its id. Raises NotFound."""
        mine = self._tables.environments.c.id == environment_id
        async with self._database.read() as connection:
            rows = await connection.execute(self._environments(organization_id, visible_to).where(mine))
            row = rows.mappings().first()
        if row is None:
            raise NotFound(f"There is no environment {environment_id!r} in that organization.")
        return Environment(**row)

    async def teams(self, organization_id: str, wanted: Wanted = FIRST) -> Part[Team]:
        """The organization's teams."""
        table = self._tables.teams
        order = _by_name(table)
        async with self._database.read() as connection:
            found = await order.part(
                connection, select(table).where(table.c.organization_id == organization_id), wanted
            )
            return _of(found, await teams_of(connection, self._tables, found.rows))

    async def keys(self, organization_id: str, environment_id: str, wanted: Wanted = FIRST) -> Part[ApiKey]:
        """The environment's API keys, those that have ended, too."""
        table = self._tables.api_keys
        times = {"expiresAt": table.c.expires_at, "lastUsedAt": table.c.last_used_at}
        found = await self._part(
            _here(table, organization_id, environment_id, but="digest"), _by_name(table, **times), wanted
        )
        return _of(found, [ApiKey(**{**row, "scopes": tuple(row["scopes"].split())}) for row in found.rows])

    async def sources(self, organization_id: str, environment_id: str, wanted: Wanted = FIRST) -> Part[Source]:
        """The environment's sources, without their secrets."""
        table = self._tables.sources
        found = await self._part(
            _here(table, organization_id, environment_id, but="secrets"), _by_name(table, kind=table.c.kind), wanted
        )
        return _of(found, [Source(**row) for row in found.rows])

    async def members(self, organization_id: str, wanted: Wanted = FIRST) -> Part[Member]:
        """Who belongs to the organization."""
        m, u = self._tables.members.c, self._tables.users.c
        columns = (m.organization_id, m.user_id, m.role, u.email, u.first_name, u.last_name, m.created_at)
        query = select(*columns, m.environments).join(self._tables.users, u.id == m.user_id)
        order = _by_person(self._tables.users, u.email, role=m.role, createdAt=m.created_at)
        found = await self._part(query.where(m.organization_id == organization_id), order, wanted)
        return _of(found, [Member(**row) for row in found.rows])

    async def users(self, wanted: Wanted = FIRST) -> Part[User]:
        """All users of the installation, without their passwords and avatars."""
        table = self._tables.users
        order = _by_person(table, table.c.created_at, createdAt=table.c.created_at)
        query = select(*(table.c[name] for name in OF_USER if name != "password"))
        found = await self._part(query, order, wanted)
        return _of(found, [User(**row) for row in found.rows])

    def _environments(self, organization_id: str, visible_to: str | None) -> Select[Any]:
        query = select(self._tables.environments).where(self._tables.environments.c.organization_id == organization_id)
        return query if visible_to is None else query.where(self._is_visible(organization_id, visible_to))

    def _is_visible(self, organization_id: str, user_id: str) -> ColumnElement[bool]:
        m, t, r = self._tables.members.c, self._tables.team_members.c, self._tables.team_rights.c
        mine = (m.organization_id == organization_id) & (m.user_id == user_id)
        everywhere = select(m.user_id).where(mine, m.environments == "all").exists()
        through = select(r.environment_id).join(self._tables.team_members, t.team_id == r.team_id)
        rights = through.where(t.organization_id == organization_id, t.user_id == user_id)
        return or_(everywhere, self._tables.environments.c.id.in_(rights))

    async def _part(self, query: Select[Any], order: Order, wanted: Wanted) -> Part[Any]:
        async with self._database.read() as connection:
            return await order.part(connection, query, wanted)


def _here(table: Table, organization_id: str, environment_id: str, *, but: str) -> Select[Any]:
    mine = (table.c.organization_id == organization_id) & (table.c.environment_id == environment_id)
    return select(*(column for column in table.c if column.name != but)).where(mine)


def _by_name(table: Table, **more: ColumnElement[Any]) -> Order:
    sorts = {"createdAt": table.c.created_at, "name": func.lower(table.c.name), **more}
    return Order(sorts, [table.c.name], table.c.id)


def _by_person(users: Table, first: ColumnElement[Any], **more: ColumnElement[Any]) -> Order:
    """By mail address and names; `first` is the order of the list itself."""
    c = users.c
    names = {"firstName": func.lower(c.first_name), "lastName": func.lower(c.last_name)}
    sorts = {"email": c.email, **names, **more}
    own = next(name for name, column in sorts.items() if column is first)
    return Order({own: sorts[own], **sorts}, [c.email, c.first_name, c.last_name], c.id)


def _of(found: Part[Any], rows: list[Any]) -> Part[Any]:
    return Part(rows, found.total, found.more)
