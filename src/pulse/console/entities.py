"""`/api/workflow-entities`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import MayReadWorkflows, MayWriteWorkflows, own_environment, require_here, revision_of
from pulse.console.bodies import EntityBody
from pulse.console.changes import announce
from pulse.console.models.configurations import unknown_configuration
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.conditions import compile_condition
from pulse.core.errors import Fault, InvalidFields
from pulse.sandbox.functions import is_taken
from pulse.tenancy.access import Principal
from pulse.workflows.catalog import Catalog
from pulse.workflows.records import Entity, Page
from pulse.workflows.store import WorkflowStore

router = APIRouter(prefix="/workflow-entities", tags=["workflow entities"], route_class=GuardedRoute)
_COMMON = {"name", "entity_type", "description", "organization_id", "environment_id"}


async def _here(entity_id: str, principal: Principal, request: Request) -> Entity:
    found = await _store(request).entity(principal.organization_id, entity_id)
    require_here(entity_id, found.environment_id, principal)
    return found


async def _to_change(entity_id: str, principal: MayWriteWorkflows, request: Request) -> Entity:
    return await _here(entity_id, principal, request)


ToChange = Annotated[Entity, Depends(_to_change)]


@router.post("", status_code=201)
async def create(body: EntityBody, principal: MayWriteWorkflows, request: Request) -> Any:
    entity = await _store(request).create_entity(await _entity(body, principal, "", request))
    return shown(entity)


@router.get("")
async def list_entities(
    principal: MayReadWorkflows,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    wanted = Page(page, limit)
    found, total = await _store(request).entities(principal.organization_id, principal.environment_id, wanted)
    return paged([shown(entity) for entity in found], wanted, total)


@router.get("/{entity_id}")
async def read(entity_id: str, principal: MayReadWorkflows, request: Request, response: Response) -> Any:
    entity = await _here(entity_id, principal, request)
    response.headers["ETag"] = f'"{entity.revision}"'
    return shown(entity)


@router.put("/{entity_id}")
async def change(found: ToChange, body: EntityBody, principal: MayWriteWorkflows, request: Request) -> Any:
    entity = await _entity(body, principal, found.id, request)
    changed = await _store(request).update_entity(entity, revision_of(request))
    await announce(request, changed.organization_id, changed.environment_id)
    return {**shown(changed), **await _unusable(changed, request)}


async def _unusable(entity: Entity, request: Request) -> dict[str, Any]:
    """The workflows of the environment that do not work any more, if there are any: a change may have caused it."""
    catalog: Catalog = request.app.state.catalog
    plans = await catalog.plans(entity.organization_id, entity.environment_id)
    broken = [{"id": each.id, "name": each.name, "detail": each.problem} for each in plans.listings if each.problem]
    return {"unusableWorkflows": broken} if broken else {}


@router.delete("/{entity_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    await _store(request).delete_entity(found.organization_id, found.id)


@router.get("/{entity_id}/usage-count")
async def usage_count(entity_id: str, principal: MayReadWorkflows, request: Request) -> Any:
    found = await _here(entity_id, principal, request)
    return {"count": await _store(request).usage_count(found.organization_id, found.id)}


def shown(entity: Entity) -> dict[str, Any]:
    """An entity as the API shows it."""
    return {
        "id": entity.id,
        "organizationId": entity.organization_id,
        "environmentId": entity.environment_id,
        "name": entity.name,
        "entityType": entity.entity_type,
        "description": entity.description,
        **entity.fields,
        "revision": entity.revision,
        "createdAt": iso(entity.created_at),
        "updatedAt": iso(entity.updated_at),
    }


async def _entity(body: EntityBody, principal: Principal, entity_id: str, request: Request) -> Entity:
    environment_id = own_environment(principal, body.organization_id, body.environment_id)
    _, faults = compile_condition(body.condition)
    for at, argument in enumerate(body.arguments):
        if is_taken(argument.name):
            words = f"{argument.name!r} means something to scripts already: choose another name."
            faults.append(Fault(f"arguments.{at}.name", "reserved_name", words))
    faults.extend(await unknown_configuration(body.model_configuration_id, principal.organization_id, request))
    if faults:
        raise InvalidFields(faults)
    return Entity(
        id=entity_id,
        organization_id=principal.organization_id,
        environment_id=environment_id,
        name=body.name,
        entity_type=body.entity_type,
        description=body.description,
        fields=body.model_dump(by_alias=True, exclude=_COMMON, exclude_none=True),
    )


def _store(request: Request) -> WorkflowStore:
    store: WorkflowStore = request.app.state.workflows
    return store
