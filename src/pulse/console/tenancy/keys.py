"""`/api/api-keys`: made, rotated and revoked. A key's text is shown once."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, Field

from pulse.console.access import MayReadKeys, MayWriteKeys
from pulse.console.bodies import Body, NamedBody
from pulse.console.changes import announce
from pulse.console.pages import ListWanted, part
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Forbidden, InvalidFields, NotFound
from pulse.tenancy.access import Principal
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.records import ApiKey
from pulse.tenancy.roles import beyond, unknown_scopes
from pulse.tenancy.store import TenancyStore

router = APIRouter(tags=["administration"], route_class=GuardedRoute)


class KeyBody(NamedBody):
    """A new API key; no scopes: it may do everything in its environment. `expiresAt`: when it ends by itself."""

    scopes: list[str] = Field(default_factory=list)
    expires_at: AwareDatetime | None = None


class RotateKeyBody(Body):
    """For how many seconds the old key works beside the new one; 0 ends it at once."""

    grace_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400


@router.get("/api-keys")
async def keys(principal: MayReadKeys, wanted: ListWanted, request: Request) -> Any:
    lists: TenancyLists = request.app.state.lists
    found = await lists.keys(principal.organization_id, principal.environment_id, wanted)
    return part(found, wanted, _key)


@router.post("/api-keys", status_code=201)
async def create_key(body: KeyBody, principal: MayWriteKeys, request: Request) -> Any:
    expires_at = None if body.expires_at is None else round(body.expires_at.timestamp() * 1000)
    faults = unknown_scopes(body.scopes)
    if faults:
        raise InvalidFields(faults)
    _no_more_than(principal, body.scopes, expires_at)
    environment = await _tenancy(request).environment(principal.organization_id, principal.environment_id)
    key, text = await _tenancy(request).create_key(environment, body.name, tuple(body.scopes), expires_at)
    return {**_key(key), "key": text}


async def _to_rotate(key_id: str, principal: MayWriteKeys, request: Request) -> ApiKey:
    return await _own_key(principal, key_id, request)


@router.post("/api-keys/{key_id}/rotate", status_code=201)
async def rotate_key(
    old: Annotated[ApiKey, Depends(_to_rotate)], body: RotateKeyBody, principal: MayWriteKeys, request: Request
) -> Any:
    """A new key that may do the same; the old one ends when the grace is over. No key makes itself last longer."""
    _no_more_than(principal, old.scopes, old.expires_at)
    grace_ms, until = body.grace_seconds * 1000, principal.expires_at
    key, text = await _tenancy(request).rotate_key(principal.organization_id, old.id, grace_ms, until)
    await announce(request, principal.organization_id, principal.environment_id)
    return {**_key(key), "key": text}


@router.delete("/api-keys/{key_id}", status_code=204)
async def revoke_key(key_id: str, principal: MayWriteKeys, request: Request) -> None:
    await _own_key(principal, key_id, request)
    await _tenancy(request).revoke_key(principal.organization_id, key_id)
    await announce(request, principal.organization_id, principal.environment_id)


def _no_more_than(principal: Principal, scopes: "list[str] | tuple[str, ...]", expires_at: int | None) -> None:
    """Raises Forbidden where a key would make one that may do more than whoever makes it, or for longer."""
    if principal.scopes and not set(scopes or ["*"]) <= set(principal.scopes):
        raise Forbidden("A key can make only keys that may do no more than itself.")
    if principal.user_id and not principal.system:
        _no_more_than_in_organization(principal, scopes)
    ends = principal.expires_at
    if ends is not None and (expires_at is None or expires_at > ends):
        raise Forbidden(f"This key ends at {iso(ends)}: the keys that it makes must end by then, too (expiresAt).")


def _no_more_than_in_organization(principal: Principal, scopes: "list[str] | tuple[str, ...]") -> None:
    """Raises Forbidden where a person's right on an environment would become one on the organization by a key."""
    role = principal.organization_role or "Guest"
    more = beyond(role, scopes)
    if not more:
        return
    what = f"Your role in the organization is {role}, which may not have a key for {', '.join(more)}"
    if not scopes:
        raise Forbidden(f"{what}, and a key without scopes may do everything: name its scopes.")
    raise Forbidden(f"{what}: leave these scopes out, or let an Admin of the organization make the key.")


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


async def _own_key(principal: Principal, key_id: str, request: Request) -> ApiKey:
    for key in await _tenancy(request).keys(principal.organization_id):
        if key.id == key_id and key.environment_id == principal.environment_id:
            return key
    raise NotFound(f"There is no key {key_id!r}.")


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store
