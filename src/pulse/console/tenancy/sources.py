"""`/api/sources`: who may send webhooks, and how they prove it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from pulse.console.access import MayReadSources, MayWriteSources
from pulse.console.bodies import Body, NamedBody
from pulse.console.changes import announce
from pulse.console.pages import ListWanted, part
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import NotFound
from pulse.tenancy.access import Principal
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.records import Source, SourceKind
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore

router = APIRouter(tags=["administration"], route_class=GuardedRoute)


class SourceBody(NamedBody):
    """A new source of webhooks; a secret is made where none is given.

    Stripe and Slack make secrets themselves, Stripe only once it knows the address: rotate to it then.
    """

    kind: SourceKind
    secret: Annotated[str, Field(min_length=16, max_length=200)] | None = None


class RotateBody(Body):
    """A new secret for a source."""

    secret: Annotated[str, Field(min_length=16, max_length=200)] | None = None


@router.get("/sources")
async def sources(principal: MayReadSources, wanted: ListWanted, request: Request) -> Any:
    lists: TenancyLists = request.app.state.lists
    found = await lists.sources(principal.organization_id, principal.environment_id, wanted)
    return part(found, wanted, lambda record: _source(record, request))


@router.post("/sources", status_code=201)
async def create_source(body: SourceBody, principal: MayWriteSources, request: Request) -> Any:
    environment = await _tenancy(request).environment(principal.organization_id, principal.environment_id)
    source = await _sources(request).create(environment, body.name, body.kind, body.secret)
    return {**_source(source, request), "secret": source.secrets[0] if source.secrets else None}


async def _to_rotate(source_id: str, principal: MayWriteSources, request: Request) -> Source:
    return await _own_source(principal, source_id, request)


@router.post("/sources/{source_id}/rotate")
async def rotate_source(
    found: Annotated[Source, Depends(_to_rotate)], body: RotateBody, principal: MayWriteSources, request: Request
) -> Any:
    source = await _sources(request).rotate(principal.organization_id, found.id, body.secret)
    await announce(request, principal.organization_id, principal.environment_id)
    return {**_source(source, request), "secret": source.secrets[0]}


@router.get("/sources/{source_id}")
async def source(source_id: str, principal: MayReadSources, request: Request) -> Any:
    return _source(await _own_source(principal, source_id, request), request)


@router.delete("/sources/{source_id}", status_code=204)
async def delete_source(source_id: str, principal: MayWriteSources, request: Request) -> None:
    """What is sent to its address is refused from now on; what came stays."""
    await _own_source(principal, source_id, request)
    await _sources(request).delete(principal.organization_id, source_id)
    await announce(request, principal.organization_id, principal.environment_id)


async def _own_source(principal: Principal, source_id: str, request: Request) -> Source:
    for found in await _sources(request).list(principal.organization_id):
        if found.id == source_id and found.environment_id == principal.environment_id:
            return found
    raise NotFound(f"There is no source {source_id!r}.")


def _source(record: Source, request: Request) -> dict[str, Any]:
    return {
        "id": record.id,
        "organizationId": record.organization_id,
        "environmentId": record.environment_id,
        "name": record.name,
        "kind": record.kind,
        "path": f"/v1/hooks/{record.id}",
        "url": f"{request.app.state.public_url}/v1/hooks/{record.id}",
        "createdAt": iso(record.created_at),
    }


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store


def _sources(request: Request) -> SourceStore:
    store: SourceStore = request.app.state.sources
    return store
