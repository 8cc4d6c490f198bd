"""`/api/teams`: named sets of members with rights on chosen environments."""

from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from pulse.console.access import MayReadTeams, MayWriteTeams, revision_of
from pulse.console.bodies import Body, NamedBody
from pulse.console.pages import ListWanted, part
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.tenancy.access import Principal
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.people.teams import Team, TeamDraft, TeamStore
from pulse.tenancy.places.lists import TenancyLists

router = APIRouter(tags=["people"], route_class=GuardedRoute)
MAX_MEMBERS = 1_000


class RightBody(Body):
    """What a team's members may be in one environment."""

    environment_id: str
    role: Literal["Admin", "User", "Guest"]


class TeamBody(NamedBody):
    """A team: members of the organization, by their users' ids, and the roles that they have by it."""

    member_ids: list[str] = Field(default_factory=list, max_length=MAX_MEMBERS)
    rights: list[RightBody] = Field(default_factory=list, max_length=MAX_MEMBERS)

    def draft(self) -> TeamDraft:
        rights = tuple((right.environment_id, right.role) for right in self.rights)
        return TeamDraft(self.name, tuple(self.member_ids), rights)


@router.get("/teams")
async def teams(principal: MayReadTeams, wanted: ListWanted, request: Request) -> Any:
    lists: TenancyLists = request.app.state.lists
    found, seen = await lists.teams(principal.organization_id, wanted), await _seen(principal, request)
    return part(found, wanted, lambda record: _team(_as_seen(record, seen)))


@router.post("/teams", status_code=201)
async def create_team(body: TeamBody, principal: MayWriteTeams, request: Request) -> Any:
    return _team(await _teams(request).create(principal.organization_id, body.draft()))


@router.get("/teams/{team_id}")
async def team(team_id: str, principal: MayReadTeams, request: Request, response: Response) -> Any:
    found = await _teams(request).team(principal.organization_id, team_id)
    return _answer(_as_seen(found, await _seen(principal, request)), response)


async def _is_here(team_id: str, principal: MayWriteTeams, request: Request) -> None:
    await _teams(request).team(principal.organization_id, team_id)


@router.put("/teams/{team_id}", dependencies=[Depends(_is_here)])
async def change_team(
    team_id: str, body: TeamBody, principal: MayWriteTeams, request: Request, response: Response
) -> Any:
    """Puts the body in the place of what was: who is left out is no member any more. In force at once."""
    place = (principal.organization_id, team_id)
    return _answer(await _teams(request).change(*place, body.draft(), revision_of(request)), response)


@router.delete("/teams/{team_id}", status_code=204)
async def delete_team(team_id: str, principal: MayWriteTeams, request: Request) -> None:
    """Its members keep what they have otherwise."""
    await _teams(request).delete(principal.organization_id, team_id)


async def _seen(principal: Principal, request: Request) -> set[str] | None:
    """The environments that whoever asks has a right on, by id; None: all that there are."""
    if not principal.user_id or principal.system:
        return None
    standings = await _teams(request).standings(principal.user_id)
    here = (each for each in standings if each.organization.id == principal.organization_id)
    return {environment.id for standing in here for environment, _ in standing.environments}


def _as_seen(record: Team, seen: set[str] | None) -> Team:
    """The team without its rights on environments that are not there for whoever asks."""
    if seen is None:
        return record
    return replace(record, rights=tuple(right for right in record.rights if right[0] in seen))


def _answer(found: Team, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{found.revision}"'
    return _team(found)


def _team(record: Team) -> dict[str, Any]:
    return {
        "id": record.id,
        "organizationId": record.organization_id,
        "name": record.name,
        "memberIds": list(record.members),
        "rights": [{"environmentId": place, "role": role} for place, role in record.rights],
        "revision": record.revision,
        "createdAt": iso(record.created_at),
        "updatedAt": iso(record.updated_at),
    }


def _teams(request: Request) -> TeamStore:
    people: People = request.app.state.people
    return people.teams
