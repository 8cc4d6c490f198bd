"""`/api/models`: legacy models (platform.md 7.2). What is secret goes in, and no answer shows it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import SecretStr

from pulse.console.access import revision_of
from pulse.console.changes import announce
from pulse.console.models.bodies import SCOPES, LegacyModelBody, ModelType
from pulse.console.models.rights import (
    MayReadModels,
    MayWriteModels,
    changeable,
    owner_of,
    require_organization,
    stays,
)
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.prompts.legacy import LegacyStore
from pulse.prompts.records import LegacyDraft, LegacyModel, Part
from pulse.prompts.secrets import Secrets
from pulse.workflows.records import Page

router = APIRouter(prefix="/models", tags=["models"], route_class=GuardedRoute)


async def _to_change(model_id: str, principal: MayWriteModels, request: Request) -> LegacyModel:
    return changeable(await _store(request).get(principal.organization_id, model_id), principal)


ToChange = Annotated[LegacyModel, Depends(_to_change)]


@router.post("", status_code=201)
async def create(body: LegacyModelBody, principal: MayWriteModels, request: Request, response: Response) -> Any:
    owner = await owner_of(body, principal, request)
    made = await _store(request).create(owner, _draft(body))
    await announce(request, owner, "")
    return _answer(made, response)


@router.get("")
async def list_models(
    principal: MayReadModels,
    request: Request,
    *,
    model_type: Annotated[ModelType | None, Query(alias="modelType")] = None,
    include_system: Annotated[bool, Query(alias="includeSystem")] = False,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    scope = None if model_type is None else SCOPES[model_type]
    require_organization(scope, principal)
    wanted = Page(page, limit)
    found, total = await _store(request).list(
        principal.organization_id, scope=scope, include_system=include_system, part=Part(wanted.offset, limit)
    )
    return paged([_shown(each) for each in found], wanted, total)


@router.get("/{model_id}")
async def read(model_id: str, principal: MayReadModels, request: Request, response: Response) -> Any:
    return _answer(await _store(request).get(principal.organization_id, model_id), response)


@router.put("/{model_id}")
async def change(found: ToChange, body: LegacyModelBody, request: Request, response: Response) -> Any:
    stays(body, found, path="modelType")
    draft, expected = _draft(body), revision_of(request)
    changed = await _store(request).update(found.organization_id, found.id, draft, expected)
    await announce(request, changed.organization_id, "")
    return _answer(changed, response)


@router.delete("/{model_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    await _store(request).delete(found.organization_id, found.id)
    await announce(request, found.organization_id, "")


def _answer(model: LegacyModel, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{model.revision}"'
    return _shown(model)


def _shown(model: LegacyModel) -> dict[str, Any]:
    of_all = model.scope == "system"
    return {
        "id": model.id,
        "organizationId": None if of_all else model.organization_id,
        "name": model.name,
        "modelUrl": model.url,
        "modelType": "system" if of_all else "user",
        "hasToken": model.has_token,
        "hasKeys": model.has_keys,
        "revision": model.revision,
        "createdAt": iso(model.created_at),
        "updatedAt": iso(model.updated_at),
    }


def _draft(body: LegacyModelBody) -> LegacyDraft:
    secrets = Secrets(_opened(body.token), access_key=_opened(body.client_key), secret_key=_opened(body.secret_key))
    return LegacyDraft(body.name, body.model_url, secrets)


def _opened(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _store(request: Request) -> LegacyStore:
    store: LegacyStore = request.app.state.models.legacy
    return store
