"""`/api/workflows`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import MayReadWorkflows, MayWriteWorkflows, own_environment, require_here, revision_of
from pulse.console.bodies import WorkflowBody
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.tenancy.access import Principal
from pulse.workflows.catalog import Catalog
from pulse.workflows.records import Workflow
from pulse.workflows.store import Page, WorkflowStore

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
    _forget(request, workflow)
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
    _forget(request, changed)
    return shown(changed)


@router.delete("/{workflow_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    await _store(request).delete_workflow(found.organization_id, found.id)
    _forget(request, found)


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


def _forget(request: Request, workflow: Workflow) -> None:
    catalog: Catalog = request.app.state.catalog
    catalog.forget(workflow.organization_id, workflow.environment_id)
