"""`/api/session/reset`: a new password for who has forgotten theirs, by a link in a mail.

Whether an address is known shows in nothing: the answer is always the same, and is given before anything is looked up.
"""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, BackgroundTasks, Depends, Request
from pydantic import Field

from pulse.console.access import open_to_all
from pulse.console.bodies import Body
from pulse.console.people import letters
from pulse.console.people.invitations import Token
from pulse.console.people.session import Password
from pulse.console.routes import GuardedRoute
from pulse.core.errors import PulseError
from pulse.mail.port import Mailer
from pulse.tenancy.people.arrivals import choose_password, forgotten
from pulse.tenancy.people.attempts import address_key, mail_key
from pulse.tenancy.people.sign_in import People

log = structlog.get_logger(__name__)
router = APIRouter(tags=["people"], route_class=GuardedRoute)


class ForgottenBody(Body):
    """The mail address of the account."""

    email: Annotated[str, Field(min_length=1, max_length=320)]


class ResetBody(Body):
    """The token of the link in the mail, and the new password."""

    token: Token
    password: Password


@router.post("/session/reset", status_code=202, dependencies=[Depends(open_to_all("session:reset"))])
async def forgot(body: ForgottenBody, request: Request, background: BackgroundTasks) -> Any:
    """Mails a link to choose a new password, if there is an account of that address with a password."""
    people: People = request.app.state.people
    address = request.client.host if request.client is not None else "unknown"
    await people.attempts.begin([mail_key(body.email), address_key(address)])
    background.add_task(_write_to, people, request.app.state.mailer, request.app.state.public_url, body.email)
    return {"status": "accepted"}


@router.put("/session/reset", status_code=204, dependencies=[Depends(open_to_all("session:reset"))])
async def reset(body: ResetBody, request: Request) -> None:
    """Sets the password and ends all sessions of the user, who then signs in with it."""
    await choose_password(request.app.state.people, body.token, body.password.get_secret_value())


async def _write_to(people: People, mailer: Mailer, url: str, email: str) -> None:
    """After the answer: neither its words nor its time tell what happens here."""
    try:
        found = await forgotten(people, email)
        if found is not None:
            user, token = found
            await letters.send(mailer, letters.reset(user.email, token, url))
    except PulseError as error:
        log.warning("reset_mail_not_sent", reason=error.message)
