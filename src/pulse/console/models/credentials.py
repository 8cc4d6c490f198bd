"""`/api/model-credentials`: how providers are reached. What is secret goes in, and no answer shows it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import SecretStr

from pulse.console.access import revision_of
from pulse.console.changes import announce
from pulse.console.models.bodies import CredentialBody
from pulse.console.models.providers import catalogue_of, provider_of
from pulse.console.models.rights import (
    MayCreateCredentials,
    MayDeleteCredentials,
    MayReadCredentials,
    MayUpdateCredentials,
    MayValidateCredentials,
    changeable,
    owner_of,
    require_organization,
    stays,
)
from pulse.console.pages import MAX_PAGE, paged
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Misconfigured, Unavailable
from pulse.prompts.buckets import Limits
from pulse.prompts.checks import CredentialChecks
from pulse.prompts.credentials import CredentialStore
from pulse.prompts.records import SYSTEM, Credential, CredentialDraft, Part, Scope
from pulse.prompts.secrets import Secrets
from pulse.tenancy.access import Principal
from pulse.tenancy.store import TenancyStore
from pulse.workflows.records import Page

router = APIRouter(prefix="/model-credentials", tags=["models"], route_class=GuardedRoute)


async def _own(credential_id: str, principal: Principal, request: Request) -> Credential:
    return changeable(await _store(request).get(principal.organization_id, credential_id), principal)


async def _to_update(credential_id: str, principal: MayUpdateCredentials, request: Request) -> Credential:
    return await _own(credential_id, principal, request)


async def _to_delete(credential_id: str, principal: MayDeleteCredentials, request: Request) -> Credential:
    return await _own(credential_id, principal, request)


async def _to_validate(credential_id: str, principal: MayValidateCredentials, request: Request) -> Credential:
    return await _own(credential_id, principal, request)


@router.post("", status_code=201)
async def create(body: CredentialBody, principal: MayCreateCredentials, request: Request, response: Response) -> Any:
    owner = await owner_of(body, principal, request)
    return await _answer(await _store(request).create(owner, _draft(body, request)), request, response)


@router.get("")
async def list_credentials(
    principal: MayReadCredentials,
    request: Request,
    *,
    scope: Scope | None = None,
    provider_id: Annotated[str | None, Query(alias="providerId")] = None,
    active_only: Annotated[bool, Query(alias="activeOnly")] = True,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Any:
    require_organization(scope, principal)
    wanted, place = Page(page, limit), principal.organization_id
    found, total = await _store(request).list(
        place, scope=scope, provider=provider_id, active_only=active_only, part=Part(wanted.offset, limit)
    )
    return paged(await _rows(found, place, request), wanted, total)


@router.get("/{credential_id}")
async def read(credential_id: str, principal: MayReadCredentials, request: Request, response: Response) -> Any:
    found = await _store(request).get(principal.organization_id, credential_id)
    return await _answer(found, request, response, of=principal.organization_id)


@router.put("/{credential_id}")
async def change(
    found: Annotated[Credential, Depends(_to_update)], body: CredentialBody, request: Request, response: Response
) -> Any:
    stays(body, found)
    draft, expected = _draft(body, request), revision_of(request)
    changed = await _store(request).update(found.organization_id, found.id, draft, expected)
    await announce(request, changed.organization_id, "")
    return await _answer(changed, request, response)


@router.delete("/{credential_id}", status_code=204)
async def remove(found: Annotated[Credential, Depends(_to_delete)], request: Request) -> None:
    await _store(request).delete(found.organization_id, found.id)
    await announce(request, found.organization_id, "")


@router.post("/{credential_id}/validate")
async def validate(
    found: Annotated[Credential, Depends(_to_validate)], request: Request, response: Response
) -> dict[str, Any]:
    """Makes a real, cheap request with the credential, and keeps what came of it."""
    checks: CredentialChecks = request.app.state.models.checks
    try:
        checked = await checks.validate(found.organization_id, found.id)
    except Misconfigured as error:
        raise Unavailable(error.message) from None
    return {**await _answer(checked, request, response), "valid": checked.validation_error is None}


async def _answer(
    credential: Credential, request: Request, response: Response, of: str | None = None
) -> dict[str, Any]:
    """The one credential, as the organization `of` sees it (without it: as its owner does)."""
    response.headers["ETag"] = f'"{credential.revision}"'
    return (await _rows([credential], of or credential.organization_id, request))[0]


async def _rows(credentials: Any, organization_id: str, request: Request) -> list[dict[str, Any]]:
    """Credentials as the API shows them to that organization: it counts its own configurations."""
    counts = await _store(request).usage_counts(organization_id, [each.id for each in credentials])
    name = await _organization(organization_id, request)
    return [_shown(each, counts.get(each.id, 0), name, request) for each in credentials]


async def _organization(organization_id: str, request: Request) -> dict[str, str] | None:
    if organization_id == SYSTEM:
        return None
    tenancy: TenancyStore = request.app.state.tenancy
    return {"id": organization_id, "name": (await tenancy.organization(organization_id)).name}


def _shown(credential: Credential, users: int, owner: dict[str, str] | None, request: Request) -> dict[str, Any]:
    validated, of_all = credential.last_validated, credential.scope == "system"
    return {
        "id": credential.id,
        "scope": credential.scope,
        "organizationId": None if of_all else credential.organization_id,
        "providerId": credential.provider,
        "name": credential.name,
        "description": credential.description,
        "authType": credential.auth_type,
        "baseUrl": credential.base_url,
        "awsRegion": credential.aws_region,
        "requestsPerMinute": credential.limits.requests_per_minute,
        "tokensPerMinute": credential.limits.tokens_per_minute,
        "tokensPerDay": credential.limits.tokens_per_day,
        "isActive": credential.is_active,
        "hasApiKey": credential.has_api_key,
        "hasServiceAccount": credential.has_service_account,
        "hasAccessKeys": credential.has_access_keys,
        "hasCustomHeaders": credential.has_custom_headers,
        "lastValidated": None if validated is None else iso(validated),
        "validationError": credential.validation_error,
        "lastUsedAt": _last_used(credential, request),
        "provider": provider_of(credential.provider, catalogue_of(request)),
        "organization": None if of_all else owner,
        "_count": {"modelConfigs": users},
        "revision": credential.revision,
        "createdAt": iso(credential.created_at),
        "updatedAt": iso(credential.updated_at),
    }


def _last_used(credential: Credential, request: Request) -> str | None:
    """When it was used; of the installation's own it would tell what other organizations do."""
    principal: Principal = request.state.principal
    if credential.last_used_at is None or (credential.scope == "system" and not principal.system):
        return None
    return iso(credential.last_used_at)


def _draft(body: CredentialBody, request: Request) -> CredentialDraft:
    kinds = {each.slug: each.auth_type for each in catalogue_of(request).providers}
    return CredentialDraft(
        name=body.name,
        provider=body.provider_id,
        auth_type=body.auth_type or kinds.get(body.provider_id, "api_key"),
        description=body.description,
        base_url=body.base_url,
        aws_region=body.aws_region,
        limits=Limits(body.requests_per_minute, body.tokens_per_minute, body.tokens_per_day),
        is_active=body.is_active,
        secrets=_secrets(body),
    )


def _secrets(body: CredentialBody) -> Secrets:
    headers = body.custom_headers
    return Secrets(
        api_key=_opened(body.api_key),
        service_account=_opened(body.service_account_json),
        access_key=_opened(body.access_key_id),
        secret_key=_opened(body.secret_access_key),
        session_token=_opened(body.session_token),
        headers=None if headers is None else {name: value.get_secret_value() for name, value in headers.items()},
    )


def _opened(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _store(request: Request) -> CredentialStore:
    store: CredentialStore = request.app.state.models.credentials
    return store
