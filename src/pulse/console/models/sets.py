"""`/api/prompt-templates/{id}/variable-sets`: values for the placeholders of a template, by name."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from pulse.console.access import revision_of
from pulse.console.models.bodies import VariableSetBody
from pulse.console.models.templates import ToChange, ToRead
from pulse.console.pages import paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import NotFound
from pulse.prompts.templates.records import Template, VariableSet
from pulse.prompts.templates.sets import MAX_SETS, VariableSetStore
from pulse.workflows.records import Page

PATH = "/prompt-templates/{template_id}/variable-sets"
router = APIRouter(prefix=PATH, tags=["prompt templates"], route_class=GuardedRoute)


async def _of(template: Template, set_id: str, request: Request) -> VariableSet:
    found = await _store(request).get(template.organization_id, set_id)
    if found.template_id != template.id:
        raise NotFound(f"This template has no set of values {set_id!r}.")
    return found


async def _set_to_change(found: ToChange, set_id: str, request: Request) -> VariableSet:
    return await _of(found, set_id, request)


SetToChange = Annotated[VariableSet, Depends(_set_to_change)]


@router.post("", status_code=201)
async def create(found: ToChange, body: VariableSetBody, request: Request, response: Response) -> Any:
    made = await _store(request).create(found.organization_id, found.id, body.name, body.values)
    return _answer(made, response)


@router.get("")
async def list_sets(found: ToRead, request: Request) -> Any:
    """All of them: a template has a limited number."""
    rows = [_shown(each) for each in await _store(request).list(found.organization_id, found.id)]
    return paged(rows, Page(1, MAX_SETS), len(rows))


@router.get("/{set_id}")
async def read(found: ToRead, set_id: str, request: Request, response: Response) -> Any:
    return _answer(await _of(found, set_id, request), response)


@router.put("/{set_id}")
async def change(found: SetToChange, body: VariableSetBody, request: Request, response: Response) -> Any:
    expected = revision_of(request)
    changed = await _store(request).update(found.organization_id, found.id, body.name, body.values, expected)
    return _answer(changed, response)


@router.delete("/{set_id}", status_code=204)
async def remove(found: SetToChange, request: Request) -> None:
    await _store(request).delete(found.organization_id, found.id)


def _answer(found: VariableSet, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{found.revision}"'
    return _shown(found)


def _shown(found: VariableSet) -> dict[str, Any]:
    return {
        "id": found.id,
        "templateId": found.template_id,
        "name": found.name,
        "values": found.values,
        "revision": found.revision,
        "createdAt": iso(found.created_at),
        "updatedAt": iso(found.updated_at),
    }


def _store(request: Request) -> VariableSetStore:
    store: VariableSetStore = request.app.state.prompts.sets
    return store
