"""`/api/model-providers` and `/api/model-definitions`: the catalogue that Pulse comes with, the same for everybody."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from pulse.console.models.rights import MayReadModels
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.models.catalogue import Catalogue, Definition, Provider
from pulse.workflows.records import Page

router = APIRouter(tags=["models"], route_class=GuardedRoute)


@router.get("/model-providers")
async def providers(
    _principal: MayReadModels,
    request: Request,
    *,
    include_models: Annotated[bool, Query(alias="includeModels")] = False,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Any:
    catalogue = catalogue_of(request)
    rows = []
    for provider in catalogue.providers:
        models = [_model(each) for each in catalogue.of(provider.slug)] if include_models else None
        rows.append({**_provider(provider), **({} if models is None else {"models": models})})
    return _part(rows, Page(page, limit), catalogue)


@router.get("/model-definitions")
async def definitions(
    _principal: MayReadModels,
    request: Request,
    *,
    provider_id: Annotated[str | None, Query(alias="providerId")] = None,
    category: Literal["chat", "embedding"] | None = None,
    tier: Literal["premium", "standard", "economy"] | None = None,
    supports_vision: Annotated[bool | None, Query(alias="supportsVision")] = None,
    active_only: Annotated[bool, Query(alias="activeOnly")] = True,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Any:
    catalogue = catalogue_of(request)
    wanted = {"provider": provider_id, "category": category, "tier": tier, "supports_vision": supports_vision}
    if active_only:
        wanted["is_active"] = True
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = [each for each in catalogue.definitions if all(getattr(each, name) == asked[name] for name in asked)]
    return _part([shown(each, catalogue) for each in found], Page(page, limit), catalogue)


def shown(definition: Definition, catalogue: Catalogue) -> dict[str, Any]:
    """A model with its provider. Prices are US dollars a million tokens, as of the catalogue's day."""
    return {**_model(definition), "provider": provider_of(definition.provider, catalogue)}


def provider_of(slug: str, catalogue: Catalogue) -> dict[str, Any]:
    """`{id, slug, name}` of a provider, also of one that the catalogue has no longer."""
    name = next((each.name for each in catalogue.providers if each.slug == slug), slug)
    return {"id": slug, "slug": slug, "name": name}


def catalogue_of(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.models.catalogue
    return catalogue


def _part(rows: list[dict[str, Any]], page: Page, catalogue: Catalogue) -> dict[str, Any]:
    shown_rows = rows[page.offset : page.offset + page.limit]
    return {**paged(shown_rows, page, len(rows)), "dated": catalogue.dated, "about": catalogue.about}


def _provider(provider: Provider) -> dict[str, Any]:
    return {
        "id": provider.slug,
        "slug": provider.slug,
        "name": provider.name,
        "authType": provider.auth_type,
        "apiFormat": provider.api_format,
        "baseUrl": provider.base_url,
    }


def _model(definition: Definition) -> dict[str, Any]:
    cached = definition.cached_input_price_per_million
    return {
        "id": definition.id,
        "providerId": definition.provider,
        "slug": definition.slug,
        "displayName": definition.display_name,
        "modelId": definition.model_id,
        "category": definition.category,
        "tier": definition.tier,
        "contextWindow": definition.context_window,
        "maxOutputTokens": definition.max_output_tokens,
        "inputPricePerMillion": float(definition.input_price_per_million),
        "outputPricePerMillion": float(definition.output_price_per_million),
        "cachedInputPricePerMillion": None if cached is None else float(cached),
        "dimensions": definition.dimensions,
        "supportsVision": definition.supports_vision,
        "supportsFunctionCalling": definition.supports_function_calling,
        "supportsStreaming": definition.supports_streaming,
        "supportsJsonSchema": definition.supports_json_schema,
        "supportsTemperature": definition.supports_temperature,
        "supportsSystem": definition.supports_system,
        "isActive": definition.is_active,
        "isDeprecated": definition.is_deprecated,
        "note": definition.note,
    }
