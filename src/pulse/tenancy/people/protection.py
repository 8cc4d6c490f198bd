"""Giving an account a second factor, and taking it away: what each needs, and which sessions end with it."""

from pulse.core.errors import Conflict, Fault, InvalidFields, NotFound
from pulse.tenancy.people.attempts import account_key, code_keys
from pulse.tenancy.people.records import User
from pulse.tenancy.people.sign_in import People


async def begin_second_factor(people: People, user: User, token: str, password: str | None) -> bytes:
    """A new secret. The session of `token` must be young, or the password is given.

    Raises Conflict where there is a second factor already, InvalidFields, TooManyAttempts.
    """
    if await people.second_factors.of(user.id) is not None:
        raise Conflict("This account has a second factor already: take it away first, with a code of it.")
    if password is not None:
        await _show_password(people, user, password)
    elif not await people.sessions.is_young(token):
        words = "You signed in more than ten minutes ago: give your password, or sign in again."
        raise InvalidFields([Fault("password", "missing", words)])
    return await people.second_factors.begin(user.id)


async def confirm_second_factor(people: People, user: User, code: str) -> tuple[list[str], str]:
    """The recovery codes, and the token of a new session: all others end, which were begun without a second factor.

    Raises InvalidFields, NotFound.
    """
    return await people.second_factors.confirm(user.id, code)


async def remove_second_factor(people: People, user: User, code: str) -> None:
    """Takes it away with a code of it, or a recovery code.

    Raises InvalidFields, NotFound, TooManyAttempts: a session that was stolen must not serve to guess a code.
    """
    factor = await people.second_factors.of(user.id)
    if factor is None:
        raise NotFound("This account has no second factor.")
    keys = [account_key(user.email), *code_keys(user.id)]
    await people.attempts.begin(keys)
    await people.second_factors.remove(factor, code)
    await people.attempts.succeeded(keys)


async def reset_second_factor(people: People, user_id: str) -> None:
    """Takes away somebody's second factor, signs them out, and forgives wrong codes. Raises NotFound."""
    user = await people.users.user(user_id)
    await people.second_factors.reset(user.id)
    await people.attempts.succeeded(code_keys(user.id))


async def _show_password(people: People, user: User, password: str) -> None:
    keys = [account_key(user.email)]
    await people.attempts.begin(keys)
    if not await people.passwords.fits(user.password, password):
        raise InvalidFields([Fault("password", "wrong_password", "This is not your password now.")])
    await people.attempts.succeeded(keys)
