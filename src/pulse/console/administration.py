"""`/api/organizations`, `/api/environments`, `/api/api-keys`, `/api/sources`."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from pulse.console.access import (
    MayCreateEnvironments,
    MayCreateOrganizations,
    MayReadEnvironments,
    MayReadKeys,
    MayReadOrganizations,
    MayReadSources,
    MayWriteKeys,
    MayWriteSources,
)
from pulse.console.bodies import Body, Name
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound
from pulse.tenancy.access import Authenticator, Principal
from pulse.tenancy.records import ApiKey, Environment, Organization, Source
from pulse.tenancy.sources import SourceStore
from pulse.tenancy.store import TenancyStore

router = APIRouter(tags=["administration"], route_class=GuardedRoute)


class NamedBody(Body):
    """Something that has only a name."""

    name: Name


class EnvironmentBody(NamedBody):
    """A new environment of an organization, which is given by id or name."""

    organization_id: str


class KeyBody(NamedBody):
    """A new API key; no scopes: it may do everything in its environment."""

    scopes: list[Annotated[str, Field(pattern=r"^[a-z-]+:[a-z-]+$")]] = Field(default_factory=list)


class SourceBody(NamedBody):
    """A new source of webhooks; a secret is made where none is given."""

    kind: Literal["github", "standard", "hmac", "none"]
    secret: Annotated[str, Field(min_length=16, max_length=200)] | None = None


class RotateBody(Body):
    """A new secret for a source."""

    secret: Annotated[str, Field(min_length=16, max_length=200)] | None = None


@router.get("/organizations")
async def organizations(_principal: MayReadOrganizations, request: Request) -> Any:
    return _all([_organization(record) for record in await _tenancy(request).organizations()])


@router.post("/organizations", status_code=201)
async def create_organization(body: NamedBody, _principal: MayCreateOrganizations, request: Request) -> Any:
    return _organization(await _tenancy(request).create_organization(body.name))


@router.get("/environments")
async def environments(principal: MayReadEnvironments, request: Request) -> Any:
    organization_id = principal.organization_id
    if principal.system:
        wanted = request.query_params.get("organizationId")
        if not wanted:
            raise InvalidFields([Fault("organizationId", "missing", "Say which organization: organizationId.")])
        organization_id = (await _tenancy(request).organization(wanted)).id
    found = await _tenancy(request).environments(organization_id)
    return _all([_environment(record) for record in found])


@router.post("/environments", status_code=201)
async def create_environment(body: EnvironmentBody, _principal: MayCreateEnvironments, request: Request) -> Any:
    organization = await _tenancy(request).organization(body.organization_id)
    return _environment(await _tenancy(request).create_environment(organization.id, body.name))


@router.get("/api-keys")
async def keys(principal: MayReadKeys, request: Request) -> Any:
    found = await _tenancy(request).keys(principal.organization_id)
    return _all([_key(record) for record in found if record.environment_id == principal.environment_id])


@router.post("/api-keys", status_code=201)
async def create_key(body: KeyBody, principal: MayWriteKeys, request: Request) -> Any:
    if principal.scopes and not set(body.scopes or ["*"]) <= set(principal.scopes):
        raise Forbidden("A key can make only keys that may do no more than itself.")
    environment = await _tenancy(request).environment(principal.organization_id, principal.environment_id)
    key, text = await _tenancy(request).create_key(environment, body.name, tuple(body.scopes))
    return {**_key(key), "key": text}


@router.delete("/api-keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, principal: MayWriteKeys, request: Request) -> None:
    await _own_key(principal, key_id, request)
    await _tenancy(request).revoke_key(principal.organization_id, key_id)
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget()


@router.get("/sources")
async def sources(principal: MayReadSources, request: Request) -> Any:
    found = await _sources(request).list(principal.organization_id)
    return _all([_source(record, request) for record in found if record.environment_id == principal.environment_id])


@router.post("/sources", status_code=201)
async def create_source(body: SourceBody, principal: MayWriteSources, request: Request) -> Any:
    environment = await _tenancy(request).environment(principal.organization_id, principal.environment_id)
    source = await _sources(request).create(environment, body.name, body.kind, body.secret)
    return {**_source(source, request), "secret": source.secrets[0] if source.secrets else None}


@router.post("/sources/{source_id}/rotate")
async def rotate_source(source_id: str, body: RotateBody, principal: MayWriteSources, request: Request) -> Any:
    here = [
        source.id
        for source in await _sources(request).list(principal.organization_id)
        if source.environment_id == principal.environment_id
    ]
    if source_id not in here:
        raise NotFound(f"There is no source {source_id!r}.")
    source = await _sources(request).rotate(principal.organization_id, source_id, body.secret)
    return {**_source(source, request), "secret": source.secrets[0]}


def _all(data: list[dict[str, Any]]) -> dict[str, Any]:
    total = len(data)
    return {"data": data, "pagination": {"page": 1, "limit": max(total, 1), "total": total, "totalPages": 1}}


def _organization(record: Organization) -> dict[str, Any]:
    return {"id": record.id, "name": record.name, "createdAt": iso(record.created_at)}


def _environment(record: Environment) -> dict[str, Any]:
    return {
        "id": record.id,
        "organizationId": record.organization_id,
        "name": record.name,
        "createdAt": iso(record.created_at),
    }


def _key(record: ApiKey) -> dict[str, Any]:
    times = {"expiresAt": record.expires_at, "revokedAt": record.revoked_at, "lastUsedAt": record.last_used_at}
    return {
        "id": record.id,
        "organizationId": record.organization_id,
        "environmentId": record.environment_id,
        "name": record.name,
        "scopes": list(record.scopes),
        "createdAt": iso(record.created_at),
        **{name: iso(ms) if ms is not None else None for name, ms in times.items()},
    }


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


async def _own_key(principal: Principal, key_id: str, request: Request) -> None:
    found = await _tenancy(request).keys(principal.organization_id)
    if not any(key.id == key_id and key.environment_id == principal.environment_id for key in found):
        raise NotFound(f"There is no key {key_id!r}.")


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store


def _sources(request: Request) -> SourceStore:
    store: SourceStore = request.app.state.sources
    return store
