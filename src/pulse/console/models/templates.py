"""`/api/prompt-templates`: prompts with placeholders, and every version that they had."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import own_environment, require_here, revision_of
from pulse.console.models.bodies import TemplateBody
from pulse.console.models.rights import MayReadPrompts, MayRunPrompts, MayWritePrompts
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import NotFound
from pulse.prompts.records import Part
from pulse.prompts.templates.comparison import unified_diff
from pulse.prompts.templates.records import Template, TemplateDraft, TemplateVersion
from pulse.prompts.templates.store import TemplateStore
from pulse.tenancy.access import Principal
from pulse.workflows.records import Page

MAX_VERSION = 1_000_000_000
router = APIRouter(prefix="/prompt-templates", tags=["prompt templates"], route_class=GuardedRoute)


async def _here(template_id: str, principal: Principal, request: Request) -> Template:
    found = await _store(request).get(principal.organization_id, template_id)
    require_here(template_id, found.environment_id, principal)
    return found


async def _to_read(template_id: str, principal: MayReadPrompts, request: Request) -> Template:
    return await _here(template_id, principal, request)


async def _to_change(template_id: str, principal: MayWritePrompts, request: Request) -> Template:
    return await _here(template_id, principal, request)


async def _to_run(template_id: str, principal: MayRunPrompts, request: Request) -> Template:
    return await _here(template_id, principal, request)


ToRead = Annotated[Template, Depends(_to_read)]
ToChange = Annotated[Template, Depends(_to_change)]
ToRun = Annotated[Template, Depends(_to_run)]


@router.post("", status_code=201)
async def create(body: TemplateBody, principal: MayWritePrompts, request: Request, response: Response) -> Any:
    environment_id = own_environment(principal, body.organization_id, body.environment_id)
    return _answer(await _store(request).create(principal.organization_id, environment_id, _draft(body)), response)


@router.get("")
async def list_templates(
    principal: MayReadPrompts,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    wanted, place = Page(page, limit), (principal.organization_id, principal.environment_id)
    found, total = await _store(request).list(*place, part=Part(wanted.offset, limit))
    return paged([_shown(each) for each in found], wanted, total)


@router.get("/{template_id}")
async def read(found: ToRead, response: Response) -> Any:
    return _answer(found, response)


@router.put("/{template_id}")
async def change(
    found: ToChange, body: TemplateBody, principal: MayWritePrompts, request: Request, response: Response
) -> Any:
    own_environment(principal, body.organization_id, body.environment_id)
    changed = await _store(request).save(found.organization_id, found.id, _draft(body), revision_of(request))
    return _answer(changed, response)


@router.delete("/{template_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    """Its versions and sets of values go with it; its runs stay, at their own addresses."""
    await _store(request).delete(found.organization_id, found.id)


@router.get("/{template_id}/versions")
async def versions(
    found: ToRead,
    request: Request,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    wanted = Page(page, limit)
    rows, total = await _store(request).versions(found.organization_id, found.id, Part(wanted.offset, limit))
    return paged([_shown_version(row, found) for row in rows], wanted, total)


@router.get("/{template_id}/versions/{version}")
async def version(found: ToRead, version: str, request: Request) -> Any:
    if not (version.isascii() and version.isdecimal()) or int(version[:20]) > MAX_VERSION:
        raise NotFound(f"There is no version {version!r} of this template: versions are numbers.")
    return _shown_version(await _version(found, int(version), request), found)


@router.get("/{template_id}/diff")
async def diff(
    found: ToRead,
    request: Request,
    from_: Annotated[int, Query(alias="from", ge=1, le=MAX_VERSION)],
    to: Annotated[int | None, Query(ge=1, le=MAX_VERSION)] = None,
) -> Any:
    """What has changed from one version to another (without `to`: to the newest), as a unified diff."""
    before = await _version(found, from_, request)
    after = await _version(found, found.version if to is None else to, request)
    text = await asyncio.to_thread(unified_diff, before, after)
    return {"templateId": found.id, "from": before.version, "to": after.version, "diff": text}


async def _version(found: Template, version: int, request: Request) -> TemplateVersion:
    return await _store(request).version(found.organization_id, found.id, version)


def _answer(template: Template, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{template.version}"'
    return _shown(template)


def _shown(template: Template) -> dict[str, Any]:
    return {
        "id": template.id,
        "organizationId": template.organization_id,
        "environmentId": template.environment_id,
        "name": template.name,
        "description": template.description,
        "modelConfigurationId": template.configuration_id,
        "system": template.system,
        "text": template.text,
        "variables": list(template.variables),
        "version": template.version,
        "createdAt": iso(template.created_at),
        "updatedAt": iso(template.updated_at),
    }


def _shown_version(row: TemplateVersion, present: Template) -> dict[str, Any]:
    return {
        "id": str(row.version),
        "templateId": row.template_id,
        "version": row.version,
        "name": row.name,
        "modelConfigurationId": row.configuration_id,
        "system": row.system,
        "text": row.text,
        "variables": list(row.variables),
        "isCurrent": row.version == present.version,
        "createdAt": iso(row.created_at),
    }


def _draft(body: TemplateBody) -> TemplateDraft:
    return TemplateDraft(body.name, body.text, body.system, body.description, body.model_configuration_id)


def _store(request: Request) -> TemplateStore:
    store: TemplateStore = request.app.state.prompts.templates
    return store
