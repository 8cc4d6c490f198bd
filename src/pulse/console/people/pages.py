"""`/sign-in`, `/invitation`, `/reset`: the pages that links lead to, each with one form.

To look at a page uses nothing up: mail scanners and browsers open links ahead of people. Only its form does, which is
taken from this site's own pages alone.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pulse.console.access import refuse_other_sites
from pulse.console.people.html import HEADERS, faults, field, form, page, paragraph, to_pulse
from pulse.console.people.session import begin_session
from pulse.console.problems import STATUS, NotJson
from pulse.console.routes import Asked
from pulse.core.errors import Fault, InvalidFields, PulseError, TooLarge
from pulse.tenancy.access import Principal
from pulse.tenancy.people.arrivals import accept, choose_password, invited
from pulse.tenancy.people.passwords import LONGEST, SHORTEST
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.people.tickets import TicketRefused
from pulse.tenancy.store import TenancyStore

Handler = Callable[[Request], Awaitable[Response]]
Who = Callable[[Request], Awaitable[Principal | None]]
Form = dict[str, str]
SIGN_IN, INVITATION, RESET = "/sign-in", "/invitation", "/reset"
MAX_FORM_BYTES, MAX_FIELDS, MAX_NAME = 16 << 10, 10, 100
LENGTH = {"required": "", "minlength": str(SHORTEST), "maxlength": str(LONGEST)}
PASSWORD = {"type": "password", "autocomplete": "new-password", **LENGTH}


def page_routes() -> list[Route]:
    """The routes; the application's state has `people`, `tenancy`, `audit` and `public_url`."""
    pages: dict[str, tuple[Handler, Handler, str]] = {
        SIGN_IN: (show_sign_in, sign_in, "session:create"),
        INVITATION: (show_invitation, accept_invitation, "invitations:accept"),
        RESET: (show_reset, reset, "session:reset"),
    }
    shown = [Route(path, guarded(show, action), methods=["GET"]) for path, (show, _, action) in pages.items()]
    return shown + [Route(path, guarded(take, action), methods=["POST"]) for path, (_, take, action) in pages.items()]


async def show_sign_in(request: Request) -> Response:
    token = _token(request)
    ticket = await people_of(request).tickets.find(token, "sign_in")
    words = paragraph(f"This link signs you in as {ticket.email}, once.")
    return page("Sign in to Pulse", words, form(SIGN_IN, token, "Sign in"))


async def sign_in(request: Request) -> Response:
    given = await read_form(request)
    session = await people_of(request).redemption.sign_in(given.get("token", ""))
    return await _come_in(request, session)


async def show_invitation(request: Request) -> Response:
    return await _invitation(request, {"token": _token(request)})


async def accept_invitation(request: Request) -> Response:
    given, people = await read_form(request), people_of(request)
    names = {name: given.get(name, "").strip() for name in ("first_name", "last_name")}
    try:
        if any(len(name) > MAX_NAME for name in names.values()):
            raise InvalidFields([Fault("name", "invalid_length", f"A name has at most {MAX_NAME} characters.")])
        arrival = await accept(people, given.get("token", ""), given.get("password"), **names)
    except InvalidFields as error:
        return await _invitation(request, given, error.faults)
    if arrival.session is not None:
        return await _come_in(request, arrival.session)
    name = await _organization(request, arrival.invitation.organization_id or "")
    words = paragraph(f"You belong to {name} now. Sign in as {arrival.user.email}, with the password that you have.")
    return page("Welcome", words, to_pulse("Go to Pulse"))


async def show_reset(request: Request) -> Response:
    return await _reset(request, _token(request))


async def reset(request: Request) -> Response:
    given = await read_form(request)
    token = given.get("token", "")
    try:
        await choose_password(people_of(request), token, given.get("password", ""))
    except InvalidFields as error:
        return await _reset(request, token, error.faults)
    words = paragraph("You are signed out everywhere. Sign in with your new password.")
    return page("Your password is changed", words, to_pulse("Go to Pulse"))


async def _invitation(request: Request, given: Form, wrong: list[Fault] | None = None) -> Response:
    token = given.get("token", "")
    ticket, user = await invited(people_of(request), token)
    name = await _organization(request, ticket.organization_id or "")
    words = paragraph(f"You, {ticket.email}, are invited to {name} with the role {ticket.role}.")
    fields = () if user is not None else _of_newcomer(ticket.email, given)
    shown = form(INVITATION, token, "Accept the invitation", *fields)
    return page(f"Join {name}", words, faults(wrong or ()), shown, status=422 if wrong else 200)


def _of_newcomer(email: str, given: Form) -> tuple[str, ...]:
    longest = str(MAX_NAME)
    return (
        _account(email),
        field("First name", "first_name", given.get("first_name", ""), autocomplete="given-name", maxlength=longest),
        field("Last name", "last_name", given.get("last_name", ""), autocomplete="family-name", maxlength=longest),
        field(f"A password for Pulse, at least {SHORTEST} characters", "password", **PASSWORD),
    )


async def _reset(request: Request, token: str, wrong: list[Fault] | None = None) -> Response:
    ticket = await people_of(request).tickets.find(token, "reset")
    new = field(f"New password, at least {SHORTEST} characters", "password", **PASSWORD)
    shown = form(RESET, token, "Set the password", _account(ticket.email), new)
    return page("Choose a new password", faults(wrong or ()), shown, status=422 if wrong else 200)


def _account(email: str) -> str:
    """Tells a browser which account it keeps the password of."""
    return field("Mail address", "account", email, type="email", autocomplete="username", readonly="readonly")


async def _come_in(request: Request, session: str) -> Response:
    response = RedirectResponse("/", 303)
    await begin_session(request, response, session)
    return response


def guarded(handle: Handler, action: str, who: Who | None = None) -> Handler:
    """A page's handler with what every page does before and after; `who` finds out for whom it is, if for anybody."""

    async def handled(request: Request) -> Response:
        asked = Asked(request, action)
        try:
            async with asked:
                if request.method == "POST":
                    refuse_other_sites(request)
                asked.let_in(None if who is None else await who(request))
                with asked.acting():
                    response = await handle(request)
        except PulseError as error:
            response = _refusal(error)
        response.headers.update(HEADERS)
        return response

    return handled


def _refusal(error: PulseError) -> Response:
    status, title = next(((s, t) for kind, s, t in STATUS if isinstance(error, kind)), (500, "Pulse failed"))
    title = "This link does not work" if isinstance(error, TicketRefused) else title
    return page(title, paragraph(error.message), to_pulse("Go to Pulse"), status=status)


def _token(request: Request) -> str:
    return request.query_params.get("token", "")


async def read_form(request: Request) -> Form:
    """The fields of a form. Raises TooLarge, and InvalidInput for what is no form of these pages."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise NotJson("This page takes its own form only.")
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_FORM_BYTES:
            raise TooLarge(f"This form has more than {MAX_FORM_BYTES} bytes.", limit=MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        pairs = [("", "\0")]
    if any("\0" in name + value for name, value in pairs):
        raise InvalidFields([Fault("form", "invalid_text", "This is no form of this page: open the link again.")])
    return dict(pairs)


async def _organization(request: Request, organization_id: str) -> str:
    store: TenancyStore = request.app.state.tenancy
    return (await store.organization(organization_id)).name


def people_of(request: Request) -> People:
    people: People = request.app.state.people
    return people
