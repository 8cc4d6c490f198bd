"""`/`: where links and forms lead to. Who is signed in is told so and can sign out; anybody else can sign in."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pulse.console.access import COOKIE, forget
from pulse.console.people.html import field, form, listing, page, paragraph, warning
from pulse.console.people.pages import guarded, people_of, read_form
from pulse.console.people.session import begin_session
from pulse.console.problems import STATUS
from pulse.core.errors import Denied, PulseError, Unauthenticated
from pulse.tenancy.access import Principal
from pulse.tenancy.people.attempts import TooManyAttempts
from pulse.tenancy.people.second_factor.store import SecondFactorRequired, SecondFactorWrong
from pulse.tenancy.people.sessions import csrf_token

HOME, SIGN_OUT = "/", "/sign-out"
# As long as what the API takes.
MAX_EMAIL, MAX_PASSWORD, MAX_CODE = 320, 1_000, 64
FIRST = "For the very first sign-in, open the link that was printed when Pulse started. It is in credentials.json, too."
ELSEWHERE = "Workflows and messages have no pages yet: see to them with the command pulse, or with the API at /api."


def home_routes() -> list[Route]:
    """The routes; the application's state has `people`, `audit` and `public_url`."""
    return [
        Route(HOME, guarded(show, "session:create"), methods=["GET"]),
        Route(HOME, guarded(sign_in, "session:create"), methods=["POST"]),
        Route(SIGN_OUT, guarded(sign_out, "profile:write", signed_in), methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    token = request.cookies.get(COOKIE)
    user = await people_of(request).sessions.user(token) if token else None
    if user is None or token is None:
        return _sign_in()
    places = await people_of(request).members.places(user.id)
    name = f"{user.first_name} {user.last_name}".strip()
    who = paragraph(f"You are signed in as {f'{name} ({user.email})' if name else user.email}.")
    roles = ["Administrator of this installation"] if user.is_system else []
    roles += [f"{organization.name}: {role}" for organization, role in places]
    return page("Pulse", who, listing(roles), paragraph(ELSEWHERE), form(SIGN_OUT, csrf_token(token), "Sign out"))


async def sign_in(request: Request) -> Response:
    given = await read_form(request)
    email, password, code = (given.get(name, "") for name in ("email", "password", "code"))
    if len(email) > MAX_EMAIL or len(password) > MAX_PASSWORD or len(code) > MAX_CODE:
        return _sign_in(Denied("That is longer than any mail address, password or code."))
    address = request.client.host if request.client is not None else "unknown"
    try:
        _, token = await people_of(request).sign_in(email, password, address, code or None)
    except (Denied, TooManyAttempts) as error:
        return _sign_in(error, email)
    response = RedirectResponse(HOME, 303)
    await begin_session(request, response, token)
    return response


async def signed_in(request: Request) -> Principal | None:
    """Whoever the browser's session speaks for, if it still does."""
    try:
        return await people_of(request).principal_of(request.cookies.get(COOKIE, ""))
    except Unauthenticated:
        return None


async def sign_out(request: Request) -> Response:
    given, token = await read_form(request), request.cookies.get(COOKIE)
    if token and given.get("token") == csrf_token(token):
        await people_of(request).sessions.end(token)
    response = RedirectResponse(HOME, 303)
    forget(response)
    return response


def _sign_in(wrong: PulseError | None = None, email: str = "") -> Response:
    needs_code = isinstance(wrong, SecondFactorRequired | SecondFactorWrong)
    asked = [
        field("Mail address", "email", email, type="email", autocomplete="username", required=""),
        field("Password", "password", type="password", autocomplete="current-password", required=""),
    ]
    if needs_code:
        asked.append(field("Code of your second factor, or a recovery code", "code", autocomplete="one-time-code"))
    status = 200 if wrong is None else next(status for kind, status, _ in STATUS if isinstance(wrong, kind))
    words = warning(wrong.message) if wrong is not None else ""
    return page("Sign in to Pulse", words, form(HOME, "", "Sign in", *asked), paragraph(FIRST), status=status)
