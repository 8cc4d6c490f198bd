"""Signing in with the identity provider: from the button to a session."""

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from pulse.core.errors import Conflict, InvalidFields, Unauthenticated
from pulse.tenancy.people.attempts import address_key
from pulse.tenancy.people.oidc.asking import is_state_of, new_token, request_id
from pulse.tenancy.people.oidc.provider import Provider
from pulse.tenancy.people.oidc.refusals import (
    AccountDisabled,
    AccountTaken,
    MailNotVerified,
    NoAccount,
    ProviderFailed,
    ProviderRefused,
    SignInVoid,
)
from pulse.tenancy.people.oidc.store import OidcStore
from pulse.tenancy.people.oidc.tokens import Claims
from pulse.tenancy.people.records import User
from pulse.tenancy.people.sign_in import People

T = TypeVar("T")


@dataclass(frozen=True)
class Returned:
    """What the provider sent the browser back with (OpenID Connect Core 3.1.2.5 and 6; RFC 9207 for `issuer`)."""

    state: str
    code: str = ""
    error: str = ""
    issuer: str = ""


class OidcSignIn:
    """The way in by one identity provider. Each sign-in that comes to nothing counts for its address as a failure."""

    def __init__(self, provider: Provider, store: OidcStore, people: People) -> None:
        self._provider = provider
        self._store = store
        self._people = people

    @property
    def name(self) -> str:
        """What the provider is called for people."""
        return self._provider.client.name or "single sign-on"

    async def begin(self, redirect_uri: str, address: str) -> tuple[str, str]:
        """Where the browser goes, and the token of its cookie. Raises ProviderFailed, TooManyAttempts."""
        token = new_token()
        await self._people.attempts.begin([address_key(address)])
        where = await self._not_counted(address, self._provider.address(redirect_uri, token))
        await self._store.begin(request_id(token))
        return where, token

    async def finish(self, token: str, returned: Returned, redirect_uri: str, address: str) -> tuple[User, str]:
        """The user and a new session's token.

        Raises SignInVoid where this is not what that browser began, or not for the first time; other refusals where the
        provider, or this installation, lets nobody in.
        """
        if not token or not is_state_of(token, returned.state):
            raise SignInVoid
        await self._store.end(request_id(token))
        if returned.issuer not in ("", self._provider.client.issuer):
            raise SignInVoid
        if returned.error or not returned.code:
            # Only what a specification can have named is repeated: anybody may write such an address.
            known = re.fullmatch(r"[a-z_]{1,40}", returned.error, re.ASCII)
            raise ProviderRefused(
                f"The identity provider did not sign you in{f' ({returned.error})' if known else ''}: begin again, or "
                "ask whoever administers it."
            )
        redeeming = self._provider.redeem(returned.code, redirect_uri, token)
        user = await self._user(await self._not_counted(address, redeeming))
        try:
            session = await self._people.sessions.begin(user.id)
        except Unauthenticated:
            # Disabled or deleted since it was read.
            raise AccountDisabled from None
        await self._people.attempts.succeeded([address_key(address)])
        return user, session

    async def _not_counted(self, address: str, asking: Awaitable[T]) -> T:
        """What the provider answers; that it cannot be used is nobody's failure."""
        try:
            return await asking
        except ProviderFailed:
            await self._people.attempts.taken_back([address_key(address)])
            raise

    async def _user(self, claims: Claims) -> User:
        issuer, people = self._provider.client.issuer, self._people
        known = await self._store.user_of(issuer, claims.subject)
        if known is not None:
            return _enabled(await people.users.user(known))
        if claims.email is None:
            raise MailNotVerified
        found = await people.users.by_email(claims.email)
        if found is not None and await people.second_factors.of(_enabled(found).id) is not None:
            # Whoever set one up wants more than the word of a mail address to let somebody in.
            raise AccountTaken(
                "The account of your mail address has a second factor: sign in with your password, take the second "
                "factor away in your profile, and then sign in here; from then on this identity is enough."
            )
        user = found or await self._made(claims, claims.email)
        await self._store.join(issuer, claims.subject, user.id)
        return user

    async def _made(self, claims: Claims, email: str) -> User:
        if not self._provider.client.creates_users:
            raise NoAccount
        users = self._people.users
        try:
            return await users.create(email, None, first_name=claims.first_name, last_name=claims.last_name)
        except InvalidFields:
            raise NoAccount("The identity provider gives a mail address for you that is none.") from None
        except Conflict:
            raise AccountTaken("Somebody made the account of your mail address just now: begin again.") from None


def _enabled(user: User) -> User:
    if user.disabled_at is not None:
        raise AccountDisabled
    return user
