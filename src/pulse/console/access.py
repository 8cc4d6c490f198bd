"""Who asks, and for which organization and environment: every route names the right that it needs."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound
from pulse.tenancy.access import Authenticator, Principal, authorize

Check = Callable[[Request], Awaitable[Principal]]


def may(action: str, *, anywhere: bool = False) -> Check:
    """A dependency that lets in whoever may do `action`; `anywhere`: it concerns no single environment."""

    async def check(request: Request) -> Principal:
        authenticator: Authenticator = request.app.state.authenticator
        principal = await authenticator.authenticate(request.headers.get("authorization"))
        authorize(principal, action)
        refuse_nul(request)
        if anywhere and principal.system:
            return principal
        query = request.query_params
        return await authenticator.within(principal, query.get("organizationId"), query.get("environmentId"))

    setattr(check, "permission", action)  # noqa: B010 - read by the test that no route lacks one
    return check


def own_environment(principal: Principal, organization_id: str | None, environment_id: str | None) -> str:
    """The environment that a body means: its principal's. Raises NotFound, or Forbidden, where it names another."""
    if organization_id not in (None, principal.organization_id):
        raise NotFound(f"There is no organization {organization_id!r}.")
    if environment_id not in (None, principal.environment_id):
        raise Forbidden("This key belongs to another environment.")
    return principal.environment_id


def revision_of(request: Request) -> int | None:
    """The revision in `If-Match`, or None where the write depends on none; -1 for what is no revision of ours."""
    text = request.headers.get("if-match", "*").strip()
    found = re.fullmatch(r'(?:W/)?"?([0-9]{1,9})"?', text)
    return int(found[1]) if found else None if text == "*" else -1


def require_here(record_id: str, environment_id: str, principal: Principal) -> None:
    """Raises NotFound where what was found belongs to another environment than the principal's."""
    if environment_id != principal.environment_id:
        raise NotFound(f"There is nothing under {record_id!r} in this environment.")


def refuse_nul(request: Request) -> None:
    """Raises NotFound or InvalidFields for an address with NUL characters, which no database can look for."""
    if "\0" in request.scope["path"]:
        raise NotFound("There is nothing at this address.")
    for name, value in request.query_params.multi_items():
        if "\0" in name + value:
            raise InvalidFields([Fault(name.replace("\0", ""), "invalid_text", "NUL characters cannot be stored.")])


MayReadWorkflows = Annotated[Principal, Depends(may("workflows:read"))]
MayWriteWorkflows = Annotated[Principal, Depends(may("workflows:write"))]
MayTriggerWorkflows = Annotated[Principal, Depends(may("workflows:trigger"))]
MayTestWorkflows = Annotated[Principal, Depends(may("workflows:test"))]
MayReadMessages = Annotated[Principal, Depends(may("messages:read"))]
MayReplayMessages = Annotated[Principal, Depends(may("messages:replay"))]
MayCancelMessages = Annotated[Principal, Depends(may("messages:cancel"))]
MayDeleteMessages = Annotated[Principal, Depends(may("messages:delete"))]
MayReadOrganizations = Annotated[Principal, Depends(may("organizations:read", anywhere=True))]
MayCreateOrganizations = Annotated[Principal, Depends(may("organizations:create", anywhere=True))]
MayReadEnvironments = Annotated[Principal, Depends(may("environments:read", anywhere=True))]
MayCreateEnvironments = Annotated[Principal, Depends(may("environments:create", anywhere=True))]
MayReadKeys = Annotated[Principal, Depends(may("api-keys:read"))]
MayWriteKeys = Annotated[Principal, Depends(may("api-keys:write"))]
MayReadSources = Annotated[Principal, Depends(may("sources:read"))]
MayWriteSources = Annotated[Principal, Depends(may("sources:write"))]
MayReadVariables = Annotated[Principal, Depends(may("variables:read"))]
MayWriteVariables = Annotated[Principal, Depends(may("variables:write"))]
