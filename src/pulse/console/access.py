"""Who asks, and for which organization and environment: every route names the right that it needs."""

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound, Unauthenticated
from pulse.tenancy.access import Authenticator, Principal, authorize
from pulse.tenancy.people.sessions import ABSOLUTE_MS, csrf_token
from pulse.tenancy.people.sign_in import NOBODY, People
from pulse.tenancy.store import TenancyStore

T = TypeVar("T")
Check = Callable[[Request], Awaitable[Principal]]
COOKIE = "rocketwave_session"
HEADER = "x-csrf-token"
SAFE = {"GET", "HEAD", "OPTIONS"}


def right(action: str, check: Callable[[Request], Awaitable[T]]) -> Callable[[Request], Awaitable[T]]:
    """The check of a right, which is made once a request, however many ask: its route first, its dependencies then."""

    async def once(request: Request) -> T:
        granted: dict[object, T] = request.scope.setdefault("pulse.granted", {})
        if once not in granted:
            granted[once] = await check(request)
        return granted[once]

    setattr(once, "permission", action)  # noqa: B010 - read by routes.py, and by the test that no route lacks one
    return once


def may(action: str, *, anywhere: bool = False, within: str | None = None) -> Check:
    """A dependency that lets in whoever may do `action`; `anywhere`: it concerns no single environment.

    `within`: the part of the path that says which organization.
    """

    async def check(request: Request) -> Principal:
        authenticator: Authenticator = request.app.state.authenticator
        wanted = (request.query_params.get("organizationId"), request.query_params.get("environmentId"))
        if within is not None:
            wanted = (request.path_params[within], wanted[1])
        # Who asks is kept for the audit, which is told of what they are refused.
        person = request.state.principal = await signed_in(request) if is_person(request) else None
        if person is not None and not person.system:
            refuse_nul(request)
            people: People = request.app.state.people
            principal = request.state.principal = await people.within(person, *wanted, anywhere=anywhere)
            authorize(principal, action)
            return principal
        principal = person or await authenticator.authenticate(request.headers.get("authorization"))
        request.state.principal = principal
        authorize(principal, action)
        refuse_nul(request)
        return principal if anywhere and principal.system else await authenticator.within(principal, *wanted)

    return right(action, check)


def may_in_organization(action: str) -> Check:
    """A dependency as `may` for what concerns an organization whole; its operator says which, by id or name."""
    check = may(action, anywhere=True)

    async def placed(request: Request) -> Principal:
        principal = await check(request)
        if not principal.system:
            return principal
        wanted = request.query_params.get("organizationId")
        if not wanted:
            raise InvalidFields([Fault("organizationId", "missing", "Say which organization: organizationId.")])
        tenancy: TenancyStore = request.app.state.tenancy
        return replace(principal, organization_id=(await tenancy.organization(wanted)).id)

    return right(action, placed)


def may_with_organization(action: str) -> Check:
    """A dependency as `may` for the organization that the path names as `organization_id`, by id or name."""
    check = may(action, anywhere=True, within="organization_id")

    async def placed(request: Request) -> Principal:
        principal, named = await check(request), request.path_params["organization_id"]
        elsewhere = request.query_params.get("organizationId")
        if elsewhere not in (None, named):
            raise NotFound(f"There is no organization {elsewhere!r} at this address.")
        tenancy: TenancyStore = request.app.state.tenancy
        here = (await tenancy.organization(named)).id if principal.system else principal.organization_id
        return replace(principal, organization_id=here)

    return right(action, placed)


def open_to_all(action: str) -> Callable[[Request], Awaitable[Any]]:
    """A dependency for what anybody may try, unless another site's page sends it."""

    async def check(request: Request) -> None:
        refuse_other_sites(request)
        refuse_nul(request)

    return right(action, check)


def own(action: str) -> Check:
    """A dependency that lets in whoever is signed in, for what concerns nobody else."""

    async def check(request: Request) -> Principal:
        if "authorization" in request.headers:
            raise Forbidden("An API key is nobody in person: sign in.")
        principal = request.state.principal = await signed_in(request)
        refuse_nul(request)
        return principal

    return right(action, check)


def own_environment(principal: Principal, organization_id: str | None, environment_id: str | None) -> str:
    """The environment that a body means: its principal's. Raises NotFound, or Forbidden, where it names another."""
    if organization_id not in (None, principal.organization_id):
        raise NotFound(f"There is no organization {organization_id!r}.", elsewhere=True)
    if environment_id not in (None, principal.environment_id):
        raise Forbidden("This key belongs to another environment.")
    return principal.environment_id


async def placed_elsewhere(request: Request, principal: Principal, environment: str) -> Principal:
    """The principal in another environment of its organization, named by id or name. Raises NotFound."""
    if principal.system:
        authenticator: Authenticator = request.app.state.authenticator
        return await authenticator.within(principal, principal.organization_id, environment)
    people: People = request.app.state.people
    return await people.within(principal, principal.organization_id, environment, anywhere=False)


def revision_of(request: Request) -> int | None:
    """The revision in `If-Match`, or None where the write depends on none; -1 for what is no revision of ours."""
    text = request.headers.get("if-match", "*").strip()
    found = re.fullmatch(r'(?:W/)?"?([0-9]{1,9})"?', text)
    return int(found[1]) if found else None if text == "*" else -1


def require_here(record_id: str, environment_id: str, principal: Principal) -> None:
    """Raises NotFound where what was found belongs to another environment than the principal's."""
    if environment_id != principal.environment_id:
        raise NotFound(f"There is nothing under {record_id!r} in this environment.", elsewhere=True)


