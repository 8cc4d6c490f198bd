"""`/api/model-configurations`: models that are ready to use."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pulse.console.access import revision_of
from pulse.console.changes import announce
from pulse.console.models.bodies import ConfigurationBody
from pulse.console.models.providers import catalogue_of, provider_of
from pulse.console.models.providers import shown as shown_definition
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
from pulse.core.errors import Fault, NotFound
from pulse.models.catalogue import Catalogue
from pulse.prompts.configurations import ConfigurationStore
from pulse.prompts.credentials import CredentialStore
from pulse.prompts.records import Configuration, ConfigurationDraft, Credential, Part, Scope
from pulse.workflows.records import Page

router = APIRouter(prefix="/model-configurations", tags=["models"], route_class=GuardedRoute)


async def _to_change(configuration_id: str, principal: MayWriteModels, request: Request) -> Configuration:
    return changeable(await _store(request).get(principal.organization_id, configuration_id), principal)


ToChange = Annotated[Configuration, Depends(_to_change)]


@router.post("", status_code=201)
async def create(body: ConfigurationBody, principal: MayWriteModels, request: Request, response: Response) -> Any:
    owner = await owner_of(body, principal, request)
    made = await _store(request).create(owner, _draft(body))
    await announce(request, owner, "")
    return await _answer(made, request, response)


@router.get("")
async def list_configurations(
    principal: MayReadModels,
    request: Request,
    *,
    scope: Scope | None = None,
    include_system: Annotated[bool, Query(alias="includeSystem")] = False,
    visible_only: Annotated[bool, Query(alias="visibleOnly")] = True,
    category: str | None = None,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    require_organization(scope, principal)
    wanted, place = Page(page, limit), principal.organization_id
    found, total = await _store(request).list(
        place,
        scope=scope,
        include_system=include_system,
        visible_only=visible_only,
        category=category,
        part=Part(wanted.offset, limit),
    )
    used, _ = await _credentials(request).list(place, active_only=False)
    by_id, catalogue = {each.id: each for each in used}, catalogue_of(request)
    return paged([_shown(each, by_id, catalogue) for each in found], wanted, total)


@router.get("/{configuration_id}")
async def read(configuration_id: str, principal: MayReadModels, request: Request, response: Response) -> Any:
    found = await _store(request).get(principal.organization_id, configuration_id)
    return await _answer(found, request, response)


@router.put("/{configuration_id}")
async def change(found: ToChange, body: ConfigurationBody, request: Request, response: Response) -> Any:
    stays(body, found)
    draft, expected = _draft(body), revision_of(request)
    changed = await _store(request).update(found.organization_id, found.id, draft, expected)
    await announce(request, changed.organization_id, "")
    return await _answer(changed, request, response)


@router.delete("/{configuration_id}", status_code=204)
async def remove(found: ToChange, request: Request) -> None:
    await _store(request).delete(found.organization_id, found.id)
    await announce(request, found.organization_id, "")


async def unknown_configuration(configuration_id: str | None, organization_id: str, request: Request) -> list[Fault]:
    """The fault of a body whose `modelConfigurationId` is none that the organization may use."""
    if not configuration_id:
        return []
    try:
        await _store(request).get(organization_id, configuration_id)
    except NotFound:
        words = "There is no such model configuration: name one by its id, or none for the default one."
        return [Fault("modelConfigurationId", "unknown_configuration", words)]
    return []


async def _answer(configuration: Configuration, request: Request, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{configuration.revision}"'
    credential = await _credentials(request).get(configuration.organization_id, configuration.credential_id)
    return _shown(configuration, {credential.id: credential}, catalogue_of(request))


def _shown(configuration: Configuration, credentials: Mapping[str, Credential], catalogue: Catalogue) -> dict[str, Any]:
    of_all, wanted = configuration.scope == "system", configuration.definition_id
    definition = next((each for each in catalogue.definitions if each.id == wanted), None)
    return {
        "id": configuration.id,
        "scope": configuration.scope,
        "organizationId": None if of_all else configuration.organization_id,
        "name": configuration.name,
        "description": configuration.description,
        "modelDefinitionId": wanted,
        "credentialId": configuration.credential_id,
        "modelId": configuration.model_id,
        "defaultTemperature": configuration.default_temperature,
        "defaultMaxTokens": configuration.default_max_tokens,
        "defaultTimeout": configuration.default_timeout_ms,
        "isVisible": configuration.is_visible,
        "isDefault": configuration.is_default,
        "priority": configuration.priority,
        # None where the catalogue has it no longer.
        "modelDefinition": None if definition is None else shown_definition(definition, catalogue),
        "credential": _credential(credentials.get(configuration.credential_id), catalogue),
        "revision": configuration.revision,
        "createdAt": iso(configuration.created_at),
        "updatedAt": iso(configuration.updated_at),
    }


def _credential(credential: Credential | None, catalogue: Catalogue) -> dict[str, Any] | None:
    """None where it was deleted while the list was read."""
    if credential is None:
        return None
    return {
        "id": credential.id,
        "name": credential.name,
        "hasApiKey": credential.has_api_key,
        "provider": provider_of(credential.provider, catalogue),
    }


def _draft(body: ConfigurationBody) -> ConfigurationDraft:
    return ConfigurationDraft(
        name=body.name,
        definition_id=body.model_definition_id,
        credential_id=body.credential_id,
        description=body.description,
        model_id=body.model_id,
        default_temperature=body.default_temperature,
        default_max_tokens=body.default_max_tokens,
        default_timeout_ms=body.default_timeout,
        is_visible=body.is_visible,
        is_default=body.is_default,
        priority=body.priority,
    )


def _store(request: Request) -> ConfigurationStore:
    store: ConfigurationStore = request.app.state.models.configurations
    return store


def _credentials(request: Request) -> CredentialStore:
    store: CredentialStore = request.app.state.models.credentials
    return store
