"""`/api/invitations`: who is invited to an organization by mail, and how they accept.

Whoever is invited gets a link of their own. It makes a new user with the password that they choose; who has an account
joins with it as it is, and is neither signed in by the link nor given another password.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from pulse.console.access import MayReadInvitations, MayWriteMembers, open_to_all
from pulse.console.bodies import Body
from pulse.console.pages import whole
from pulse.console.people import letters
from pulse.console.people.seats import require_seat
from pulse.console.people.session import Password, PersonName, begin_session
from pulse.console.routes import GuardedRoute
from pulse.core.clock import iso
from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound
from pulse.tenancy.access import Principal
from pulse.tenancy.people.arrivals import accept
from pulse.tenancy.people.attempts import mail_key, mails_key
from pulse.tenancy.people.records import Ticket
from pulse.tenancy.people.sign_in import People
from pulse.tenancy.people.users import read_email
from pulse.tenancy.roles import ROLES, Role
from pulse.tenancy.store import TenancyStore

router = APIRouter(tags=["people"], route_class=GuardedRoute)
Token = Annotated[str, Field(min_length=1, max_length=200, examples=["t0k3n-of-the-link-in-the-mail"])]


class InvitationBody(Body):
    """Who is invited, and the role that they will have."""

    email: Annotated[str, Field(max_length=320)]
    role: Role = "User"


class AcceptBody(Body):
    """The link's token; for who has no account yet a password, and a name where wanted."""

    token: Token
    password: Password | None = None
    first_name: PersonName = ""
    last_name: PersonName = ""


@router.get("/invitations")
async def invitations(principal: MayReadInvitations, request: Request) -> Any:
    """Who has not accepted yet. One that has ended can be sent again for another month."""
    return whole([_invitation(each) for each in await _people(request).tickets.invitations(principal.organization_id)])


@router.post("/invitations", status_code=201)
async def invite(body: InvitationBody, principal: MayWriteMembers, request: Request) -> Any:
    """Sends the mail before it answers: one that cannot be sent leaves no invitation.

    It ends when who sent it is removed, disabled or may invite no more.
    409 `seats_taken` where the plan has no room for one more; the operator may make users all the same.
    """
    people, organization_id = _people(request), principal.organization_id
    _require_role(body.role, principal)
    email = read_email(body.email)
    letters.require_deliverable(email)
    await require_seat(request, organization_id, besides=email)
    await people.attempts.begin([mail_key(email, organization_id), mails_key(organization_id)])
    ticket, token = await people.tickets.invite(organization_id, email, body.role, **_inviter(principal))
    try:
        await _send(request, principal, ticket, token)
    except letters.MailNotSent:
        await people.tickets.revoke(organization_id, ticket.id)
        raise
    return _invitation(ticket)


@router.post("/invitations/{invitation_id}/resend")
async def resend(invitation_id: str, principal: MayWriteMembers, request: Request) -> Any:
    """Sends another link, which lasts as long as the first did; the one before works no more.

    Whoever sends it again is who has invited.
    """
    people, organization_id = _people(request), principal.organization_id
    found = [each for each in await people.tickets.invitations(organization_id) if each.id == invitation_id]
    if not found:
        raise NotFound(f"There is no invitation {invitation_id!r}.")
    await require_seat(request, organization_id, besides=found[0].email)
    await people.attempts.begin([mail_key(found[0].email, organization_id), mails_key(organization_id)])
    ticket, token = await people.tickets.renew(organization_id, invitation_id, **_inviter(principal))
    await _send(request, principal, ticket, token)
    return _invitation(ticket)


@router.delete("/invitations/{invitation_id}", status_code=204)
async def revoke(invitation_id: str, principal: MayWriteMembers, request: Request) -> None:
    """Takes it back: its link works no more."""
    await _people(request).tickets.revoke(principal.organization_id, invitation_id)


@router.post("/invitations/accept", dependencies=[Depends(open_to_all("invitations:accept"))])
async def accept_invitation(body: AcceptBody, request: Request, response: Response) -> Any:
    """Joins the organization. A new user is signed in: the answer sets the cookie."""
    people = _people(request)
    password = None if body.password is None else body.password.get_secret_value()
    arrival = await accept(people, body.token, password, first_name=body.first_name, last_name=body.last_name)
    if arrival.session is not None:
        await begin_session(request, response, arrival.session)
    organization = await _tenancy(request).organization(arrival.invitation.organization_id or "")
    return {
        "user": {"id": arrival.user.id, "email": arrival.user.email},
        "organization": {"id": organization.id, "name": organization.name},
        "role": arrival.invitation.role,
        "signedIn": arrival.session is not None,
    }


async def _send(request: Request, principal: Principal, ticket: Ticket, token: str) -> None:
    people, state = _people(request), request.app.state
    inviter = (await people.users.user(principal.user_id)).email if principal.user_id else "Your administrator"
    organization = await _tenancy(request).organization(principal.organization_id)
    await letters.send(
        state.mailer, letters.invitation(ticket, token, organization.name, inviter, url=state.public_url)
    )


def _inviter(principal: Principal) -> dict[str, Any]:
    """Who invites; the operator is no member of what they operate."""
    return {"invited_by": principal.user_id or None, "by_member": bool(principal.user_id) and not principal.system}


def _require_role(role: Role, principal: Principal) -> None:
    if role == "System":
        words = f"A member is one of {', '.join(ROLES[1:])}: System operates the installation."
        raise InvalidFields([Fault("role", "not_allowed", words)])
    if principal.role is not None and ROLES.index(role) < ROLES.index(principal.role):
        raise Forbidden(f"Your role here is {principal.role}: you cannot invite somebody as {role}.")


def _invitation(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "organizationId": ticket.organization_id,
        "email": ticket.email,
        "role": ticket.role,
        "invitedBy": ticket.invited_by,
        "createdAt": iso(ticket.created_at),
        "expiresAt": iso(ticket.expires_at),
    }


def _people(request: Request) -> People:
    people: People = request.app.state.people
    return people


def _tenancy(request: Request) -> TenancyStore:
    store: TenancyStore = request.app.state.tenancy
    return store
