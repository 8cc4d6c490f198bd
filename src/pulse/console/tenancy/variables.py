"""`/api/variables`: names and versions are shown, values never."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import MayReadVariables, MayWriteVariables, own_environment, require_here, revision_of
from pulse.console.bodies import ValueBody, VariableBody
from pulse.console.changes import announce
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.tenancy.access import Principal
from pulse.tenancy.records import Variable
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.variables import VariableStore
from pulse.workflows.records import Page

router = APIRouter(prefix="/variables", tags=["variables"], route_class=GuardedRoute)


async def _here(variable_id: str, principal: Principal, request: Request) -> Variable:
    found = await _store(request).get(principal.organization_id, variable_id)
    require_here(variable_id, found.environment_id, principal)
    return found


async def _to_change(variable_id: str, principal: MayWriteVariables, request: Request) -> Variable:
    return await _here(variable_id, principal, request)


ToChange = Annotated[Variable, Depends(_to_change)]


@router.post("", status_code=201)
async def create(body: VariableBody, principal: MayWriteVariables, request: Request) -> Any:
    environment_id = own_environment(principal, body.organization_id, body.environment_id)
    value = body.value.get_secret_value()
    made = await _store(request).create(principal.organization_id, environment_id, body.name, value)
    await announce(request, made.organization_id, made.environment_id)
    return await _shown(made, request)


@router.get("")
async def list_variables(
    principal: MayReadVariables,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    wanted = Page(page, limit)
    place = (principal.organization_id, principal.environment_id)
    found, total = await _store(request).list(*place, offset=wanted.offset, limit=wanted.limit)
    names = await _names(*place, request)
    return paged([_row(variable, names) for variable in found], wanted, total)


@router.get("/{variable_id}")
async def read(variable_id: str, principal: MayReadVariables, request: Request, response: Response) -> Any:
    found = await _here(variable_id, principal, request)
    response.headers["ETag"] = f'"{found.version}"'
    return await _shown(found, request)


@router.put("/{variable_id}")
async def change(found: ToChange, body: ValueBody, request: Request, response: Response) -> Any:
    value = body.value.get_secret_value()
    changed = await _store(request).set(found.organization_id, found.id, value, revision_of(request))
    await announce(request, changed.organization_id, changed.environment_id)
    response.headers["ETag"] = f'"{changed.version}"'
    return await _shown(changed, request)


@router.delete("/{variable_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    await _store(request).delete(found.organization_id, found.id)
    await announce(request, found.organization_id, found.environment_id)


async def _shown(variable: Variable, request: Request) -> dict[str, Any]:
    return _row(variable, await _names(variable.organization_id, variable.environment_id, request))


async def _names(organization_id: str, environment_id: str, request: Request) -> dict[str, Any]:
    """What people call the organization and the environment."""
    tenancy: TenancyStore = request.app.state.tenancy
    organization = await tenancy.organization(organization_id)
    environment = await tenancy.environment(organization_id, environment_id)
    return {"organization": {"name": organization.name}, "environment": {"name": environment.name}}


def _row(variable: Variable, names: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": variable.id,
        "organizationId": variable.organization_id,
        "environmentId": variable.environment_id,
        "name": variable.name,
        **names,
        "version": variable.version,
        "createdAt": iso(variable.created_at),
        "updatedAt": iso(variable.updated_at),
        "lastUsedAt": None if variable.last_used_at is None else iso(variable.last_used_at),
    }


def _store(request: Request) -> VariableStore:
    store: VariableStore = request.app.state.variables
    return store
