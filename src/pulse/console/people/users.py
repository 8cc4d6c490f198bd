"""`/api/users`: the operator makes people; `/api/members`: who belongs to an organization, and with which role."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from pulse.console.access import (
    MayCreateUsers,
    MayReadMembers,
    MayReadUsers,
    MayWriteMembers,
    MayWriteUsers,
    remember,
    token_of,
)
from pulse.console.bodies import Body
from pulse.console.pages import ListWanted, part
from pulse.console.people.session import Password, PersonName
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Fault, InvalidFields
from pulse.tenancy.people.passwords import new_password, password_faults
from pulse.tenancy.people.records import Member, Reach, User
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.people.users import read_email
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.roles import Role
from pulse.tenancy.store import TenancyStore

router = APIRouter(tags=["people"], route_class=GuardedRoute)
# Whoever operates the installation belongs to no single organization.
MEMBER_ROLES = ("Admin", "User", "Guest")


class UserBody(Body):
    """A new user, and where wanted its place in an organization. Without a password one is made, and shown this once.

    The role System operates the installation, and has no organization.
    """

    email: Annotated[str, Field(max_length=320)]
    first_name: PersonName = ""
    last_name: PersonName = ""
    password: Password | None = None
    organization_id: str | None = None
    role: Role = "User"


class ChangedUserBody(Body):
    """Whether nobody comes in as this user any more. Who is disabled is signed out, and keeps their memberships."""

    disabled: bool


class MemberBody(Body):
    """The role of a member, and whether it holds in all environments or only teams give rights; None: as before."""

    role: Role
    environments: Reach | None = None


@router.get("/users")
async def users(_principal: MayReadUsers, wanted: ListWanted, request: Request) -> Any:
    return part(await _lists(request).users(wanted), wanted, _user)


@router.post("/users", status_code=201)
async def create_user(body: UserBody, _principal: MayCreateUsers, request: Request) -> Any:
    people, tenancy = _people(request), _tenancy(request)
    is_system = body.role == "System"
    if is_system is (body.organization_id is not None):
        words = "The role System has no organization." if is_system else "Say in which organization: organizationId."
        raise InvalidFields([Fault("organizationId", "not_allowed" if is_system else "missing", words)])
    email = read_email(body.email)
    given = body.password.get_secret_value() if body.password is not None else new_password()
    faults = password_faults(given, email)
    if faults and body.password is not None:
        raise InvalidFields(faults)
    organization = await tenancy.organization(body.organization_id) if body.organization_id is not None else None
    user = await people.users.create(
        email,
        await people.passwords.hash(given),
        is_system=is_system,
        first_name=body.first_name,
        last_name=body.last_name,
        member_of=None if organization is None else (organization.id, body.role),
    )
    return {**_user(user), **({} if body.password is not None else {"password": given})}


async def _to_change(user_id: str, _principal: MayWriteUsers, request: Request) -> User:
    return await _people(request).users.user(user_id)


ToChange = Annotated[User, Depends(_to_change)]


@router.put("/users/{user_id}")
async def change_user(body: ChangedUserBody, found: ToChange, request: Request) -> Any:
    """Refused for the last system administrator, and for the last Admin of an organization."""
    people = _people(request)
    await (people.departures.disable if body.disabled else people.departures.enable)(found.id)
    return _user(await people.users.user(found.id))


@router.delete("/users/{user_id}", status_code=204)
async def delete_user(user_id: str, _principal: MayWriteUsers, request: Request) -> None:
    """Refused as disabling is. Sessions, memberships and links of the user end with it."""
    await _people(request).departures.delete(user_id)


@router.get("/members")
async def members(principal: MayReadMembers, wanted: ListWanted, request: Request) -> Any:
    return part(await _lists(request).members(principal.organization_id, wanted), wanted, _member)


async def _who_is_here(user_id: str, principal: MayWriteMembers, request: Request) -> Member:
    return await _people(request).members.member(principal.organization_id, user_id)


@router.put("/members/{user_id}")
async def change_member(
    found: Annotated[Member, Depends(_who_is_here)],
    body: MemberBody,
    principal: MayWriteMembers,
    request: Request,
    response: Response,
) -> Any:
    """Signs the member out everywhere; who changes their own role gets a new cookie, with another csrfToken."""
    if body.role not in MEMBER_ROLES:
        words = f"A member is one of {', '.join(MEMBER_ROLES)}: System operates the installation."
        raise InvalidFields([Fault("role", "not_allowed", words)])
    if (body.role, body.environments) == ("Admin", "teams"):
        words = "An Admin's role holds in all environments: make the member a User or a Guest, and a team's Admin."
        raise InvalidFields([Fault("environments", "not_allowed", words)])
    people, own = _people(request), token_of(request) if found.user_id == principal.user_id else ""
    changed = await people.members.change(
        principal.organization_id, found.user_id, body.role, body.environments, by=own
    )
    if own and changed != found:
        # The same sign-in goes on, and ends when it would have: by this, a stolen session gains no time.
        remember(response, request, await people.sessions.rotate(own))
    return _member(changed)


@router.delete("/members/{user_id}", status_code=204)
async def remove_member(user_id: str, principal: MayWriteMembers, request: Request) -> None:
    await _people(request).members.remove(principal.organization_id, user_id)


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "isSystem": user.is_system,
        "disabled": user.disabled_at is not None,
        "createdAt": iso(user.created_at),
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "userId": member.user_id,
        "organizationId": member.organization_id,
        "role": member.role,
        "environments": member.environments,
        "email": member.email,
        "firstName": member.first_name,
        "lastName": member.last_name,
        "createdAt": iso(member.created_at),
    }


def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people


def _lists(request: Request) -> TenancyLists:
    lists: TenancyLists = request.app.state.lists
    return lists


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store
