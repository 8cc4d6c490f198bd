"""`/api/profile/second-factor`: one's own second factor; the operator takes away somebody else's."""

from typing import Any

from fastapi import APIRouter, Request, Response

from pulse.console.access import MayReadOwn, MayWriteOwn, MayWriteUsers, remember, token_of
from pulse.console.bodies import Body
from pulse.console.people.session import Code, Password
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.tenancy.people.protection import (
    begin_second_factor,
    confirm_second_factor,
    remove_second_factor,
    reset_second_factor,
)
from pulse.tenancy.people.second_factor.totp import address_of, as_text
from pulse.tenancy.people.sign_in import People

router = APIRouter(tags=["people"], route_class=GuardedRoute)
PATH = "/profile/second-factor"


class BeginBody(Body):
    """The password; it may be left out within ten minutes of the sign-in."""

    password: Password | None = None


class CodeBody(Body):
    """The code that the authenticator shows; to take a second factor away, a recovery code will do, too."""

    code: Code


@router.get(PATH)
async def second_factor(principal: MayReadOwn, request: Request) -> Any:
    """Whether there is one, since when, and how many recovery codes are left."""
    people = _people(request)
    factor = await people.second_factors.of(principal.user_id)
    if factor is None or factor.confirmed_at is None:
        return {"enabled": False, "confirmedAt": None, "recoveryCodesLeft": 0}
    left = await people.second_factors.codes_left(principal.user_id)
    return {"enabled": True, "confirmedAt": iso(factor.confirmed_at), "recoveryCodesLeft": left}


@router.post(PATH, status_code=201)
async def begin(body: BeginBody, principal: MayWriteOwn, request: Request) -> Any:
    """A new secret, shown this once. It is in force when a code of it was sent, within fifteen minutes."""
    people = _people(request)
    user = await people.users.user(principal.user_id)
    password = None if body.password is None else body.password.get_secret_value()
    secret = await begin_second_factor(people, user, token_of(request), password)
    return {"secret": as_text(secret), "uri": address_of(secret, user.email)}


@router.put(PATH)
async def confirm(body: CodeBody, principal: MayWriteOwn, request: Request, response: Response) -> Any:
    """Puts it in force; the recovery codes are shown this once. Signs out everywhere else, with a new cookie here."""
    people = _people(request)
    user = await people.users.user(principal.user_id)
    codes, token = await confirm_second_factor(people, user, body.code.get_secret_value())
    remember(response, request, token)
    return {"recoveryCodes": codes}


@router.delete(PATH, status_code=204)
async def remove(body: CodeBody, principal: MayWriteOwn, request: Request) -> None:
    people = _people(request)
    user = await people.users.user(principal.user_id)
    await remove_second_factor(people, user, body.code.get_secret_value())


@router.delete("/users/{user_id}/second-factor", status_code=204)
async def reset(user_id: str, _principal: MayWriteUsers, request: Request) -> None:
    """For somebody who has lost both the authenticator and the recovery codes: signs them out, too."""
    await reset_second_factor(_people(request), user_id)


def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people