def refuse_nul(request: Request) -> None:
    """Raises NotFound or InvalidFields for an address with NUL characters, which no database can look for."""
    if "\0" in request.scope["path"]:
        raise NotFound("There is nothing at this address.")
    for name, value in request.query_params.multi_items():
        if "\0" in name + value:
            raise InvalidFields([Fault(name.replace("\0", ""), "invalid_text", "NUL characters cannot be stored.")])


def is_person(request: Request) -> bool:
    """Whether a request speaks for a session: it has the cookie, and no key."""
    return "authorization" not in request.headers and COOKIE in request.cookies


def token_of(request: Request) -> str:
    """The session's token. Raises Unauthenticated without one, Forbidden for what another site may have sent."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise Unauthenticated(NOBODY)
    if request.method not in SAFE:
        refuse_other_sites(request)
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), csrf_token(token).encode()):
            raise Forbidden("Send the csrfToken of GET /api/session as X-CSRF-Token with every change.")
    return token


def refuse_other_sites(request: Request) -> None:
    """Raises Forbidden for what a page of another origin made a browser send."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = {request.headers.get("host", ""), urlsplit(request.app.state.public_url).netloc} - {""}
    if site not in (None, "same-origin", "none") or (origin is not None and _host(origin) not in own):
        raise Forbidden("This came from a page of another site.")


def _host(origin: str) -> str:
    """Host and port of an origin; of `null`, and of what is none, nothing."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


async def signed_in(request: Request) -> Principal:
    """Whom the session speaks for. Raises Unauthenticated, Forbidden."""
    people: People = request.app.state.people
    return await people.principal_of(token_of(request))


def remember(response: Response, request: Request, token: str) -> None:
    """Gives the browser the cookie."""
    secure, lasts_s = is_secure(request), ABSOLUTE_MS // 1000
    response.set_cookie(COOKIE, token, max_age=lasts_s, httponly=True, samesite="lax", secure=secure)


def is_secure(request: Request) -> bool:
    """Whether the browser speaks https, so that a cookie need never go another way."""
    return request.url.scheme == "https" or bool(request.app.state.public_url.startswith("https:"))


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


MayReadWorkflows = Annotated[Principal, Depends(may("workflows:read"))]
MayWriteWorkflows = Annotated[Principal, Depends(may("workflows:write"))]
MayCopyWorkflows = Annotated[Principal, Depends(may("workflows:copy"))]
MayTriggerWorkflows = Annotated[Principal, Depends(may("workflows:trigger"))]
MayTestWorkflows = Annotated[Principal, Depends(may("workflows:test"))]
MayReadMessages = Annotated[Principal, Depends(may("messages:read"))]
MayReplayMessages = Annotated[Principal, Depends(may("messages:replay"))]
MayCancelMessages = Annotated[Principal, Depends(may("messages:cancel"))]
MayDeleteMessages = Annotated[Principal, Depends(may("messages:delete"))]
MayReadOrganizations = Annotated[Principal, Depends(may("organizations:read", anywhere=True))]
MayCreateOrganizations = Annotated[Principal, Depends(may("organizations:create", anywhere=True))]
MayReadEnvironments = Annotated[Principal, Depends(may_in_organization("environments:read"))]
MayCreateEnvironments = Annotated[Principal, Depends(may("environments:create", anywhere=True))]
MayReadOrganization = Annotated[Principal, Depends(may_with_organization("environments:read"))]
MayUpdateOrganization = Annotated[Principal, Depends(may_with_organization("organizations:update"))]
MayDeleteOrganization = Annotated[Principal, Depends(may_with_organization("organizations:delete"))]
MayUpdateEnvironments = Annotated[Principal, Depends(may_in_organization("environments:update"))]
MayDeleteEnvironments = Annotated[Principal, Depends(may_in_organization("environments:delete"))]
MayReadTeams = Annotated[Principal, Depends(may_in_organization("teams:read"))]
MayWriteTeams = Annotated[Principal, Depends(may_in_organization("teams:write"))]
MayReadKeys = Annotated[Principal, Depends(may("api-keys:read"))]
MayWriteKeys = Annotated[Principal, Depends(may("api-keys:write"))]
MayReadSources = Annotated[Principal, Depends(may("sources:read"))]
MayWriteSources = Annotated[Principal, Depends(may("sources:write"))]
MayReadUsers = Annotated[Principal, Depends(may("users:read", anywhere=True))]
MayCreateUsers = Annotated[Principal, Depends(may("users:create", anywhere=True))]
MayWriteUsers = Annotated[Principal, Depends(may("users:write", anywhere=True))]
MayReadMembers = Annotated[Principal, Depends(may_in_organization("members:read"))]
MayWriteMembers = Annotated[Principal, Depends(may_in_organization("members:write"))]
MayReadInvitations = Annotated[Principal, Depends(may_in_organization("invitations:read"))]
MayReadOwn = Annotated[Principal, Depends(own("profile:read"))]
MayWriteOwn = Annotated[Principal, Depends(own("profile:write"))]
MayReadUsage = Annotated[Principal, Depends(may_in_organization("usage:read"))]
MayReadSubscription = Annotated[Principal, Depends(may_with_organization("subscriptions:read"))]
MayWriteSubscription = Annotated[Principal, Depends(may_with_organization("subscriptions:write"))]
MayReadBought = Annotated[Principal, Depends(may_in_organization("subscriptions:read"))]
MayBuy = Annotated[Principal, Depends(may_in_organization("subscriptions:buy"))]
MayReadPlans = Annotated[Principal, Depends(may("plans:read", anywhere=True))]
MayWritePlans = Annotated[Principal, Depends(may("plans:write", anywhere=True))]
MayReadVariables = Annotated[Principal, Depends(may("variables:read"))]
MayWriteVariables = Annotated[Principal, Depends(may("variables:write"))]
