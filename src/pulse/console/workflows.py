"""`/api/workflows`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import (
    MayCopyWorkflows,
    MayReadWorkflows,
    MayWriteWorkflows,
    own_environment,
    placed_elsewhere,
    require_here,
    revision_of,
)
from pulse.console.bodies import CopyBody, WorkflowBody
from pulse.console.changes import announce
from pulse.console.entities import shown as shown_entity
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import NotFound
from pulse.tenancy.access import Principal, authorize
from pulse.workflows.records import Page, Workflow
from pulse.workflows.store import WorkflowStore
from pulse.workflows.versions import WorkflowVersion, WorkflowVersions

MAX_DIGITS = 9
router = APIRouter(prefix="/workflows", tags=["workflows"], route_class=GuardedRoute)


async def _here(workflow_id: str, principal: Principal, request: Request) -> Workflow:
    found = await _store(request).workflow(principal.organization_id, workflow_id)
    require_here(workflow_id, found.environment_id, principal)
    return found


async def _to_change(workflow_id: str, principal: MayWriteWorkflows, request: Request) -> Workflow:
    return await _here(workflow_id, principal, request)


ToChange = Annotated[Workflow, Depends(_to_change)]


@router.post("", status_code=201)
async def create(body: WorkflowBody, principal: MayWriteWorkflows, request: Request) -> Any:
    workflow = await _store(request).create_workflow(_workflow(body, principal, ""))
    await announce(request, workflow.organization_id, workflow.environment_id)
    return shown(workflow)


@router.get("")
async def list_workflows(
    principal: MayReadWorkflows,
    request: Request,
    is_active: Annotated[bool | None, Query(alias="isActive")] = None,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    wanted = Page(page, limit)
    found, total = await _store(request).workflows(
        principal.organization_id, principal.environment_id, wanted, is_active=is_active
    )
    return paged([shown(workflow) for workflow in found], wanted, total)


@router.get("/{workflow_id}")
async def read(workflow_id: str, principal: MayReadWorkflows, request: Request, response: Response) -> Any:
    workflow = await _here(workflow_id, principal, request)
    response.headers["ETag"] = f'"{workflow.revision}"'
    return shown(workflow)


@router.put("/{workflow_id}")
async def change(found: ToChange, body: WorkflowBody, principal: MayWriteWorkflows, request: Request) -> Any:
    changed = await _store(request).update_workflow(_workflow(body, principal, found.id), revision_of(request))
    await announce(request, changed.organization_id, changed.environment_id)
    return shown(changed)


@router.post("/{workflow_id}/copy", status_code=201)
async def copy(workflow_id: str, body: CopyBody, principal: MayCopyWorkflows, request: Request) -> Any:
    """A copy in the environment that the body names by id or name, with its entities. It is switched off."""
    found = await _here(workflow_id, principal, request)
    there = await placed_elsewhere(request, principal, body.environment_id)
    authorize(there, "workflows:write")
    made = await _store(request).copy_workflow(found.organization_id, found.id, there.environment_id, body.name)
    await announce(request, made.organization_id, made.environment_id)
    return shown(made)


@router.delete("/{workflow_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    await _store(request).delete_workflow(found.organization_id, found.id)
    await announce(request, found.organization_id, found.environment_id)


@router.get("/{workflow_id}/versions")
async def versions(
    workflow_id: str,
    principal: MayReadWorkflows,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    found, wanted = await _here(workflow_id, principal, request), Page(page, limit)
    rows, total = await _versions(request).list(found.organization_id, found.id, wanted)
    return paged([_shown_version(row, found) for row in rows], wanted, total)


@router.get("/{workflow_id}/versions/{version_id}")
async def version(workflow_id: str, version_id: str, principal: MayReadWorkflows, request: Request) -> Any:
    found = await _here(workflow_id, principal, request)
    if not (version_id.isascii() and version_id.isdecimal()) or len(version_id) > MAX_DIGITS:
        raise NotFound(f"There is no version {version_id!r} of this workflow: versions are numbers.")
    row = await _versions(request).one(found.organization_id, found.id, int(version_id))
    entities = [shown_entity(entity) for entity in row.entities.values()]
    return {**_shown_version(row, found), "workflowData": row.workflow.data, "entities": entities}


def _shown_version(row: WorkflowVersion, present: Workflow) -> dict[str, Any]:
    return {
        "id": str(row.workflow.version),
        "workflowId": row.workflow.id,
        "version": row.workflow.version,
        "name": row.workflow.name,
        "isCurrent": row.workflow.version == present.version,
        "createdAt": iso(row.created_at),
    }


def shown(workflow: Workflow) -> dict[str, Any]:
    """A workflow as the API shows it."""
    return {
        "id": workflow.id,
        "organizationId": workflow.organization_id,
        "environmentId": workflow.environment_id,
        "name": workflow.name,
        "description": workflow.description,
        "isActive": workflow.is_active,
        "priority": workflow.priority,
        "version": workflow.version,
        "revision": workflow.revision,
        "workflowData": workflow.data,
        "createdAt": iso(workflow.created_at),
        "updatedAt": iso(workflow.updated_at),
    }


def _workflow(body: WorkflowBody, principal: Principal, workflow_id: str) -> Workflow:
    return Workflow(
        id=workflow_id,
        organization_id=principal.organization_id,
        environment_id=own_environment(principal, body.organization_id, body.environment_id),
        name=body.name,
        data=body.workflow_data,
        description=body.description,
        is_active=body.is_active,
        priority=body.priority,
    )


def _store(request: Request) -> WorkflowStore:
    store: WorkflowStore = request.app.state.workflows
    return store


def _versions(request: Request) -> WorkflowVersions:
    versions: WorkflowVersions = request.app.state.versions
    return versions
