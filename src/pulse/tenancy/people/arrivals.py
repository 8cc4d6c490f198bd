"""How people come in by a link that they were sent: joining an organization, a new password, a first sign-in."""

from dataclasses import dataclass

from pulse.core.errors import Fault, InvalidFields
from pulse.tenancy.people.attempts import account_key
from pulse.tenancy.people.passwords import password_faults
from pulse.tenancy.people.records import Ticket, User
from pulse.tenancy.people.redemption import Newcomer, account_is_there
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.people.tickets import TicketRefused


@dataclass(frozen=True)
class Arrival:
    """Somebody who has joined; `session` is the token of a new user's session, and None for who had an account."""

    user: User
    invitation: Ticket
    session: str | None


async def invited(people: People, token: str) -> tuple[Ticket, User | None]:
    """The invitation, and who it is for, where that is somebody with an account. Raises TicketRefused."""
    ticket = await people.tickets.find(token, "invitation")
    user = await people.users.by_email(ticket.email)
    if user is not None and user.disabled_at is not None:
        raise TicketRefused
    return ticket, user


async def accept(
    people: People, token: str, password: str | None = None, *, first_name: str = "", last_name: str = ""
) -> Arrival:
    """Makes who was invited a member. Name and password are for who has no account yet, and change nobody else's.

    Raises TicketRefused, InvalidFields, Conflict where somebody else made the account or the member meanwhile.
    """
    ticket, user = await invited(people, token)
    newcomer = None
    if user is not None:
        if password is not None or first_name or last_name:
            raise account_is_there()
    elif password is None:
        raise InvalidFields([Fault("password", "missing", "Choose a password for your new account.")])
    else:
        faults = password_faults(password, ticket.email)
        if faults:
            raise InvalidFields(faults)
        newcomer = Newcomer(first_name, last_name, await people.passwords.hash(password))
    user_id = await people.redemption.join(token, newcomer)
    session = await people.sessions.begin(user_id) if newcomer is not None else None
    return Arrival(await people.users.user(user_id), ticket, session)


async def forgotten(people: People, email: str) -> tuple[User, str] | None:
    """Whose password that is and the token to choose another; an older one is void. None for who has no password."""
    user = await people.users.by_email(email)
    if user is None or user.disabled_at is not None or user.password is None:
        return None
    return user, await people.tickets.issue(user, "reset")


async def choose_password(people: People, token: str, password: str) -> None:
    """Sets a forgotten password, signs out everywhere, and forgives failed sign-ins.

    Raises TicketRefused, InvalidFields.
    """
    ticket = await people.tickets.find(token, "reset")
    faults = password_faults(password, ticket.email)
    if faults:
        raise InvalidFields(faults)
    await people.redemption.set_password(token, await people.passwords.hash(password))
    await people.attempts.succeeded([account_key(ticket.email)])
