"""`/api/session`: signing in with mail address and password, and out; `/api/profile`: one's own name and password."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, SecretStr

from pulse.console.access import COOKIE, MayReadOwn, MayWriteOwn, forget, open_to_all, remember, token_of
from pulse.console.bodies import Body
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.tenancy.people.records import User
from pulse.tenancy.people.sessions import csrf_token
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.roles import ROLES

router = APIRouter(tags=["people"], route_class=GuardedRoute)

Password = Annotated[SecretStr, Field(min_length=1, max_length=1_000)]
# Six digits, or sixteen letters and digits; with the spaces and dashes that people type.
Code = Annotated[SecretStr, Field(min_length=1, max_length=64, examples=["123456"])]
PersonName = Annotated[str, Field(max_length=100)]
# A picture that is small enough to be shown in lists: an address, or the picture itself as a data URL.
Avatar = Annotated[str, Field(max_length=100_000, pattern=r"^(https://|data:image/(png|jpeg|gif|webp);base64,)")]


class SignInBody(Body):
    """Mail address and password; and where the account has a second factor, a code of it or a recovery code."""

    email: Annotated[str, Field(min_length=1, max_length=320)]
    password: Password
    code: Code | None = None


class ProfileBody(Body):
    """What changes; what is left out stays. `avatar` null takes it away."""

    first_name: PersonName | None = None
    last_name: PersonName | None = None
    avatar: Avatar | None = None


class PasswordBody(Body):
    """The password that is, unless there is none yet, and the one that shall be."""

    old_password: Password | None = None
    new_password: Password


@router.post("/session", dependencies=[Depends(open_to_all("session:create"))])
async def sign_in(body: SignInBody, request: Request, response: Response) -> Any:
    """Signs in. The answer sets the cookie, and has the token that every change must show (`X-CSRF-Token`)."""
    address = request.client.host if request.client is not None else "unknown"
    code = None if body.code is None else body.code.get_secret_value()
    user, token = await _people(request).sign_in(body.email, body.password.get_secret_value(), address, code)
    await begin_session(request, response, token)
    return await _session(user, token, request)


@router.get("/session")
async def session(_principal: MayReadOwn, request: Request) -> Any:
    token = token_of(request)
    return await _session(await _people(request).user_of(token), token, request)


@router.delete("/session", status_code=204)
async def sign_out(_principal: MayWriteOwn, request: Request, response: Response) -> None:
    await _people(request).sessions.end(token_of(request))
    forget(response)


@router.get("/profile")
async def profile(principal: MayReadOwn, request: Request) -> Any:
    user = await _people(request).users.user(principal.user_id)
    return {"profile": _profile(user), "user": _user(user)}


@router.put("/profile")
async def change_profile(body: ProfileBody, principal: MayWriteOwn, request: Request) -> Any:
    given = body.model_dump(exclude_unset=True)
    values = {name: value for name, value in given.items() if value is not None or name == "avatar"}
    return {"profile": _profile(await _people(request).users.change(principal.user_id, **values))}


@router.put("/profile/password", status_code=204)
async def change_password(body: PasswordBody, principal: MayWriteOwn, request: Request, response: Response) -> None:
    """Signs out everywhere else. The answer sets a new cookie, whose csrfToken is another one, too."""
    user = await _people(request).users.user(principal.user_id)
    old = None if body.old_password is None else body.old_password.get_secret_value()
    new = body.new_password.get_secret_value()
    remember(response, request, await _people(request).change_password(user, old, new, token_of(request)))


async def begin_session(request: Request, response: Response, token: str) -> None:
    """Gives the browser the cookie of a new session."""
    if COOKIE in request.cookies:
        # The browser forgets it now, and nobody else should have it.
        await _people(request).sessions.end(request.cookies[COOKIE])
    remember(response, request, token)


async def _session(user: User, token: str, request: Request) -> dict[str, Any]:
    places = await _people(request).members.places(user.id)
    shown = [{"id": found.id, "name": found.name, "role": role} for found, role in places]
    role = {"role": ROLES[0]} if user.is_system else {}
    return {"user": {**_user(user), **role}, "organizations": shown, "csrfToken": csrf_token(token)}


def _user(user: User) -> dict[str, Any]:
    return {"id": user.id, "email": user.email, "name": f"{user.first_name} {user.last_name}".strip()}


def _profile(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "userId": user.id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "avatar": user.avatar,
        "createdAt": iso(user.created_at),
        "updatedAt": iso(user.updated_at),
    }


def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people
