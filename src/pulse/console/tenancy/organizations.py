"""`/api/organizations`, `/api/environments`: made, renamed, and deleted once they are empty."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from pulse.billing.due import PROVIDING
from pulse.billing.store import BillingStore
from pulse.console.access import (
    MayCreateEnvironments,
    MayCreateOrganizations,
    MayDeleteEnvironments,
    MayDeleteOrganization,
    MayReadEnvironments,
    MayReadOrganization,
    MayReadOrganizations,
    MayUpdateEnvironments,
    MayUpdateOrganization,
    revision_of,
)
from pulse.console.bodies import Body, Name, NamedBody
from pulse.console.changes import announce
from pulse.console.pages import ListWanted, part
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Forbidden
from pulse.messages.reading import Filter, MessageReader
from pulse.tenancy.access import Principal
from pulse.tenancy.places.changing import NotEmpty, PlaceStore, check_name
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.records import Environment, Organization
from pulse.tenancy.store import TenancyStore

router = APIRouter(tags=["administration"], route_class=GuardedRoute)
UNFINISHED = ("pending", "held")
# Read by the check, which has the id of it for the route.
OrganizationId = Annotated[str, Path(alias="organization_id")]


class EnvironmentBody(NamedBody):
    """A new environment of an organization, which is given by id or name."""

    organization_id: str


class ConfirmBody(Body):
    """The name of the organization that is to be deleted, letter for letter."""

    confirm: Name


@router.get("/organizations")
async def organizations(_principal: MayReadOrganizations, wanted: ListWanted, request: Request) -> Any:
    return part(await _lists(request).organizations(wanted), wanted, _organization)


@router.post("/organizations", status_code=201)
async def create_organization(body: NamedBody, _principal: MayCreateOrganizations, request: Request) -> Any:
    check_name(body.name)
    return _organization(await _tenancy(request).create_organization(body.name))


@router.get("/organizations/{organization_id}")
async def organization(
    _organization_id: OrganizationId, principal: MayReadOrganization, request: Request, response: Response
) -> Any:
    found = await _tenancy(request).organization(principal.organization_id)
    response.headers["ETag"] = f'"{found.revision}"'
    return _organization(found)


@router.put("/organizations/{organization_id}")
async def rename_organization(
    _organization_id: OrganizationId,
    body: NamedBody,
    principal: MayUpdateOrganization,
    request: Request,
    response: Response,
) -> Any:
    """Gives an organization another name; its id, by which everything knows it, stays."""
    revision = revision_of(request)
    changed = await _places(request).rename_organization(principal.organization_id, body.name, revision)
    response.headers["ETag"] = f'"{changed.revision}"'
    return _organization(changed)


@router.delete("/organizations/{organization_id}", status_code=204)
async def delete_organization(
    _organization_id: OrganizationId,
    body: ConfirmBody,
    principal: MayDeleteOrganization,
    request: Request,
    *,
    force: bool = False,
) -> None:
    """Deletes an organization that is empty; with `force` all that it has, but for the record of its messages.

    Whoever pays for it at Stripe ends that first, whatever `force` says. Its keys, sources and members end at once.
    Without its data key, which goes first of all, no secret of it is readable any more.
    """
    await _require_unpaid(principal.organization_id, request)
    waiting = await _waiting(principal.organization_id, None, request)
    gone = await _places(request).delete_organization(
        principal.organization_id, body.confirm, asker=principal.user_id, waiting=waiting, force=force
    )
    for environment in gone:
        await announce(request, environment.organization_id, environment.id)


async def _require_unpaid(organization_id: str, request: Request) -> None:
    billing: BillingStore = request.app.state.billing
    kept = await billing.subscription(organization_id)
    if kept is not None and kept.stripe_subscription is not None and kept.status in PROVIDING:
        raise NotEmpty("Somebody pays for this organization at Stripe: end the subscription there first.")


@router.get("/environments")
async def environments(principal: MayReadEnvironments, wanted: ListWanted, request: Request) -> Any:
    """The organization's environments; a person sees those that they have a right on."""
    found = await _lists(request).environments(principal.organization_id, wanted, visible_to=_viewer(principal))
    return part(found, wanted, _environment)


@router.post("/environments", status_code=201)
async def create_environment(body: EnvironmentBody, _principal: MayCreateEnvironments, request: Request) -> Any:
    check_name(body.name)
    organization = await _tenancy(request).organization(body.organization_id)
    return _environment(await _tenancy(request).create_environment(organization.id, body.name))


@router.get("/environments/{environment_id}")
async def environment(environment_id: str, principal: MayReadEnvironments, request: Request, response: Response) -> Any:
    viewer = _viewer(principal)
    found = await _lists(request).environment(principal.organization_id, environment_id, visible_to=viewer)
    response.headers["ETag"] = f'"{found.revision}"'
    return _environment(found)


async def _is_here(environment_id: str, principal: MayUpdateEnvironments, request: Request) -> None:
    await _lists(request).environment(principal.organization_id, environment_id, visible_to=_viewer(principal))


@router.put("/environments/{environment_id}", dependencies=[Depends(_is_here)])
async def rename_environment(
    environment_id: str, body: NamedBody, principal: MayUpdateEnvironments, request: Request, response: Response
) -> Any:
    """Gives an environment another name; its id, by which everything knows it, stays."""
    place = (principal.organization_id, environment_id)
    changed = await _places(request).rename_environment(*place, body.name, revision_of(request))
    response.headers["ETag"] = f'"{changed.revision}"'
    return _environment(changed)


@router.delete("/environments/{environment_id}", status_code=204)
async def delete_environment(
    environment_id: str, principal: MayDeleteEnvironments, request: Request, *, force: bool = False
) -> None:
    """Deletes an environment that is empty; with `force`, for the operator, all that is in it.

    Its keys and sources end at once. Messages that have an outcome are kept until their time is over, unseen.
    """
    if force and not principal.system:
        raise Forbidden("Only the installation's operator deletes an environment with all that is in it.")
    place = (principal.organization_id, environment_id)
    await _places(request).delete_environment(*place, waiting=await _waiting(*place, request), force=force)
    await announce(request, *place)


async def _waiting(organization_id: str, environment_id: str | None, request: Request) -> int:
    """How many messages there have no outcome yet."""
    reader: MessageReader = request.app.state.reader
    pages = [
        await reader.page(organization_id, Filter(environment_id=environment_id, status=status), limit=1)
        for status in UNFINISHED
    ]
    return sum(page.total for page in pages)


def _viewer(principal: Principal) -> str | None:
    """Whose rights decide what is seen; None: a key's or the operator's, who see all environments."""
    return principal.user_id if principal.user_id and not principal.system else None


def _organization(record: Organization) -> dict[str, Any]:
    return {"id": record.id, "name": record.name, "revision": record.revision, "createdAt": iso(record.created_at)}


def _environment(record: Environment) -> dict[str, Any]:
    return {
        "id": record.id,
        "organizationId": record.organization_id,
        "name": record.name,
        "revision": record.revision,
        "createdAt": iso(record.created_at),
    }


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store


def _places(request: Request) -> PlaceStore:
    store: PlaceStore = request.app.state.places
    return store


def _lists(request: Request) -> TenancyLists:
    lists: TenancyLists = request.app.state.lists
    return lists
