"""Signing in and out, and who a session speaks for."""

from dataclasses import dataclass, replace

from pulse.core.clock import Clock
from pulse.core.errors import Fault, InvalidFields, NotFound, Unauthenticated
from pulse.core.ids import Ids
from pulse.storage.database import Database
from pulse.tenancy.access import Principal
from pulse.tenancy.people.attempts import Attempts, account_key, address_key, code_keys
from pulse.tenancy.people.departures import Departures
from pulse.tenancy.people.members import MemberStore
from pulse.tenancy.people.passwords import Passwords, password_faults
from pulse.tenancy.people.records import User
from pulse.tenancy.people.redemption import Redemption
from pulse.tenancy.people.second_factor.store import (
    SecondFactor,
    SecondFactorRequired,
    SecondFactors,
    SecondFactorWrong,
)
from pulse.tenancy.people.sessions import SessionStore
from pulse.tenancy.people.teams import TeamStore
from pulse.tenancy.people.tickets import TicketStore
from pulse.tenancy.people.users import UserStore
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import TenancyTables

REFUSED = "The mail address or the password is not right."
NOBODY = "Nobody is signed in: sign in again."


@dataclass(frozen=True)
class People:
    """The people of an installation, and their way in."""

    users: UserStore
    members: MemberStore
    sessions: SessionStore
    attempts: Attempts
    passwords: Passwords
    tenancy: TenancyStore
    tickets: TicketStore
    redemption: Redemption
    departures: Departures
    second_factors: SecondFactors
    teams: TeamStore

    async def sign_in(self, email: str, password: str, address: str, code: str | None = None) -> tuple[User, str]:
        """The user and a new session's token. Raises Unauthenticated, TooManyAttempts.

        A wrong password and an unknown address look the same, and take the same time. Where the account has a second
        factor, `code` is one of it or a recovery code: without one SecondFactorRequired is raised, and after a wrong
        one SecondFactorWrong. That happens after the right password only. To say earlier that a code is needed would
        tell anybody which accounts have one; to say it now tells whoever asks that the password is right, which nobody
        learns by more tries than without a second factor, and which is of no use without a code.
        """
        keys = [account_key(email), address_key(address)]
        await self.attempts.begin(keys)
        user = await self.users.by_email(email)
        kept = user.password if user is not None and user.disabled_at is None else None
        if not await self.passwords.fits(kept, password) or user is None or kept is None:
            raise Unauthenticated(REFUSED)
        factor = await self._show_code(user, code, keys)
        await self.attempts.succeeded(keys)
        token = await self.sessions.begin(user.id)
        # A change of the password or the second factor ends the sessions that it finds: this one may have come after.
        if await self.users.password(user.id) != kept or await self._factor_id(user.id) != factor:
            await self.sessions.end(token)
            raise Unauthenticated(REFUSED)
        if self.passwords.is_old(kept):
            await self.users.replace_password(user.id, kept, await self.passwords.hash(password))
        return user, token

    async def _show_code(self, user: User, code: str | None, keys: list[str]) -> str | None:
        """The id of the user's second factor, if there is one, whose code was given."""
        factor = await self.second_factors.of(user.id)
        if factor is None:
            return None
        if code is None:
            # No guess was made, and it is no success either.
            await self.attempts.taken_back(keys)
            raise SecondFactorRequired
        guess = code_keys(user.id)
        await self.attempts.begin(guess)
        if not await self.second_factors.takes(factor, code):
            raise SecondFactorWrong
        await self.attempts.succeeded(guess)
        return factor.id

    async def _factor_id(self, user_id: str) -> str | None:
        factor: SecondFactor | None = await self.second_factors.of(user_id)
        return None if factor is None else factor.id

    async def sweep(self) -> None:
        """Deletes what has ended."""
        await self.sessions.sweep()
        await self.attempts.sweep()
        await self.tickets.sweep()
        await self.second_factors.sweep()

    async def user_of(self, token: str) -> User:
        """Whom the session speaks for, without avatar. Raises Unauthenticated."""
        user = await self.sessions.user(token)
        if user is None:
            raise Unauthenticated(NOBODY)
        return user

    async def change_password(self, user: User, old: str | None, new: str, by: str = "") -> str:
        """Ends all sessions and links of the user, and begins a session, whose token it returns.

        `old`: None where there is none yet; then `by`, the token of the session that does it, must be young.

        Raises InvalidFields, TooManyAttempts: a session that was stolen must not serve to guess the password.
        """
        wrong = InvalidFields([Fault("oldPassword", "wrong_password", "This is not your password now.")])
        is_first = user.password is None and old is None
        if is_first and not await self.sessions.is_young(by):
            words = "You signed in more than ten minutes ago: sign in again, and then choose your first password."
            raise InvalidFields([Fault("oldPassword", "sign_in_again", words)])
        keys = [account_key(user.email)]
        await self.attempts.begin(keys)
        if not is_first and not await self.passwords.fits(user.password, old or ""):
            raise wrong
        await self.attempts.succeeded(keys)
        faults = password_faults(new, user.email, "newPassword")
        if faults:
            raise InvalidFields(faults)
        token = await self.users.change_password(user.id, user.password, await self.passwords.hash(new))
        if token is None:
            raise wrong
        return token

    async def principal_of(self, token: str) -> Principal:
        """Whom a session speaks for, before it says for which organization. Raises Unauthenticated."""
        user = await self.user_of(token)
        return Principal("", "", f"session of {user.id}", user_id=user.id, system=user.is_system)

    async def within(
        self, principal: Principal, organization: str | None, environment: str | None, *, anywhere: bool
    ) -> Principal:
        """The principal in the organization that is named by id or name, or in the only one that it belongs to.

        Likewise its environment, unless none matters (`anywhere`); one that the user has no right on is not there.
        Raises NotFound, and InvalidFields where several are possible.
        """
        standings = await self.teams.standings(principal.user_id)
        chosen = [each for each in standings if organization in (None, each.organization.id, each.organization.name)]
        if not chosen and organization is not None:
            raise NotFound(f"There is no organization {organization!r}.")
        if len(chosen) != 1:
            raise _say("organizationId", [each.organization.name for each in standings])
        found, environments = chosen[0], chosen[0].environments
        here = [(each, role) for each, role in environments if environment in (None, each.id, each.name)]
        if not here and environment is not None:
            raise NotFound(f"There is no environment {environment!r} in that organization.")
        if len(here) != 1 and not (anywhere and environment is None):
            raise _say("environmentId", [each.name for each, _ in environments])
        place = here[0][0].id if len(here) == 1 else ""
        # A right on one environment is none on what concerns the organization whole, whatever is named with it.
        role = found.role if anywhere else here[0][1]
        here_now = replace(principal, organization_id=found.organization.id, environment_id=place)
        return replace(here_now, role=role, organization_role=found.role)


def build_people(
    database: Database, tables: TenancyTables, tenancy: TenancyStore, ids: Ids, clock: Clock, *, vault: Vault
) -> People:
    """The people of the installation on this database."""
    tickets = TicketStore(database, tables, ids, clock)
    return People(
        UserStore(database, tables, ids, clock),
        MemberStore(database, tables, clock),
        SessionStore(database, tables, clock),
        Attempts(database, tables, clock),
        Passwords(),
        tenancy,
        tickets,
        Redemption(database, tables, tickets, ids, clock),
        Departures(database, tables, clock),
        SecondFactors(database, tables, vault, ids, clock),
        teams=TeamStore(database, tables, ids, clock),
    )


def _say(path: str, names: list[str]) -> InvalidFields:
    known = f": {', '.join(names[:10])}" if names else ": you belong to none yet"
    return InvalidFields([Fault(path, "missing", f"Say which one{known}.")])
