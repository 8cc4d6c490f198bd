"""Who may do what with models: their rows belong to an organization, or to the installation (`SYSTEM`).

Everybody reads and uses the installation's; its operator alone changes them. The operator speaks for the organization
that `organizationId` names and, where it names none, for the installation itself.
"""

from dataclasses import replace
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Request

from pulse.console.access import Check, may, right
from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound
from pulse.prompts.records import SYSTEM, Scope
from pulse.tenancy.access import Authenticator, Principal
from pulse.tenancy.store import TenancyStore


class Owned(Protocol):
    """A row of an organization, or of the installation."""

    @property
    def organization_id(self) -> str: ...

    @property
    def scope(self) -> Scope: ...


class Claim(Protocol):
    """A body that says whose its row is to be; None: it does not say."""

    @property
    def organization_id(self) -> str | None: ...

    @property
    def scope(self) -> Scope | None: ...


R = TypeVar("R", bound=Owned)


def may_with_models(action: str) -> Check:
    """A dependency as `may`; no environment matters, and the operator need not name an organization."""
    check = may(action, anywhere=True)

    async def placed(request: Request) -> Principal:
        principal = await check(request)
        if not principal.system:
            return principal
        return replace(principal, organization_id=await _named(principal, request))

    return right(action, placed)


async def _named(principal: Principal, request: Request) -> str:
    """The organization that the operator's request names, or SYSTEM. Raises NotFound."""
    organization, environment = (request.query_params.get(name) for name in ("organizationId", "environmentId"))
    if not organization:
        return SYSTEM
    authenticator: Authenticator = request.app.state.authenticator
    if environment:
        return (await authenticator.within(principal, organization, environment)).organization_id
    return (await _tenancy(request).organization(organization)).id


def changeable(found: R, principal: Principal) -> R:
    """What was found, where the principal may change it. Raises Forbidden for the installation's."""
    if found.scope == "system" and not principal.system:
        raise Forbidden("This belongs to the installation: only its operator changes it.")
    return found


async def owner_of(body: Claim, principal: Principal, request: Request) -> str:
    """Whose a new row is to be. Raises Forbidden, NotFound, InvalidFields."""
    if body.scope == "system":
        return _system(body, principal)
    here, named = principal.organization_id, body.organization_id
    if named is None:
        if here != SYSTEM:
            return here
        if body.scope is None:
            return SYSTEM
        raise _which_organization()
    if principal.system:
        named = (await _tenancy(request).organization(named)).id
    if here not in (named, SYSTEM):
        raise NotFound(f"There is no organization {body.organization_id!r}.")
    return named


def _system(body: Claim, principal: Principal) -> str:
    if not principal.system:
        raise Forbidden("Only the operator of the installation makes what belongs to it.")
    if body.organization_id is not None:
        words = "What belongs to the installation has no organization: leave this out."
        raise InvalidFields([Fault("organizationId", "not_allowed", words)])
    return SYSTEM


def stays(body: Claim, found: Owned, path: str = "scope") -> None:
    """Raises NotFound or InvalidFields (at `path`) where the body would move what was found to another owner."""
    if body.organization_id not in (None, found.organization_id):
        raise NotFound(f"There is no organization {body.organization_id!r}.")
    if body.scope not in (None, found.scope):
        words = f"This belongs to the {'installation' if found.scope == 'system' else 'organization'}, and stays so."
        raise InvalidFields([Fault(path, "cannot_change", words)])


def require_organization(scope: Scope | None, principal: Principal) -> None:
    """Raises InvalidFields where the operator wants to see an organization's rows, and does not say whose."""
    if scope == "organization" and principal.organization_id == SYSTEM:
        raise _which_organization()


def _which_organization() -> InvalidFields:
    return InvalidFields([Fault("organizationId", "missing", "Say which organization: organizationId.")])


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store


MayReadModels = Annotated[Principal, Depends(may_with_models("models:read"))]
MayWriteModels = Annotated[Principal, Depends(may_with_models("models:write"))]
MayReadCredentials = Annotated[Principal, Depends(may_with_models("credentials:read"))]
MayCreateCredentials = Annotated[Principal, Depends(may_with_models("credentials:create"))]
MayUpdateCredentials = Annotated[Principal, Depends(may_with_models("credentials:update"))]
MayDeleteCredentials = Annotated[Principal, Depends(may_with_models("credentials:delete"))]
MayValidateCredentials = Annotated[Principal, Depends(may_with_models("credentials:validate"))]
MayReadPrompts = Annotated[Principal, Depends(may("prompts:read"))]
MayWritePrompts = Annotated[Principal, Depends(may("prompts:write"))]
MayRunPrompts = Annotated[Principal, Depends(may("prompts:run"))]
