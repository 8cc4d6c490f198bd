"""Teams: named sets of members with rights on chosen environments; and what a user may be in each place.

A member's role in an environment is the highest of the organization's role, where the membership holds in `all`
environments, and of those that their teams have there. Without any the environment is not there for them. What concerns
the organization whole goes by the organization's role alone: no right on an environment reaches beyond it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound, PulseError, StaleRevision
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.audit.act import note
from pulse.tenancy.records import Environment, Organization
from pulse.tenancy.roles import ROLES, Role
from pulse.tenancy.store import gone
from pulse.tenancy.tables import TenancyTables

# What a team may give: whoever operates the installation belongs to no team.
TEAM_ROLES: tuple[Role, ...] = ("Admin", "User", "Guest")


@dataclass(frozen=True)
class TeamDraft:
    """What people say of a team. `members` are ids of users; `rights` (environment's id, role) pairs."""

    name: str
    members: tuple[str, ...] = ()
    rights: tuple[tuple[str, Role], ...] = ()


@dataclass(frozen=True)
class Team:
    """A team as it is kept; times are in ms since 1970."""

    id: str
    organization_id: str
    name: str
    members: tuple[str, ...]
    rights: tuple[tuple[str, Role], ...]
    revision: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Standing:
    """What a user is in one organization: the role there, and in each environment that they have a right on."""

    organization: Organization
    role: Role
    environments: Sequence[tuple[Environment, Role]] = field(default=())


class TeamStore:
    """Reads and writes teams. Every method that concerns one tenant takes it first."""

    def __init__(self, database: Database, tables: TenancyTables, ids: Ids, clock: Clock) -> None:
        self._database = database
        self._tables = tables
        self._ids = ids
        self._clock = clock

    async def create(self, organization_id: str, draft: TeamDraft) -> Team:
        """A new team. Raises InvalidFields for members or environments that are not the organization's, Conflict.

        Raises NotFound where one of them vanishes at this moment.
        """
        now = self._clock.now_ms()
        team = _drawn(draft, self._ids.new("team"), organization_id, revision=1, created_at=now, updated_at=now)
        try:
            async with self._database.write() as connection:
                await self._check(connection, organization_id, draft)
                await connection.execute(insert(self._tables.teams), [_row(team)])
                await self._fill(connection, team)
                note("team", team.id, team.name, organization_id=organization_id, created=True, **_told(team))
        except IntegrityError as error:
            raise await self._fault(error, organization_id, draft) from None
        return team

    async def change(self, organization_id: str, team_id: str, draft: TeamDraft, expected: int | None = None) -> Team:
        """Puts what is said in the place of what was. `expected`: the revision to replace.

        Raises NotFound, InvalidFields, StaleRevision, Conflict where the name is taken.
        """
        table = self._tables.teams
        try:
            async with self._database.write() as connection:
                found = await self._one(connection, organization_id, team_id, locked=True)
                await self._check(connection, organization_id, draft)
                if expected is not None and expected != found["revision"]:
                    raise StaleRevision(revision=found["revision"])
                at = {"revision": found["revision"] + 1, "created_at": found["created_at"]}
                team = _drawn(draft, team_id, organization_id, **at, updated_at=self._clock.now_ms())
                await connection.execute(update(table).where(table.c.id == team_id).values(_row(team)))
                await self._empty(connection, team_id)
                await self._fill(connection, team)
                note("team", team_id, team.name, organization_id=organization_id, **_told(team))
        except IntegrityError as error:
            raise await self._fault(error, organization_id, draft) from None
        return team

    async def delete(self, organization_id: str, team_id: str) -> None:
        """Its members keep what they have otherwise. Raises NotFound."""
        table = self._tables.teams
        async with self._database.write() as connection:
            found = await self._one(connection, organization_id, team_id, locked=True)
            note("team", team_id, found["name"], organization_id=organization_id, deleted=True)
            await self._empty(connection, team_id)
            await connection.execute(delete(table).where(table.c.id == team_id))

    async def team(self, organization_id: str, team_id: str) -> Team:
        """Raises NotFound."""
        async with self._database.read() as connection:
            found = await self._one(connection, organization_id, team_id)
            return (await teams_of(connection, self._tables, [found]))[0]

    async def standings(self, user_id: str) -> list[Standing]:
        """What the user is in each of their organizations, by name; environments in the order of creation.

        It is read at each request, so that a right that is taken away ends at once: one query.
        """
        async with self._database.read() as connection:
            rows = (await connection.execute(self._of_user(user_id))).mappings().all()
        return _standings(rows)

    # ---- within a transaction --------------------------------------------------------------------------------

    def _of_user(self, user_id: str) -> Select[Any]:
        t = self._tables
        m, o, e, r = t.members.c, t.organizations.c, t.environments.c, t.team_rights.c
        mine = t.team_members.c.team_id == r.team_id
        rights = (
            select(r.environment_id, r.role, t.team_members.c.organization_id)
            .join(t.team_members, mine)
            .where(t.team_members.c.user_id == user_id)
            .subquery()
        )
        joined = (
            t.members.join(t.organizations, o.id == m.organization_id)
            .outerjoin(t.environments, e.organization_id == m.organization_id)
            .outerjoin(rights, (rights.c.environment_id == e.id) & (rights.c.organization_id == m.organization_id))
        )
        shown = [column.label(f"organization_{column.name}") for column in o]
        shown += [column.label(f"environment_{column.name}") for column in e]
        query = select(*shown, m.role, m.environments, rights.c.role.label("team_role")).select_from(joined)
        return query.where(m.user_id == user_id).order_by(o.name, o.id, e.created_at, e.id)

    async def _check(self, connection: AsyncConnection, organization_id: str, draft: TeamDraft) -> None:
        m, e = self._tables.members.c, self._tables.environments.c
        members = await connection.scalars(
            select(m.user_id).where(m.organization_id == organization_id, m.user_id.in_(draft.members))
        )
        named = [environment_id for environment_id, _ in draft.rights]
        environments = await connection.scalars(
            select(e.id).where(e.organization_id == organization_id, e.id.in_(named))
        )
        faults = _faults("memberIds.{}", draft.members, set(members), "There is no such member.")
        faults += _faults("rights.{}.environmentId", named, set(environments), "There is no such environment.")
        if faults:
            raise InvalidFields(faults)

    async def _fill(self, connection: AsyncConnection, team: Team) -> None:
        of = {"team_id": team.id, "organization_id": team.organization_id}
        members = [{**of, "user_id": user_id} for user_id in team.members]
        rights = [{"team_id": team.id, "environment_id": place, "role": role} for place, role in team.rights]
        for table, rows in ((self._tables.team_members, members), (self._tables.team_rights, rights)):
            if rows:
                await connection.execute(insert(table), rows)

    async def _fault(self, error: IntegrityError, organization_id: str, draft: TeamDraft) -> PulseError:
        """Something that the team refers to is gone, or its name is taken."""
        tables, here = self._tables, {"organization_id": organization_id}
        members = [(tables.team_members, {**here, "user_id": user_id}) for user_id in draft.members]
        rights = [(tables.team_rights, {"environment_id": place}) for place, _ in draft.rights]
        return await gone(self._database, error, [(tables.teams, here), *members, *rights]) or _taken(draft.name)

    async def _empty(self, connection: AsyncConnection, team_id: str) -> None:
        for table in (self._tables.team_members, self._tables.team_rights):
            await connection.execute(delete(table).where(table.c.team_id == team_id))

    async def _one(
        self, connection: AsyncConnection, organization_id: str, team_id: str, *, locked: bool = False
    ) -> RowMapping:
        c = self._tables.teams.c
        query = select(self._tables.teams).where(c.organization_id == organization_id, c.id == team_id)
        row = (await connection.execute(query.with_for_update() if locked else query)).mappings().first()
        if row is None:
            raise NotFound(f"There is no team {team_id!r}.")
        return row


async def teams_of(connection: AsyncConnection, tables: TenancyTables, rows: Sequence[RowMapping]) -> list[Team]:
    """These rows of teams with their members and rights."""
    m, r, ids = tables.team_members.c, tables.team_rights.c, [row["id"] for row in rows]
    members: defaultdict[str, list[str]] = defaultdict(list)
    for team_id, user_id in await connection.execute(
        select(m.team_id, m.user_id).where(m.team_id.in_(ids)).order_by(m.user_id)
    ):
        members[team_id].append(user_id)
    rights: defaultdict[str, list[tuple[str, Role]]] = defaultdict(list)
    for team_id, environment_id, role in await connection.execute(
        select(r.team_id, r.environment_id, r.role).where(r.team_id.in_(ids)).order_by(r.environment_id)
    ):
        rights[team_id].append((environment_id, role))
    return [Team(**row, members=tuple(members[row["id"]]), rights=tuple(rights[row["id"]])) for row in rows]


def _standings(rows: Sequence[RowMapping]) -> list[Standing]:
    """One standing an organization; a row is an environment and one team's role there, if any."""
    organizations: dict[str, tuple[Organization, Role]] = {}
    roles: defaultdict[str, dict[Environment, Role]] = defaultdict(dict)
    for row in rows:
        organization = Organization(**_named("organization_", row))
        organizations[organization.id] = organization, row["role"]
        held = [row["role"]] if row["environments"] == "all" else []
        held += [row["team_role"]] if row["team_role"] is not None else []
        if row["environment_id"] is not None and held:
            environment = Environment(**_named("environment_", row))
            before = roles[organization.id].get(environment)
            roles[organization.id][environment] = _highest([*held, before] if before is not None else held)
    return [Standing(found, role, list(roles[found.id].items())) for found, role in organizations.values()]


def _highest(roles: Sequence[Role]) -> Role:
    return min(roles, key=ROLES.index)


def _named(prefix: str, row: RowMapping) -> dict[str, Any]:
    return {str(name).removeprefix(prefix): row[name] for name in row if str(name).startswith(prefix)}


def _faults(path: str, given: Sequence[str], known: set[str], words: str) -> list[Fault]:
    """One fault for each that is not known, or was named before."""
    faults = [Fault(path.format(at), "unknown", words) for at, each in enumerate(given) if each not in known]
    twice = [at for at, each in enumerate(given) if each in given[:at]]
    return [*faults, *(Fault(path.format(at), "twice", "This is named twice: once is enough.") for at in twice)]


def _drawn(draft: TeamDraft, team_id: str, organization_id: str, **at: int) -> Team:
    members, rights = tuple(sorted(draft.members)), tuple(sorted(draft.rights))
    return Team(team_id, organization_id, draft.name, members, rights, **at)


def _row(team: Team) -> dict[str, Any]:
    return {name: value for name, value in vars(team).items() if name not in ("members", "rights")}


def _told(team: Team) -> dict[str, str]:
    """Who is in it and what they may, for the audit."""
    rights = ", ".join(f"{place} {role}" for place, role in team.rights)
    return {"members": ", ".join(team.members), "rights": rights}


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a team {name!r} in this organization already: choose another name.")
