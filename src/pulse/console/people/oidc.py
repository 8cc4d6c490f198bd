"""`/api/session/oidc`: signing in with the identity provider; `/api/session/ways`: how one can sign in here."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulse.console.access import COOKIE, is_secure, open_to_all, refuse_nul, remember, right
from pulse.console.routes import GuardedRoute
from pulse.core.errors import NotFound
from pulse.tenancy.audit.act import Act, Actor, acting
from pulse.tenancy.audit.audit import Audit
from pulse.tenancy.people.oidc.sign_in import OidcSignIn, Returned
from pulse.tenancy.people.oidc.store import LASTS_MS
from pulse.tenancy.people.sign_in import People

PATH = "/session/oidc"
OWN_COOKIE = "rocketwave_oidc"
COOKIE_PATH = f"/api{PATH}"
RETURNED = ("state", "code", "error", "iss")
Text = Annotated[str, Query(max_length=4_096)]
# The address has a code in it, or what leads to one.
HEADERS = {"Referrer-Policy": "no-referrer"}


class ReturnRoute(GuardedRoute):
    """Where the provider sends the browser: it may add parameters of its own, which mean nothing (RFC 6749, 4.1.2)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def without_others(request: Request) -> Response:
            known = [(name, value) for name, value in request.query_params.multi_items() if name in RETURNED]
            scope = {**request.scope, "query_string": urlencode(known).encode()}
            return await handle(Request(scope, request.receive))

        return without_others


router = APIRouter(tags=["people"], route_class=GuardedRoute)
open_to_browsers = open_to_all("session:read")


async def _from_the_provider(request: Request) -> None:
    """As `open_to_all`, for what another site, the provider, sends a browser to."""
    refuse_nul(request)


from_the_provider = right("session:read", _from_the_provider)


@router.get("/session/ways", dependencies=[Depends(open_to_browsers)])
async def ways(request: Request) -> Any:
    """How one can sign in: with a password always; with an identity provider where one is configured."""
    oidc: OidcSignIn | None = request.app.state.oidc
    return {"password": True, "oidc": None if oidc is None else {"name": oidc.name, "path": COOKIE_PATH}}


@router.get(PATH, dependencies=[Depends(open_to_browsers)], status_code=303, response_class=RedirectResponse)
async def begin(request: Request) -> Response:
    """Sends the browser to the identity provider, with a cookie that its answer must come back with."""
    where, token = await _oidc(request).begin(_return_address(request), _address(request))
    response = RedirectResponse(where, 303, HEADERS)
    response.set_cookie(
        OWN_COOKIE,
        token,
        max_age=LASTS_MS // 1000,
        path=COOKIE_PATH,
        httponly=True,
        # Strict would not come back from another site.
        samesite="lax",
        secure=is_secure(request),
    )
    return response


async def finish(request: Request, state: Text = "", code: Text = "", error: Text = "", iss: Text = "") -> Response:
    """Signs in whoever the identity provider says, and goes on to the console."""
    people: People = request.app.state.people
    token, returned = request.cookies.get(OWN_COOKIE, ""), Returned(state, code, error, iss)
    oidc, address = _oidc(request), _address(request)
    # A GET as the others it is not: what it changes is written down as for a sign-in with a password.
    audit: Audit = request.app.state.audit
    where, now = f"{COOKIE_PATH}/callback", audit.log.now_ms()
    act = Act(Actor("anyone"), "session:create", now, method="GET", path=where, address=address)
    with acting(act):
        _, session = await oidc.finish(token, returned, _return_address(request), address)
    if COOKIE in request.cookies:
        # The browser forgets it now, and nobody else should have it.
        await people.sessions.end(request.cookies[COOKIE])
    response = RedirectResponse("/", 303, HEADERS)
    response.delete_cookie(OWN_COOKIE, path=COOKIE_PATH, httponly=True, samesite="lax")
    remember(response, request, session)
    return response


router.add_api_route(
    f"{PATH}/callback",
    finish,
    methods=["GET"],
    dependencies=[Depends(from_the_provider)],
    status_code=303,
    response_class=RedirectResponse,
    route_class_override=ReturnRoute,
)


def _oidc(request: Request) -> OidcSignIn:
    oidc: OidcSignIn | None = request.app.state.oidc
    if oidc is None:
        words = (
            "No identity provider is configured: whoever runs Pulse sets PULSE_OIDC_ISSUER and PULSE_OIDC_CLIENT_ID."
        )
        raise NotFound(words)
    return oidc


def _return_address(request: Request) -> str:
    """Where the provider sends the browser: of the installation's own address, whatever a request says of its host."""
    return f"{str(request.app.state.public_url).rstrip('/')}{COOKIE_PATH}/callback"


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"
